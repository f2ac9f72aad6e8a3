"""What was decided, and on what grounds: an append-only log in which every line vouches for all before it."""
