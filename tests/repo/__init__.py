"""Tests of the repository itself: its boundaries, its sizes, and that its parts agree."""
