"""Files for the programs around the monitor, and the Python that makes or runs some of them."""
