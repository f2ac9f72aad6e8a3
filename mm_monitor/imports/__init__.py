"""What venues and vendors have, as capture directories: FIX session logs, order drop copies, public quote files.

An importer writes lines that a replay judges; a value that it cannot use is written as it came, for the replay to name.
"""
