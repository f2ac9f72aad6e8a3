"""Watching how a maker keeps its obligation: signals for a person to look at, never breaches (docs/signals.md).

Nothing here is on the engine's way of a tick: a `WatchedEngine` looks on, a plain `Engine` does not.
"""
