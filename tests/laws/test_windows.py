"""L1 in every window (PRES-06): nothing of the obliged time is lost, doubled, or laid in the wrong window."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.batch import Batch
from mm_monitor.core.engine import Engine
from mm_monitor.core.rulebook import Ratio
from mm_monitor.core.view import ObligationColumns, StatusView, WindowColumns
from tests.laws.laid import laid
from tests.laws.running import run
from tests.laws.tapes import Case, cases, tape_of

PARTS = ("quoted", "lapsed", "exempt", "unknown")
WHOLE = 2**62  # a window that never ends
Pair = tuple[str, str]


def judged_by_windows(case: Case, widths: tuple[int, ...]) -> Case:
    """The same tape under rulebooks that ask for such windows."""
    books = [
        replace(book, windows=widths, required=book.required or Ratio(2, 3))
        for book in case.rulebooks
    ]
    return replace(case, rulebooks=tuple(books))


@pytest.mark.criterion("PRES-06")
@given(cases(), st.integers(1, 7), st.integers(0, 9))
def test_windows_hold_all_obliged_time(case: Case, part: int, wait: int) -> None:
    narrow = max(1, case.step * part // 3)
    engine = run(judged_by_windows(case, (narrow, WHOLE)))
    t = engine.position + wait * case.step // 2
    for evaluator, view in zip(engine.evaluators, engine.at(t), strict=True):
        o = view.obligations
        obliged = sum(getattr(o, name) for name in PARTS)
        for w in o.windows:
            assert (w.total == w.passed + w.failed + w.open + w.empty + w.cut).all()
            assert (w.total == -(-obliged // w.width)).all()
            assert (w.cut == (obliged % w.width > 0)).all()
        if view.period_end is not None:
            continue  # the rows go on, the picture does not
        evaluator.totals_at(t)
        open_windows = evaluator.scratch.win[evaluator.book.order, 1]
        assert (open_windows["elapsed"] == obliged).all()
        for name in ("quoted", "exempt", "unknown"):
            assert (open_windows[name] == getattr(o, name)).all()


def pairs(view: StatusView) -> dict[Pair, int]:
    """Places of the obligations."""
    o = view.obligations
    keys = zip(o.maker.tolist(), o.contract.tolist(), strict=True)
    return {(view.makers[m], view.contracts[c]): i for i, (m, c) in enumerate(keys)}


def amounts(o: ObligationColumns, i: int) -> dict[str, int]:
    """The four sums of an obligation."""
    return {name: int(getattr(o, name)[i]) for name in PARTS}


class Watched:
    """Every obliged nanosecond of one rulebook's obligations, read off the totals as they grow."""

    def __init__(self) -> None:
        self.states: dict[Pair, list[str]] = {}
        self.known: dict[Pair, dict[str, int]] = {}

    def look(self, view: StatusView) -> None:
        """One nanosecond later; a total that shrinks says that another period began."""
        for pair, i in pairs(view).items():
            now = amounts(view.obligations, i)
            before = self.known.get(pair, dict.fromkeys(PARTS, 0))
            grown = [name for name in PARTS for _ in range(now[name] - before[name])]
            if any(now[name] < before[name] for name in PARTS):
                self.states[pair], grown = [], [n for n in PARTS for _ in range(now[n])]
            assert len(grown) <= 1
            self.states.setdefault(pair, []).extend(grown)
            self.known[pair] = now


def watch(engine: Engine, case: Case) -> list[Watched]:
    """Apply a tape whose step is one nanosecond, looking at each of them."""
    rows, controls = tape_of(case)
    found = [Watched() for _ in engine.evaluators]
    engine.foresee(Batch(rows, controls))
    at = 0
    for t in range(int(rows["ts"][0]), case.end + 1):
        end = int((rows["ts"] < t).sum())
        engine.apply(Batch(rows[at:end], controls))
        at = end
        for watched, view in zip(found, engine.at(t), strict=True):
            watched.look(view)
    return found


@pytest.mark.criterion("PRES-06")
@given(cases(fine=True), st.integers(1, 5))
def test_windows_are_laid_in_the_slots_own_obliged_time(case: Case, width: int) -> None:
    case = judged_by_windows(case, (width, 3 * width + 1))
    engine = case.engine()
    watched = watch(engine, case)
    for book, seen, view in zip(case.rulebooks, watched, engine.at(case.end), strict=True):
        assert book.required is not None
        required = Fraction(book.required.num, book.required.den)
        for pair, i in pairs(view).items():
            for w in view.obligations.windows:
                assert counts(w, i) == laid(seen.states[pair], w.width, required)


def counts(w: WindowColumns, i: int) -> dict[str, int]:
    """What the engine says of one width of one obligation."""
    names = ("passed", "failed", "open", "empty", "cut", "total", "longest_failed_run")
    return {name: int(getattr(w, name)[i]) for name in names}
