"""One file per rule over the totals: pure functions that take the instant, never ask for it."""
