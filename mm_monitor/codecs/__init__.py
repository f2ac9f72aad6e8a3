"""Bytes to rows: one file a format, a registry by name."""
