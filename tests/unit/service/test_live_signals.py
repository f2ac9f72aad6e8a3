"""Signals of a trading date, maker by maker; the next date begins at nothing."""

from __future__ import annotations

from mm_monitor.core.batch import Batch, control_rows, empty_rows
from mm_monitor.core.model import Control, Kind, PeriodRecord, PhaseRecord, SessionRecord
from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.core.rulebook import Ratio, Rulebook
from mm_monitor.core.watch.watched import WatchedEngine
from mm_monitor.live_signals import LiveSignals

S = 1_000_000_000


def quotes(ts: int, maker: int, count: int) -> Batch:
    rows = empty_rows(count)
    rows["ts"], rows["kind"], rows["maker"] = ts, Kind.QUOTE, maker
    rows["offset"], rows["a"], rows["b"] = range(count), 1, 2
    rows["a_size"] = rows["b_size"] = 1
    return Batch(rows)


def told(live: LiveSignals) -> dict[str, tuple[str, int, bool | None]]:
    found = {}
    for one in live.told():
        signal = next(signal for signal in one.signals if signal.name == "one_lot")
        found[one.maker] = one.trading_date, signal.numbers["one_lot"], signal.raised
    return found  # type: ignore[return-value]


def test_a_turn_for_each_maker_and_a_new_page_for_each_date() -> None:
    makers = [Appointment("M0", "*"), Appointment("M1", "*")]
    reference = Reference.of([Contract("C0", "K0", 1)], makers)
    book = Rulebook("r", 1, "0" * 64, required=Ratio(9, 10))
    engine = WatchedEngine([book], reference, {}, daily=True)
    live = LiveSignals()
    live.watch(engine)
    day: list[Control] = [PeriodRecord(0, "roll", "2025-01-02"), PeriodRecord(0, "start", "2025-01-02"),
           PhaseRecord(0, "*", "continuous"), SessionRecord(0, "M0", "", "logon")]  # fmt: skip
    kinds = [Kind.PERIOD, Kind.PERIOD, Kind.PHASE, Kind.SESSION]
    rows = control_rows(day, kinds, 0, [0, 1, 2, 3])
    assert engine.apply(Batch(rows, dict(enumerate(day)))) == []
    engine.apply(quotes(S, 0, 12))
    engine.advance(2 * S)
    live.refresh(engine.at(2 * S))
    assert told(live) == {"M0": ("2025-01-02", 12, True)}
    live.refresh(engine.at(2 * S))
    assert told(live) == {"M0": ("2025-01-02", 12, True), "M1": ("2025-01-02", 0, None)}
    engine.control(PeriodRecord(9 * S, "roll", "2025-01-03"))
    live.refresh(engine.at(9 * S))
    assert told(live) == {"M0": ("2025-01-03", 0, None)}
    assert engine.watches[0].papers.sessions == {"M0": {"": "logon"}}
