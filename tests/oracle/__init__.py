"""An independent judge of a day, slow and plain, that shares no code with the engine."""
