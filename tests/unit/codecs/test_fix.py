"""The FIX codec: what counts as a quote, what errors say, and that kernel and Python read the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.codecs import codec_for
from mm_monitor.codecs.fix import FixCodec
from mm_monitor.codecs.fix_quotes import MAKER_TAGS, FixTags
from mm_monitor.core.batch import QUOTE_BAD, Decoded
from mm_monitor.core.model import BadReason
from mm_monitor.core.reference import Contract, Reference
from mm_monitor.errors import MonitorError
from tests.kernels.fix_records import ENTRY, HEADER, LONG, mass, message, quote, records
from tests.unit.codecs.samples import chunk, reference

TS = 1753406400927658613
CODEC = FixCodec()


def decode(*values: bytes, codec: FixCodec = CODEC, names: Reference | None = None) -> Decoded:
    """By kernel and Python, which agree."""
    names = names or reference()
    one = codec.decode(chunk("quotes", *values), names)
    other = codec.decode_any(chunk("quotes", *values), names)
    assert one.rows.tolist() == other.rows.tolist()
    assert list(one.dead) == list(other.dead)
    return one


@given(st.lists(records(), max_size=3), st.sampled_from(MAKER_TAGS), st.sampled_from(["55", "48"]))
def test_both_ways_give_the_same(values: list[bytes], maker: str, contract: str) -> None:
    known = reference()
    known.add_contract(Contract(LONG, "K0", 1_000))
    known.foresee_tick(0, 1753406400000000000, 20_000)
    got = decode(*values, codec=FixCodec(FixTags.of(maker, contract)), names=known)
    assert len({(r["offset"], r["sub"]) for r in got.rows}) == len(got.rows)
    assert all(letter.detail and len(letter.detail) < 400 for letter in got.dead)


@given(st.lists(st.one_of(st.binary(max_size=60), records()), max_size=3))
def test_no_bytes_make_it_raise(values: list[bytes]) -> None:
    decode(*values)


def test_a_mass_quote() -> None:
    got = decode(mass([ENTRY, [(55, "C1"), (133, "1.05"), (135, "00003.0")]]), quote())
    assert got.dead == []
    assert got.rows[["ts", "offset", "sub"]].tolist() == [(TS, 100, 0), (TS, 100, 1), (TS, 101, 0)]
    assert got.rows["a"].tolist() == [2_750_000, 0, 2_750_000]
    assert got.rows["b"].tolist() == [2_860_000, 105_000_000, 2_860_000]
    assert got.rows["a_size"].tolist() == [40, 0, 40]


def test_the_instant_of_a_quote() -> None:
    own = (60, "20250725-01:20:02.5")
    entry = [*ENTRY, (60, "20250725-01:20:03.123456789999")]
    got = decode(
        quote(),
        quote(own=[own]),
        mass([entry, ENTRY], own=[own]),
        quote([*ENTRY, (60, "20161231-23:59:60")]),
    )
    second = 1753406400 * 10**9
    assert got.rows["ts"].tolist() == [
        TS, second + 2_500_000_000, second + 3_123_456_789, second + 2_500_000_000, 1483228800 * 10**9,
    ]  # fmt: skip


def cancel(way: str, *more: tuple[int, str]) -> bytes:
    return message("Z", [*HEADER, (117, "Q"), (298, way), *more])


@pytest.mark.parametrize(
    ("value", "contracts"),
    [
        (cancel("1", (295, "2"), (55, "C0"), (55, "C1")), [0, 1]),
        (cancel("5", (55, "C1")), [1]),
        (cancel("3", (711, "1"), (311, "K1")), [1]),
        (cancel("4"), [0]),  # M0 is appointed to K0 alone
        (message("Z", [(49, "A7"), *HEADER[1:], (298, "4")]), [0, 1]),  # of M1, appointed to all
    ],
)
def test_a_cancel_withdraws(value: bytes, contracts: list[int]) -> None:
    got = decode(value)
    assert got.dead == []
    assert got.rows["contract"].tolist() == contracts
    assert {(r["a"], r["b"], r["a_size"], r["b_size"], r["flags"]) for r in got.rows} == {(0,) * 5}


@pytest.mark.parametrize(
    ("status", "sizes"),
    [
        (None, [(40, 20)]),
        ("0", [(40, 20)]),
        ("16", [(40, 20)]),
        ("5", [(0, 0)]),
        ("17", [(0, 0)]),
        ("10", []),
        ("9", []),
    ],
)
def test_a_report_says_what_stands(status: str | None, sizes: list[tuple[int, int]]) -> None:
    fields = [(49, "VENUE"), (56, "M0"), (52, "20250725-01:20:00"), *ENTRY]
    value = message("AI", [*fields, *([(297, status)] if status else [])])
    got = decode(value)
    assert got.rows[["a_size", "b_size"]].tolist() == sizes
    assert set(got.rows["maker"].tolist()) <= {0}
    assert len(decode(message("AI", [*fields[:3], (55, "C0"), (297, "0")])).rows) == 0


def test_what_says_nothing_of_quotes() -> None:
    again = quote(own=[(43, "Y"), (122, "20250725-01:00:00")])
    got = decode(
        message("0", HEADER), message("b", [*HEADER, (297, "5")]), again, quote(own=[(43, "N")])
    )
    assert got.dead == []
    assert got.rows["offset"].tolist() == [103]


def changed(tag: int, value: str | None) -> bytes:
    fields = [(t, v) for t, v in [*HEADER, *ENTRY] if t != tag]
    return message("S", [*fields, (tag, value)] if value is not None else fields)


BAD = [
    (
        changed(55, "C9"),
        BadReason.UNKNOWN_CONTRACT,
        "tag 55: contract is not listed, got C9",
        False,
    ),
    (changed(60, "20250230-00:00:00"), BadReason.BAD_TIME, "tag 60: a UTC time", False),
    (changed(132, "1e2"), BadReason.BAD_PRICE, "tag 132: bid_price is not a plain decimal", True),
    (changed(132, "+0.0275"), BadReason.BAD_PRICE, "got +0.0275", True),
    (
        changed(133, "0.02865"),
        BadReason.OFF_TICK,
        "tag 133: ask_price is not a multiple of the tick 0.0001",
        True,
    ),
    (changed(134, "-1"), BadReason.BAD_SIZE, "tag 134: bid_size is not an integer", True),
    (changed(135, "1.5"), BadReason.BAD_SIZE, "got 1.5", True),
    (
        changed(135, None),
        BadReason.BAD_SIZE,
        "tag 135: ask_size is not an integer",
        True,
    ),
    (
        changed(132, None),
        BadReason.SIZE_WITHOUT_PRICE,
        "tag 132: bid_size is 40 without a bid_price",
        True,
    ),
    (changed(133, "0"), BadReason.NON_POSITIVE_PRICE, "tag 133: ask_price is not positive", True),
    (changed(55, None), BadReason.UNDECODABLE, "tag 55 is missing", False),
    (quote([*ENTRY, (132, "1")]), BadReason.UNDECODABLE, "tag 132: it once wanted, got 1", False),
    (quote([(55, "C0")]), BadReason.UNDECODABLE, "tag 132 is missing", True),
]


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize(("value", "reason", "detail", "known"), BAD)
def test_a_bad_quote_names_tag_and_value(
    value: bytes, reason: BadReason, detail: str, known: bool
) -> None:
    got = decode(value)
    (dead,) = got.dead
    assert (dead.reason, dead.raw.offset) == (reason, 100)
    assert dead.detail.startswith("entry 0: tag ")
    assert detail in dead.detail
    assert got.rows["flags"].tolist() == [QUOTE_BAD] * known


@pytest.mark.criterion("TAPE-04")
def test_a_bad_entry_is_dead_lettered_alone() -> None:
    bad: list[tuple[int | str, str]] = [(55, "C0"), (132, "x"), (134, "1")]
    value = mass([ENTRY], [bad, ENTRY])
    got = decode(value)
    (dead,) = got.dead
    assert dead.raw.value == b"299=0\x0155=C0\x01132=x\x01134=1\x01"
    assert dead.maker == "M0"
    assert got.rows["sub"].tolist() == [0, 1, 2]
    assert CODEC.element(value, 1) == dead.raw.value
    assert CODEC.element(quote(), 0) == quote()


def framed(body: bytes, length: int | None = None, checksum: int | None = None) -> bytes:
    head = b"8=FIX.4.4\x019=%d\x01" % (len(body) if length is None else length)
    total = sum(head + body) % 256 if checksum is None else checksum
    return head + body + b"10=%03d\x01" % total


GOOD = b"35=S\x0149=M0\x0152=20250725-01:20:00\x0155=C0\x01132=0.0275\x01134=1\x01"
ONE_SET: list[tuple[int | str, str]] = [(302, "1"), (295, "1"), (299, "1"), *ENTRY]
DEFECTS: list[tuple[bytes, str]] = [
    (framed(GOOD, length=len(GOOD) + 1), f"tag 9: the body's {len(GOOD)} bytes wanted, got {len(GOOD) + 1}"),
    (framed(GOOD, checksum=7), "tag 10: the checksum 069 wanted, got 007"),
    (framed(GOOD)[:-1], "tag 10: a value that ends with SOH wanted"),
    (framed(b"49=M0\x01" + GOOD), "tag 35 is missing"),
    (framed(GOOD + b"58=\x01"), "tag 58: a value wanted"),
    (framed(GOOD + b"58\x01"), "begins no field tag=value"),
    (framed(GOOD + b"354=3\x01355=a\x01b\x0158=x\x01"), ""),
    (framed(GOOD + b"354=4\x01355=a\x01b\x0158=x\x01"), "tag 354: the length of tag 355 wanted, got 4"),
    (framed(GOOD + b"35=S\x01"), "tag 35: it only in the frame"),
    (framed(GOOD.replace(b"49=M0\x01", b"")), "tag 49 is missing: a name wanted"),
    (framed(GOOD.replace(b"52=", b"53=")), "tag 52 is missing: a sending time"),
    (b"", "tag 8 is missing"),
    (message("i", HEADER), "tag 296 is missing"),
    (mass([ENTRY]).replace(b"296=1", b"296=2"), "tag 10"),
    (message("i", [*HEADER, (296, "2"), *ONE_SET]), "tag 296: the number of quote sets, 1, wanted, got 2"),
    (message("i", [*HEADER, (296, "1"), (302, "1"), (295, "3"), *ONE_SET[2:]]), "tag 295: the number of entries, 1,"),
    (cancel("2", (167, "OPT")), "tag 298: 1 (contracts), 3 (underlyings), 4 (all) or 5 (one quote) wanted, got 2"),
    (cancel("3", (311, "K9")), "tag 311: a class of contracts wanted, got K9"),
    (cancel("1"), "tag 55 is missing: a contract for cancel type 1"),
]  # fmt: skip


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize(("value", "detail"), DEFECTS)
def test_a_message_that_is_none(value: bytes, detail: str) -> None:
    got = decode(value)
    if not detail:
        assert (len(got.rows), got.dead) == (1, [])
        return
    (dead,) = got.dead
    assert (dead.reason, dead.raw.value) == (BadReason.UNDECODABLE, value)
    assert detail in dead.detail
    assert len(got.rows) == 0


def test_a_party_that_is_not_there() -> None:
    codec: Any = codec_for("quotes", "fix", FixTags.of("448/66", "55"))
    (dead,) = decode(quote(own=[(453, "1"), (448, "M0"), (452, "1")]), codec=codec).dead
    assert "tag 448 is missing: one party with role 66 (tag 452) wanted" in dead.detail


def test_theos_are_not_written_so() -> None:
    with pytest.raises(MonitorError, match="codec fix is of quotes, got 'theo'"):
        codec_for("theo", "fix")
