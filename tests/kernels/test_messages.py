"""The message kernel: its plain twin leaves the same bytes, and what it counts is what a slow count finds (law L6)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor import kernels
from mm_monitor.core.batch import QUOTE_BAD, ROW
from mm_monitor.core.model import MAX_PRICE, MAX_SIZE, Kind
from mm_monitor.kernels import _messages, layout, reference_messages

SECOND = 1_000_000_000
MAKERS, CONTRACTS, ACCOUNTS, SLOTS = 3, 2, 1, 4
PARTIES = MAKERS + ACCOUNTS
SLOT0, CLS, GROUP = [0, 2], [0, 0], [0, 1]
RANK = [0, 1, -1]  # the third maker is not appointed
DTYPES = {
    "party": layout.PARTY, "standing": layout.STANDING, "heard": layout.HEARD, "sums": layout.SUMS,
}  # fmt: skip

steps = st.sampled_from([0, 0, 1, SECOND // 3, SECOND - 1, SECOND, 5 * SECOND, 2**61])
accounts = st.sampled_from([0, 0, 0, 1, 2])  # the last one is not known
prices = st.sampled_from([1, 2, 2, MAX_PRICE])
sizes = st.sampled_from([0, 1, 5, 5, MAX_SIZE])


@st.composite
def tapes(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Rows at times that never go back, some of them no quotes or of nobody."""
    count = draw(st.integers(0, 25))
    rows, t = np.zeros(count, ROW), draw(st.integers(0, 3 * SECOND))
    for i in range(count):
        t = min(t + draw(steps), 2**63 - 1)
        bid_size, ask_size = draw(sizes), draw(sizes)
        bid, ask = draw(prices) if bid_size else 0, draw(prices) if ask_size else 0
        maker, contract = draw(st.integers(-1, MAKERS)), draw(st.integers(0, CONTRACTS - 1))
        kind = draw(st.sampled_from([Kind.QUOTE] * 9 + [Kind.THEO]))
        flags = draw(st.sampled_from([0, 0, 0, 0, QUOTE_BAD]))
        rows[i] = (
            t,
            i,
            bid,
            ask,
            bid_size,
            ask_size,
            maker,
            contract,
            0,
            0,
            kind,
            flags,
            draw(accounts),
        )
    return rows


class Machine:
    """One implementation with arrays of its own."""

    def __init__(self, module: Any, room: int) -> None:
        self.module = module
        self.parties = np.zeros(PARTIES, layout.PARTY)
        self.standing = np.zeros(SLOTS + ACCOUNTS * CONTRACTS, layout.STANDING)
        self.sums = np.zeros(PARTIES * 2, layout.SUMS)
        self.queue, self.ring = np.zeros(room, layout.HEARD), np.zeros(2, np.int64)
        tables = (np.array(column, np.int32) for column in (SLOT0, CLS, GROUP, RANK))
        self.watch = module.Messages(
            self.parties, self.standing, self.sums, self.queue, self.ring, *tables, MAKERS, 2, SLOTS
        )

    def run(self, rows: np.ndarray[Any, Any], start: int) -> int:
        return int(self.module.count_messages(self.watch, rows, start))

    def image(self) -> list[bytes]:
        arrays = (self.parties, self.standing, self.sums, self.queue, self.ring)
        return [array.tobytes() for array in arrays]


@pytest.mark.parametrize("name", DTYPES)
def test_a_struct_has_the_layout_of_its_dtype(name: str) -> None:
    data = bytes((7 * i + 3) % 251 for i in range(48))
    size, fields = _messages.as_structs(data)[name]
    row = np.frombuffer(data[:size], DTYPES[name])[0]
    assert size == DTYPES[name].itemsize
    assert {key: np.array(row[key]).tolist() for key in fields} == fields


@pytest.mark.criterion("L6")
@given(tapes(), st.sampled_from([1, 2, 40]), st.integers(0, 25))
def test_the_kernel_is_its_plain_twin(rows: Any, room: int, cut: int) -> None:
    rows.flags.writeable = False
    one, other = Machine(kernels, room), Machine(reference_messages, room)
    for piece in (rows[: cut % (len(rows) + 1)], rows[cut % (len(rows) + 1) :]):
        assert one.run(piece, 0) == other.run(piece, 0)
        assert one.image() == other.image()
    counts = [np.zeros(MAKERS, np.int64) for _ in range(2)]
    kernels.count_quotes(rows, counts[0])
    reference_messages.count_quotes(rows, counts[1])
    assert counts[0].tolist() == counts[1].tolist()


@given(tapes())
def test_what_it_counts_is_what_a_slow_count_finds(rows: Any) -> None:
    machine = Machine(kernels, 40)
    assert machine.run(rows, 0) == len(rows)
    known = (rows["kind"] == Kind.QUOTE) & (rows["maker"] >= 0) & (rows["maker"] < MAKERS)
    for party in range(PARTIES):
        own = (rows["account"] == 0) & (rows["maker"] == party)
        mine = rows[known & (own if party < MAKERS else rows["account"] == party - MAKERS + 1)]
        times = mine["ts"].tolist()
        in_any_second = [sum(t - SECOND < s <= t for s in times) for t in times]
        seen = machine.parties[party]
        assert seen["messages"] == len(times)
        assert seen["sliding_most"] == max(in_any_second, default=0)
        seconds = Counter(t // SECOND for t in times)
        assert seen["second_most"] == max(seconds.values(), default=0)
        for group in range(2):
            obliged = np.array([RANK[maker] >= 0 for maker in mine["maker"]], np.bool_)
            amounts = slow_amounts(mine[(mine["contract"] == group) & obliged])
            sums = machine.sums[party * 2 + group]
            assert total(sums, "submitted") == amounts[0]
            assert total(sums, "cancelled") == amounts[1]


def total(sums: Any, name: str) -> int:
    """A sum of 128 bits."""
    return (int(sums[f"{name}_hi"]) << 64) + int(sums[f"{name}_lo"])


def slow_amounts(quotes: Any) -> tuple[int, int]:
    """Submitted and cancelled by one maker on one contract, side by side."""
    submitted = cancelled = 0
    for price, size in (("a", "a_size"), ("b", "b_size")):
        stands: tuple[int, int] | None = None
        for row in quotes:
            now = (int(row[price]), int(row[size])) if row[size] else None
            if row["flags"] == QUOTE_BAD:
                stands = None
            elif now != stands:
                cancelled += stands[0] * stands[1] if stands else 0
                submitted += now[0] * now[1] if now else 0
                stands = now
    return submitted, cancelled


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"sums": np.zeros(5, layout.SUMS)}, "sums: 4 parties x 2, got 5"),
    ({"standing": np.zeros(5, layout.STANDING)}, "standing: 4 slots and 4 - 3 accounts x 2, got 5"),
    ({"ring": np.array([3, 0])}, "ring: within 2, got 3, 0"),
    ({"ring": np.zeros(1, np.int64)}, "ring: 2 elements"),
    ({"slot0": np.array([0, 3], np.int32)}, "contract 1: slot 4 of 4"),
    ({"slot0": np.array([0], np.int32)}, "cls, group: 1 elements, got 2, 2"),
    ({"cls": np.array([0, 1], np.int32)}, "contract 1: class 1 is outside the rank table"),
    ({"group": np.array([0, 2], np.int32)}, "contract 1: group 2 of 2"),
    ({"rank": np.array([0, 1], np.int32)}, "rank: a multiple of 3 elements, got 2"),
    ({"queue": np.array([(0, 4), (0, 0)], layout.HEARD)}, "queue 0: party 4 of 4"),
]


@pytest.mark.parametrize(
    ("wrong", "message"), WRONG, ids=lambda x: "" if isinstance(x, dict) else x
)
@pytest.mark.parametrize("module", [kernels, reference_messages], ids=["kernel", "plain"])
def test_arrays_that_do_not_belong_together(
    module: Any, wrong: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {
        "parties": np.zeros(PARTIES, layout.PARTY), "standing": np.zeros(SLOTS + ACCOUNTS * CONTRACTS, layout.STANDING),
        "sums": np.zeros(PARTIES * 2, layout.SUMS), "queue": np.zeros(2, layout.HEARD),
        "ring": np.zeros(2, np.int64), "slot0": np.array(SLOT0, np.int32),
        "cls": np.array(CLS, np.int32), "group": np.array(GROUP, np.int32),
        "rank": np.array(RANK, np.int32),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        module.Messages(*(arguments | wrong).values(), MAKERS, 2, SLOTS)
    good = module.Messages(*arguments.values(), MAKERS, 2, SLOTS)
    with pytest.raises(ValueError, match="start: 0 to 0, got 1"):
        module.count_messages(good, np.zeros(0, ROW), 1)
