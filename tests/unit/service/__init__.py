"""Unit tests of mm_monitor service."""
