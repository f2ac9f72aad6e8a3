"""What is remembered of an obligation that somebody looks at: exact, bounded, and only while anybody does."""

from __future__ import annotations

from mm_monitor.core.batch import Batch, empty_rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Kind, PeriodRecord, PhaseRecord
from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.core.rulebook import Ratio, Rulebook, SpreadTerm
from mm_monitor.watching import CUTS, UNSEEN_AFTER, Watching
from mm_monitor.web.contracts import contract_json

S = 1_000_000_000
PRICE = 10**8
KEY = ("r", "M0", "C0")
BOOK = Rulebook(
    "r", 1, "0" * 64, terms=(SpreadTerm("absolute", absolute=PRICE // 10),), max_age=20 * S,
    min_size=5, required=Ratio(9, 10),
)  # fmt: skip


class Watched:
    """An engine with three makers on ten contracts, watched by a clock that the test turns."""

    def __init__(self, length: int = 100) -> None:
        contracts = [Contract(f"C{i}", "K", 10_000) for i in range(10)]
        appointments = [Appointment(f"M{i}", "*") for i in range(3)]
        reference = Reference.of(contracts, appointments)
        self.engine = Engine([BOOK], reference, {0: ("quotes", 0)}, calendar=False)
        self.engine.control(PeriodRecord(0, "start"))
        self.engine.control(PhaseRecord(0, "*", "continuous"))
        self.clock = 0.0
        self.watching = Watching(self.engine, most=4, length=length, clock=lambda: self.clock)
        self._offset = 0

    def quotes(self, *made: tuple[int, int, int], size: int = 10, contract: int = 0) -> None:
        """One batch of M0's quotes: second, bid and ask in hundredths."""
        rows = empty_rows(len(made))
        for row, (t, bid, ask) in zip(rows, made, strict=True):
            self._offset += 1
            row["ts"], row["offset"], row["kind"], row["contract"] = (
                t * S,
                self._offset,
                Kind.QUOTE,
                contract,
            )
            row["a"], row["b"], row["a_size"], row["b_size"] = (
                bid * PRICE // 100,
                ask * PRICE // 100,
                size,
                size,
            )
        self.watching.apply(Batch(rows))


def test_it_knows_every_interval_to_the_nanosecond_also_those_that_no_record_ends() -> None:
    w = Watched()
    assert w.watching.seen(KEY, 0) is not None
    w.quotes((1, 100, 105), (2, 100, 120), (4, 100, 106))  # good, too wide, good again: one batch
    seen = w.watching.seen(KEY, 30 * S)
    assert seen is not None
    assert seen.spans == [
        (0, S, "lapsed", "absent"), (S, 2 * S, "quoted", ""), (2 * S, 4 * S, "lapsed", "spread"),
        (4 * S, 24 * S, "quoted", ""), (24 * S, 30 * S, "lapsed", "stale"),
    ]  # fmt: skip
    assert [(p[0], p[1], p[2]) for p in seen.points] == [
        (0, None, None), (S, PRICE, 105 * PRICE // 100), (2 * S, PRICE, 120 * PRICE // 100),
        (4 * S, PRICE, 106 * PRICE // 100),
    ]  # fmt: skip


def test_what_it_says_of_a_quote_is_what_the_quote_lacks() -> None:
    w = Watched()
    w.quotes((1, 100, 125), size=4)
    seen = w.watching.seen(KEY, 2 * S)
    assert seen is not None
    told = contract_json(seen, "M0")
    assert (told["state"], told["reason"]) == ("lapsed", "size")
    assert told["failed_by"] == {"size": "1", "spread": "0.15"}
    assert told["needs"] == {
        "least_size": 5, "widest": "0.1", "ask_at_most": "1.1", "bid_at_least": "1.15", "max_age_ns": 20 * S,
    }  # fmt: skip
    assert told["quote"]["source"] == {"topic": "quotes", "partition": 0, "offset": 1}
    assert len(told["would_be_valid"]) == 2


def test_nothing_is_remembered_of_what_nobody_looks_at_and_nobody_is_there() -> None:
    w = Watched()
    assert w.watching.seen(("r", "M0", "C99"), 0) is None
    assert w.watching.seen(("r", "nobody", "C0"), 0) is None
    assert w.watching.seen(("other", "M0", "C0"), 0) is None
    w.watching.seen(KEY, 0)
    w.clock = UNSEEN_AFTER + 1
    w.quotes((1, 100, 105))
    seen = w.watching.seen(KEY, 2 * S)
    assert seen is not None
    assert (seen.since, seen.spans) == (2 * S, [])


def test_memory_is_bounded_and_a_maker_leaves_room_for_others() -> None:
    w = Watched(length=5)
    assert w.watching.seen(KEY, 0, own=True).remembers  # type: ignore[union-attr]
    assert not w.watching.seen(("r", "M0", "C1"), 0, own=True).remembers  # type: ignore[union-attr]
    kept = [w.watching.seen(("r", "M1", f"C{i}"), 0) for i in range(4)]
    assert [one.remembers for one in kept if one is not None] == [True, True, True, False]
    for t in range(1, 40):
        w.quotes((t, 100, 105 + t % 9))
    seen = w.watching.seen(KEY, 40 * S)
    assert seen is not None
    assert len(seen.points) == 5
    assert len(seen.spans) <= 5
    newer = w.watching.seen(KEY, 40 * S, since=38 * S)
    assert newer is not None
    assert [point[0] for point in newer.points] == [39 * S]


def test_a_flood_is_thinned_in_the_picture_and_not_in_the_sums() -> None:
    w = Watched(length=10_000)
    w.watching.seen(KEY, 0)
    w.quotes(*((1 + i // 1000, 100, 105 + i % 7) for i in range(CUTS * 20)))
    seen = w.watching.seen(KEY, 6 * S)
    assert seen is not None
    assert len(seen.points) <= CUTS + 2
    assert seen.thinned >= CUTS * 18
    slot = w.engine.evaluators[0].book.find(0, 0)
    settled = w.engine.evaluators[0].scratch.slots[slot]
    assert (
        sum(end - start for start, end, state, _ in seen.spans if state == "quoted")
        == settled["quoted"]
    )
