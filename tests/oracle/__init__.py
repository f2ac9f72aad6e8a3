"""A second, brute-force reading of the semantics: it imports nothing of the engine it checks."""
