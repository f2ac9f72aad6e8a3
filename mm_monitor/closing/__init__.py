"""What is done once a trading date is over: its lapses into the evidence log, its tape as a capture directory."""
