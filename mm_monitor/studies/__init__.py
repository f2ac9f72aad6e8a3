"""Questions asked of a recorded day: the same replay again, under other rulebooks or other numbers."""
