"""The FIX scanner and its plain twin agree byte for byte on any bytes, and plain messages are plain."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.codecs.directory import NameTable
from mm_monitor.core.batch import Rows, empty_rows
from mm_monitor.core.model import Kind
from mm_monitor.kernels import _scan_fix
from mm_monitor.kernels import reference_scan_fix as twin
from tests.kernels.fix_records import ENTRY, LONG, mass, message, quote, records

MAKERS = NameTable.of({"M0": (0, 0), "M1": (1, 0), "A7": (1, 3), LONG: (4, 0)})
CONTRACTS = NameTable.of({"C0": (0, 0), "C1": (1, 0), LONG: (2, 0), "é": (1, 0), "far": (9, 0)})
TICKS = np.array([1_000, 1, 0], np.int64)
TS = 1753406400927658613
BY_SENDER, BY_PARTY = (49, 55, 66), (448, 55, 66)


def scan(
    module: ModuleType, values: Sequence[bytes | None], tags: tuple[int, int, int] = BY_SENDER
) -> tuple[int, list[int], Rows]:
    """Through a buffer in which values lie between other bytes."""
    data = b"5".join([b"", *(value or b"" for value in values)])
    lengths = np.array([-1 if value is None else len(value) for value in values], np.int64)
    sizes = np.maximum(lengths, 0)
    starts = np.cumsum(sizes + 1) - sizes
    offsets, counts = np.arange(len(values)) * 3, np.full(len(values), 99, np.int32)
    rows = empty_rows(int((sizes // twin.LEAST_ENTRY).sum()))
    tables = (MAKERS.cells, MAKERS.pool, CONTRACTS.cells, CONTRACTS.pool)
    total = module.scan_quotes(
        data, starts, lengths, offsets, 7, *tables, TICKS, *tags, rows, counts
    )
    return total, counts.tolist(), rows[:total]


@given(
    st.lists(st.one_of(records(), st.none()), max_size=3),
    st.sampled_from([BY_SENDER, BY_PARTY, (1, 48, 0)]),
)
def test_rows_agree_with_the_plain_twin(
    values: list[bytes | None], tags: tuple[int, int, int]
) -> None:
    one, other = (scan(module, values, tags) for module in (_scan_fix, twin))
    assert (one[:2], one[2].tobytes()) == (other[:2], other[2].tobytes())


def test_every_truncation_and_every_changed_byte() -> None:
    value = mass([ENTRY])
    cut = [value[:n] for n in range(len(value) + 1)]
    # each with the checksum that it then must have, so that what is behind the frame is reached
    changed = []
    for i in range(len(value) - 7):
        for byte in (0, 1, 32, 46, 48, 57, 61, value[i] ^ 1):
            start = value[:i] + bytes([byte]) + value[i + 1 : -7]
            changed.append(start + b"10=%03d\x01" % (sum(start) % 256))
    alone = [scan(_scan_fix, [v])[1] for v in cut]  # the buffer ends where it does
    assert alone == [scan(twin, [v])[1] for v in cut]
    one, other = (scan(module, cut + changed) for module in (_scan_fix, twin))
    assert (one[:2], one[2].tobytes()) == (other[:2], other[2].tobytes())
    assert one[1][len(value)] == 1


def test_a_mass_quote_of_two_sets() -> None:
    late = [*ENTRY[:3], (60, "20250725-01:20:01"), (58, "no sizes of its own")]
    value = mass(
        [ENTRY, late], [[(55, "C1"), (132, "1"), (134, "2")]], own=[(293, "3"), (294, "4")]
    )
    total, counts, rows = scan(_scan_fix, [None, value])
    assert (total, counts) == (3, [-1, 3])
    quoted = (2_750_000, 2_860_000)
    assert rows.tolist() == [
        (TS, 3, *quoted, 40, 20, 0, 0, 7, 0, Kind.QUOTE, 0, 0),
        (1753406401000000000, 3, *quoted, 3, 4, 0, 0, 7, 1, Kind.QUOTE, 0, 0),
        (TS, 3, 100_000_000, 0, 2, 0, 0, 1, 7, 2, Kind.QUOTE, 0, 0),
    ]


@pytest.mark.parametrize(
    ("own", "tags", "maker", "account"),
    [
        ([], BY_SENDER, 0, 0),
        (
            [(453, "2"), (448, "M0"), (452, "1"), (448, "M1"), (447, "D"), (452, "66")],
            BY_PARTY,
            1,
            0,
        ),
        ([(1, "A7")], (1, 55, 66), 1, 3),
        ([(1, "nobody")], (1, 55, 66), -1, 0),
    ],
)
def test_who_the_maker_is(own: Any, tags: tuple[int, int, int], maker: int, account: int) -> None:
    for value in (quote(own=own), mass([ENTRY], own=own)):
        assert scan(_scan_fix, [value], tags)[2][["maker", "account"]].tolist() == [
            (maker, account)
        ]


def test_arguments_that_do_not_belong_together() -> None:
    with pytest.raises(ValueError, match="contract_tag"):
        scan(_scan_fix, [quote()], (49, 1, 66))


def test_a_message_of_another_type_is_not_plain() -> None:
    assert scan(_scan_fix, [message("0", [(49, "M0"), (56, "X"), (34, "1")]), b""])[1] == [-1, -1]
