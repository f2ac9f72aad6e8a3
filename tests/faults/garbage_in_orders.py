"""Garbage for the desk: what operations write over HTTP, with a token that may, as the body of each kind of order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.desk.live import Desk
from mm_monitor.desk.orders import Record
from mm_monitor.evidence.inbox import post
from mm_monitor.web.access import new_token
from mm_monitor.web.server import WebConfig, WebSources
from tests.faults.garbage_in_files import folder as folder_of_files
from tests.faults.garbage_in_http import Door

NOW = 1_756_700_000_000_000_000
BREACH = "0123456789abcdef0123456789abcdef"
KINDS = ("acknowledgements", "exemptions", "maintenance")
SPAN = {"end": str(NOW + 30 * 60 * 10**9), "author": "Li", "reason": "line"}
BODIES = (
    {"breach": BREACH, "author": "Li", "note": "called"},
    {"kind": "technical", "scope": "K0", "maker": "M0", **SPAN},
    {"start": str(NOW + 10**10), "approver": "Wu", **SPAN},
)


class OrderDoor(Door):
    """A server with a desk; what it would write to Kafka is let go."""

    def __init__(self) -> None:
        folder = folder_of_files() / "orders"
        folder.mkdir()
        self._token, line = new_token()
        (folder / "tokens").write_text(line, encoding="utf-8")
        post(folder, {"entry": "breach", "maker": "M0", "breach": {"id": BREACH}})
        reference = Reference.of([Contract("C0", "K0", tick=1)], [Appointment("M0", "K0")])
        desk = Desk({"technical"}, "UTC", folder, self._send, lambda: NOW, reference)
        sources = WebSources(
            lambda: (), lambda: (), lambda: (True, ""), lambda maker: iter([b""]), orders=desk
        )
        super().__init__(WebConfig("127.0.0.1", 0, str(folder / "tokens")), sources)

    async def _send(self, records: Sequence[Record]) -> None:
        for record in records:
            json.dumps(record).encode()

    def order(self, data: bytes) -> None:
        """Whatever is answered, it is not that something has gone wrong with us."""
        for kind in KINDS:
            head = f"POST /api/v1/{kind} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            head += f"Authorization: Bearer {self._token}\r\nContent-Length: {len(data)}\r\n"
            answer = self.ask(f"{head}Connection: close\r\n\r\n".encode() + data, whole=True)
            assert answer.startswith((b"HTTP/1.1 201 ", b"HTTP/1.1 400 ")), answer[:500]


@cache
def door() -> OrderDoor:
    """The one of this process."""
    return OrderDoor()


def samples() -> list[bytes]:
    """Bodies that are taken."""
    return [json.dumps(body).encode() for body in BODIES]
