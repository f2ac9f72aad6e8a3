"""Cycles of garbage are looked for when we say so, and only then."""

from __future__ import annotations

import gc
import weakref

import pytest

from mm_monitor import garbage
from mm_monitor.garbage import Garbage


class Knot:
    """Holds on to itself."""

    def __init__(self) -> None:
        self.itself = self


def test_nothing_is_searched_until_it_is_told() -> None:
    kept = Garbage()
    with kept.held_back():
        assert not gc.isenabled()
        knot = weakref.ref(Knot())
        many = [[] for _ in range(100_000)]  # type: ignore[var-annotated]
        assert many
        assert knot() is not None
        kept.tidy(idle=False)
        assert knot() is None
    assert gc.isenabled()


def test_what_outlived_a_search_is_searched_more_rarely() -> None:
    kept = Garbage()

    with kept.held_back():
        other = Knot()
        gone = weakref.ref(other)
        kept.tidy(idle=False)
        del other
        for _ in range(garbage.OLDER - 2):
            kept.tidy(idle=False)
            assert gone() is not None
        kept.tidy(idle=False)
        assert gone() is None


@pytest.mark.parametrize("idle", [True, False])
def test_everything_is_searched_only_while_nothing_is_judged(
    idle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "IDLE", 0.0)
    kept, searched = Garbage(), []
    with kept.held_back():
        monkeypatch.setattr(gc, "collect", lambda *young: searched.append(young))
        kept.tidy(idle=idle)
    monkeypatch.undo()
    assert searched == ([()] if idle else [(0,)])
