"""Where records come from: Kafka, or a capture directory; and the merge that puts them on one tape."""
