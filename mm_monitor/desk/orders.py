"""What a person may order, checked and put into control records: plain functions, for the command line and a page.

Whoever orders says who it is and why. What reaches back in time changes what has been judged, so a second person must
have agreed to it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from mm_monitor.core.reference import ALL
from mm_monitor.errors import InputError

NS = 1_000_000_000
SOON = 2 * NS  # until what begins now begins: it must be on the tape before its time has passed
AT_ONCE = 60 * NS  # an order may take so long to be typed and sent without reaching back
LONGEST_TEXT = 2000
Record = dict[str, Any]  # as json in the control topic


@dataclass(frozen=True, slots=True)
class Order:
    """An interval [start, end) in ns of event time, of a maker (`*` = all) in a scope, and who wants it."""

    start: int
    end: int
    author: str
    reason: str
    scope: str = ALL
    maker: str = ALL
    approver: str = ""


def exemption(order: Order, kind: str, kinds: Collection[str], now: int) -> list[Record]:
    """Start and end of an exemption of `kind`, one of the rulebooks' `kinds`; `now` in ns. InputError if refused."""
    if kind not in kinds:
        known = ", ".join(sorted(kinds)) or "none"
        raise InputError(f"kind: one of the rulebooks' ({known})", value=kind)
    _check(order, now)
    return _records(order, {"record": "exemption", "kind": kind}, "action", ("start", "end"))


def maintenance(order: Order, now: int, *, what: str = "maintenance") -> list[Record]:
    """Down and up of a feed: its time is unknown, for nobody and against nobody. InputError if refused.

    After its end a slot stays unknown until its next quote, as after every feed that was down.
    """
    _check(order, now)
    return _records(order, {"record": "feed", "why": what}, "status", ("down", "up"))


def person(name: str) -> str:
    """Letters and digits of a name: the same in capitals, wide, with blanks, dots or signs that nobody sees."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in unicodedata.normalize("NFKC", folded) if char.isalnum())


def _check(order: Order, now: int) -> None:
    for name in ("author", "reason", "scope", "maker"):
        text = getattr(order, name)
        if not text.strip() or len(text) > LONGEST_TEXT:
            raise InputError(f"{name}: text of 1 to {LONGEST_TEXT} characters", value=text)
    for name in ("author", "approver"):
        text = getattr(order, name)
        if len(text) > LONGEST_TEXT or (text and not person(text)):
            raise InputError(f"{name}: a name of at most {LONGEST_TEXT} characters", value=text)
    if not 0 <= order.start < order.end < 2**63:
        raise InputError("an end after its start", value=(order.start, order.end))
    if order.start >= now - AT_ONCE:
        return
    if not order.approver:
        raise InputError("approver: a second person, for what reaches back in time", value="")
    if person(order.approver) == person(order.author):
        raise InputError("approver: another person than the author", value=order.approver)


def _records(order: Order, base: Record, key: str, edges: tuple[str, str]) -> list[Record]:
    said = {"author": order.author, "reason": order.reason, "approver": order.approver}
    about = {**base, "scope": order.scope, "maker": order.maker, "expires": order.end, "planned": "yes",
             **{name: text for name, text in said.items() if text}}  # fmt: skip
    times = zip((order.start, order.end), edges, strict=True)
    return [{**about, "ts_event": ts, key: edge} for ts, edge in times]
