"""Watches market makers' quotes and says, exactly, who keeps the quoting obligation.

The tape writes and the clock only reads: `mm_monitor.core` holds the engine, everything else
carries bytes to it and verdicts away from it.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("mm-monitor")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+source"

__all__ = ["__version__"]
