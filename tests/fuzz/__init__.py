"""Random tapes on which the engine and the oracle are compared, and the oracle's own tests."""
