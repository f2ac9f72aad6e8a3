"""What was judged, written down as it went by: a file for each trading date, from which it can be judged again."""
