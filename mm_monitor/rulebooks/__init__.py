"""Rulebooks as files: the shipped ones, the loader, the lint and a text for people.

A rulebook is data with a source for every number; the engine sees only `mm_monitor.core.rulebook`.
"""

from mm_monitor.rulebooks.describe import describe
from mm_monitor.rulebooks.finding import Finding
from mm_monitor.rulebooks.lint import lint
from mm_monitor.rulebooks.loader import load, names, parse

__all__ = ["Finding", "describe", "lint", "load", "names", "parse"]
