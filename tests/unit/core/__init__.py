"""Unit tests of mm_monitor core."""
