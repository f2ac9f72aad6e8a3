"""FIX messages for the scanner: plain ones in many shapes, and others that differ from them by little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

Fields = list[tuple[int | str, str]]
HEADER: Fields = [(49, "M0"), (56, "VENUE"), (34, "7"), (52, "20250725-01:20:00.927658613")]
ENTRY: Fields = [(55, "C0"), (132, "0.0275"), (133, "0.0286"), (134, "40"), (135, "20")]
LONG = "a name of over 24 bytes = with a sign"


def message(kind: str, fields: Sequence[tuple[int | str, str]], version: str = "FIX.4.4") -> bytes:
    """A message with its frame."""
    body = "".join(f"{tag}={value}\x01" for tag, value in [(35, kind), *fields]).encode()
    head = f"8={version}\x019={len(body)}\x01".encode()
    return head + body + f"10={sum(head + body) % 256:03d}\x01".encode()


def mass(*sets: list[Fields], own: Fields | None = None) -> bytes:
    """A MassQuote of sets of entries."""
    fields: Fields = [*HEADER, *(own or []), (117, "Q1"), (296, str(len(sets)))]
    for number, entries in enumerate(sets):
        fields += [(302, str(number)), (304, "9"), (295, str(len(entries)))]
        for k, entry in enumerate(entries):
            fields += [(299, str(k)), *entry]
    return message("i", fields)


def quote(entry: Fields | None = None, own: Fields | None = None) -> bytes:
    """A single Quote."""
    return message("S", [*HEADER, *(own or []), (117, "Q1"), *(entry or ENTRY)])


names = st.sampled_from(["M0", "M1", "A7", "C0", "C1", "nobody", "far", LONG, LONG + "!", "é"])
times = st.one_of(
    st.datetimes().map(lambda t: f"{t:%Y%m%d-%H:%M:%S}".zfill(17)),
    st.sampled_from(["20240229-23:59:60", "20230229-00:00:00", "19700101-00:00:00.001", "22611231-23:59:59.999999999",
                     "22620101-00:00:00", "20250725-01:20:00.1", "20250725-01:20:00.", "20250725-24:00:00",
                     "20250725-01:60:00", "20250725-01:20:61", "20251301-01:20:00", "20250700-01:20:00", "1753405200",
                     "20250725-01:20:00.123456", "20250725-01:20:00.123456789123", "20250725 01:20:00"]),
)  # fmt: skip
numbers = st.one_of(
    st.integers(0, 200).map(str),
    st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{0,9})?", fullmatch=True),
    st.sampled_from(["0.0275", "00040", "40.0", "2147483647", "2147483648", "+1", ".5", "1e2", "-0"]),
)  # fmt: skip
KINDS = {48: names, 49: names, 52: times, 55: names, 60: times, **dict.fromkeys(
    (132, 133, 134, 135, 293, 294, 295, 296), numbers)}  # fmt: skip
others = st.sampled_from([
    (43, "Y"), (95, "4"), (354, "2"), (448, "M1"), (452, "66"), (452, "1"), (302, "x"), (299, "x"), (10, "000"),
    (5001, "custom"), (58, "text"), (35, "i"), (1, "A7"), (2351, "3"),
])  # fmt: skip


@st.composite
def records(draw: Any) -> bytes:
    """A good message with a few fields changed, added, moved or lost; or its bytes damaged."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))
    single = draw(st.booleans())
    own: Fields = [(453, "1"), (448, "M1"), (447, "D"), (452, "66"), (293, "5")]
    good = quote(own=own) if single else mass(*([ENTRY] * n for n in sizes), own=own)
    fields = [tuple(f.split("=", 1)) for f in good.decode().split("\x01")[3:-2]]
    pairs: Fields = [(int(tag), value) for tag, value in fields]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(pairs) - 1))
        change = draw(st.integers(0, 5))
        if change == 0:
            pairs.pop(at)
        elif change == 1:
            pairs.insert(at, draw(others))
        elif change == 2:
            pairs.insert(at, draw(st.sampled_from(sorted(KINDS)).flatmap(
                lambda tag: st.tuples(st.just(tag), KINDS[tag]))))  # fmt: skip
        elif pairs[at][0] in KINDS:
            pairs[at] = (pairs[at][0], draw(KINDS[int(pairs[at][0])]))
        if not pairs:
            break
    data = bytearray(message("S" if single else "i", pairs))
    damage = draw(st.integers(0, 9))
    if damage == 0:
        return bytes(data[: draw(st.integers(0, len(data)))])
    if damage == 1:
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)
