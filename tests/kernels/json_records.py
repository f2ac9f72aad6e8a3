"""Json records for the scanner: plain ones in every shape, and others that differ from them by little."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

NAMES = [
    "M0",
    "M1",
    "A7",
    "C0",
    "C1",
    "nobody",
    "exactly8",
    "nineteen characters",
    "an option, 16 by",
]
LONG = "a name of over 24 bytes, {with} [brackets], and: more"
spaces = st.sampled_from(["", "", "", " ", "\n\t ", "\r\n"])
names = st.sampled_from([*NAMES, LONG, LONG + "!", "", "é", "a\\u0041", 'q\\"', "tab\t", "\x7f"])
integers = st.one_of(
    st.integers(0, 200).map(str),
    st.sampled_from(["0", "1753405200927658613", "9223372036854775807", "9223372036854775808", "2147483647",
                     "2147483648", "12345678", "1234567812345678", "00", "01", "-0", "-1", "1.0", "1e3", "null", '"5"',
                     "99999999999999999999", "18446744073709551616", ""]),
)  # fmt: skip
digits = st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", fullmatch=True)
prices = st.one_of(
    st.sampled_from(["0.0275", "12.5", "1", "0.0001", "100", "12345678.5", "123456789.12345678"]),
    digits,
    st.sampled_from(["", ".5", "5.", "+1", "1e2", "92000000000", "92000000000.00000001", "-0", "0.02750000",
                     "0.027500000", "abc", "0x1", "1 ", "00.5", "1.2.3", "-", "1,5"]),
)  # fmt: skip
decimals = st.one_of(
    prices.map(lambda text: f'"{text}"'),
    prices,
    st.sampled_from(["null", "nul", "true", "{}", "[1]"]),
)
QUOTE = {
    "ts_event": integers, "maker": names.map(lambda n: f'"{n}"'), "contract": names.map(lambda n: f'"{n}"'),
    "bid_price": decimals, "bid_size": integers, "ask_price": decimals, "ask_size": integers,
}  # fmt: skip
THEO = {"ts_event": integers, "contract": QUOTE["contract"], "theo": decimals}
GOOD_QUOTE = {
    "ts_event": "1753405200927658613", "maker": '"M0"', "contract": '"C0"',
    "bid_price": '"0.0275"', "bid_size": "40", "ask_price": '"0.0286"', "ask_size": "20",
}  # fmt: skip
GOOD_THEO = {"ts_event": "5", "contract": '"C1"', "theo": '"0.0281"'}


@st.composite
def objects(draw: Any, quotes: bool) -> str:
    """A good object with a few members changed, moved, lost, repeated or added."""
    good, kinds = (GOOD_QUOTE, QUOTE) if quotes else (GOOD_THEO, THEO)
    members = dict(good)
    for name in draw(st.lists(st.sampled_from(list(kinds)), max_size=3, unique=True)):
        members[name] = draw(kinds[name])
    if not quotes and draw(st.booleans()):
        members["delta"] = draw(decimals)
    pairs = draw(st.permutations(list(members.items())))
    change = draw(st.integers(0, 12))
    if change == 0:
        pairs = [*pairs, draw(st.sampled_from([*pairs, ("seq", "1"), ("source", '"fit"')]))]
    elif change == 1:
        pairs = pairs[1:]
    gap = draw(spaces)
    inner = f"{gap},{gap}".join(f'{gap}"{name}"{gap}:{gap}{value}{gap}' for name, value in pairs)
    return "{" + inner + "}"


@st.composite
def records(draw: Any, quotes: bool) -> bytes:
    """One object, an array, or bytes that were one: cut short, or with a byte changed."""
    elements = draw(st.lists(objects(quotes), min_size=1, max_size=3))
    gap = draw(spaces)
    one = len(elements) == 1 and draw(st.booleans())
    text = gap + (elements[0] if one else f"[{gap}{f',{gap}'.join(elements)}]") + gap
    data = bytearray(text.encode())
    change = draw(st.integers(0, 9))
    if change == 0:
        return bytes(data[: draw(st.integers(0, len(data)))])
    if change == 1:
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    if change == 2:
        data += draw(st.sampled_from([b"x", b"\0", b"]", b"{}"]))
    return bytes(data)


def plain(quotes: bool = True, **changes: Any) -> bytes:
    """A plain record as `json.dumps` writes it."""
    members = {k: json.loads(v) for k, v in (GOOD_QUOTE if quotes else GOOD_THEO).items()}
    return json.dumps(members | changes).encode()
