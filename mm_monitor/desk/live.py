"""Carries out for the running service what a person orders on its board: the same orders as the command line's.

An exemption goes through the control topic like any other, so a replay has it too; that a breach was seen goes into the
evidence log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path

from mm_monitor.core.reference import ALL, Reference
from mm_monitor.desk.acknowledged import acknowledge, acknowledgements
from mm_monitor.desk.orders import SOON, Order, Record, exemption, maintenance
from mm_monitor.errors import InputError
from mm_monitor.studies.timeline_text import instant


class Desk:
    """`evidence`: directory of the log, None without one; `zone`: of instants without an offset.

    `send` writes control records, MonitorError if it can't; `now`: our clock, ns; `reference`: whom and what there is.
    """

    def __init__(
        self, kinds: Collection[str], zone: str, evidence: Path | None,
        send: Callable[[Sequence[Record]], Awaitable[None]], now: Callable[[], int],
        reference: Reference,
    ) -> None:  # fmt: skip
        self.kinds, self._zone = sorted(kinds), zone
        self._evidence, self._send, self._now = evidence, send, now
        self._reference = reference

    async def acknowledge(self, breach: str, author: str, note: str) -> Record:
        """Say that `author` has seen a breach; its entry. InputError unless there is a log and the breach is in it."""
        if self._evidence is None:
            raise InputError("evidence.directory: a log to write into", value="")
        return await asyncio.to_thread(
            acknowledge, self._evidence, breach, author, note, self._now()
        )

    async def acknowledged(self, breach: str) -> list[Record]:
        """Who has said so of it, in their order."""
        if self._evidence is None:
            return []
        return (await asyncio.to_thread(acknowledgements, self._evidence)).get(breach, [])

    async def exempt(self, kind: str, **asked: str) -> list[Record]:
        """Order an exemption, by the fields of `Order`; no `start`: soon. Its records. InputError if refused."""
        now = self._now()
        return await self._ordered(exemption(self._order(now, **asked), kind, self.kinds, now))

    async def maintain(self, **asked: str) -> list[Record]:
        """Declare planned maintenance, in the same way."""
        now = self._now()
        return await self._ordered(maintenance(self._order(now, **asked), now))

    def _order(self, now: int, *, start: str, end: str, **asked: str) -> Order:
        begins = instant(start, self._zone) if start else now + SOON
        order = Order(begins, instant(end, self._zone), **asked)
        # A slip of the pen would be written, confirmed, and mean nothing to the tape.
        if order.maker not in (ALL, *self._reference.makers):
            raise InputError("maker: one of the reference data, or *", value=order.maker)
        if not self._reference.knows_scope(order.scope):
            raise InputError(
                "scope: a class or a contract of the reference data, or *", value=order.scope
            )
        return order

    async def _ordered(self, records: list[Record]) -> list[Record]:
        await self._send(records)
        return records
