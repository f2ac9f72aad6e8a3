"""What a code of the decode kernel means to a person, and which rows of a chunk go on the tape.

A bad quote whose time, maker and contract are known goes on as a row flagged QUOTE_BAD: the quote
changed, not known to what (TAPE-04). Any other bad row is dropped; both are dead letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mm_monitor.codecs.fields import price_text
from mm_monitor.core.batch import QUOTE_BAD, Rows
from mm_monitor.core.model import MAX_PRICE, MAX_SIZE, BadReason, DeadLetter, RawRecord
from mm_monitor.core.reference import Reference
from mm_monitor.kernels.reference_decode import Code

Codes = NDArray[np.uint8]
NULL = -(2**63)  # no price
_MOST = price_text(MAX_PRICE)

_SIDE_REASONS = (
    BadReason.BAD_SIZE,
    BadReason.BAD_PRICE,
    BadReason.OFF_TICK,
    BadReason.SIZE_WITHOUT_PRICE,
    BadReason.NON_POSITIVE_PRICE,
)
_REASONS = {
    Code.BAD_TIME: BadReason.BAD_TIME,
    Code.UNKNOWN_CONTRACT: BadReason.UNKNOWN_CONTRACT,
    Code.UNKNOWN_MAKER: BadReason.UNKNOWN_MAKER,
    Code.BAD_THEO: BadReason.BAD_THEO,
    Code.BAD_DELTA: BadReason.BAD_THEO,
    Code.UNDECODABLE: BadReason.UNDECODABLE,
    **{Code(Code.BID_SIZE + i): reason for i, reason in enumerate(_SIDE_REASONS)},
    **{Code(Code.ASK_SIZE + i): reason for i, reason in enumerate(_SIDE_REASONS)},
}
_DETAILS = {
    Code.BAD_TIME: "ts_event is not an integer from 0 to 2^63-1, got {ts_event}",
    Code.UNKNOWN_CONTRACT: "contract is not listed, got {contract}",
    Code.UNKNOWN_MAKER: "maker is nobody's number, got {maker}",
    Code.BAD_THEO: f"theo is not a plain decimal from 0 to {_MOST}, got {{theo}}",
    Code.BAD_DELTA: f"delta is not a plain decimal within +/-{_MOST}, got {{delta}}",
}
_SIDE_DETAILS = (
    f"{{side}}_size is not an integer from 0 to {MAX_SIZE}, got {{size}}",
    f"{{side}}_price is not a plain decimal with at most 8 decimals within +/-{_MOST},"
    " got {price}",
    "{side}_price is not a multiple of the tick {tick}, got {price}",
    "{side}_size is {size} without a {side}_price",
    "{side}_price is not positive though {side}_size is {size}, got {price}",
)
_SHOWN = 80


def reason_of(code: int) -> BadReason:
    """The dead-letter reason of a code that is not OK."""
    return _REASONS[Code(code)]


def detail_of(code: int, fields: Mapping[str, str], tick: int) -> str:
    """A sentence with the value: `fields` as text by column name, `tick` in 10^-8."""
    shown = {name: cut(text) for name, text in fields.items()}
    if code in _DETAILS:
        return _DETAILS[Code(code)].format_map(shown)
    side = "bid" if code < Code.ASK_SIZE else "ask"
    return _SIDE_DETAILS[code % 8].format(
        side=side, size=shown[f"{side}_size"], price=shown[f"{side}_price"], tick=price_text(tick)
    )


def cut(text: str) -> str:
    """Text of a message's length."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def usable_quotes(rows: Rows, codes: Codes) -> Rows:
    """Good rows, and bad ones that still say whose quote changed and when."""
    known = (rows["ts"] >= 0) & (rows["contract"] >= 0) & (rows["maker"] >= 0)
    kept: Rows = rows[(codes == Code.OK) | known]
    return kept


def usable_theos(rows: Rows, codes: Codes) -> Rows:
    """Good rows alone: a bad theo changes nothing."""
    kept: Rows = rows[codes == Code.OK]
    return kept


def dead_letter(
    raw: RawRecord, value: bytes, reason: BadReason, detail: str, maker: str = ""
) -> DeadLetter:
    """A dead letter with the bytes of the bad element alone, at its record's address.

    A record of 65 000 bad rows must not become 65 000 copies of the record.
    """
    return DeadLetter(
        raw if value is raw.value else replace(raw, value=value), reason, detail, maker
    )


def known_maker(reference: Reference, index: int) -> str:
    """Name of a maker index, "" for nobody we know.

    A dead letter's maker becomes a metric label, which must not be anybody's invention.
    """
    return reference.makers[index] if index >= 0 else ""


def tick_of(reference: Reference, contract: int, ts: int) -> int:
    """Tick of a contract index at an instant, 0 where there is none."""
    return reference.tick_at(contract, ts) if 0 <= contract < len(reference.contracts) else 0


def ticks_of(reference: Reference) -> NDArray[np.int64]:
    """Ticks by contract for the kernels; 0, which leaves the prices alone, where `check_adjusted` has to look."""
    ticks = np.array([contract.tick for contract in reference.contracts], np.int64)
    ticks[list(reference.adjusted)] = 0
    return ticks


def check_adjusted(rows: Rows, codes: Codes, reference: Reference) -> int:
    """Off-tick quotes on contracts whose tick changes during the day, by the tick of the quote's own instant.

    Sets `codes` of good rows that turn out bad, and settles all of them as the kernels settle others; returns how
    many are bad.
    """
    bad = 0
    for index, steps in reference.adjusted.items():
        which = np.flatnonzero((rows["contract"] == index) & (codes == Code.OK))
        since = np.array([ts for ts, _ in steps], np.int64)
        place = np.maximum(np.searchsorted(since, rows["ts"][which], side="right") - 1, 0)
        ticks = np.array([tick for _, tick in steps], np.int64)[place]
        for column, code in (("b", Code.ASK_OFF_TICK), ("a", Code.BID_OFF_TICK)):
            # the bid's reason wins: it is set last
            price = rows[column][which]
            codes[which[(price != NULL) & (price % ticks != 0)]] = code
        off = which[codes[which] != Code.OK]
        rows["flags"][off] |= QUOTE_BAD
        bad += len(off)
        for side, size in (("a", "a_size"), ("b", "b_size")):
            rows[size][off] = 0
            rows[side][which[rows[size][which] == 0]] = 0
    return bad
