"""What operations write over HTTP: checked, carried out once, and by nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.desk.live import Desk
from mm_monitor.desk.orders import SOON, Record
from mm_monitor.errors import MonitorError
from mm_monitor.evidence.inbox import post
from mm_monitor.web.access import new_token
from mm_monitor.web.pages import WebSources
from mm_monitor.web.server import WebConfig, WebServer

NOW = 1_756_700_000_000_000_000
MINUTE = 60_000_000_000
BREACH = "0123456789abcdef0123456789abcdef"
REFERENCE = Reference.of([Contract("C0", "K0", tick=1)], [Appointment("M0", "K0")])
EXEMPTION = {"kind": "technical", "end": str(NOW + 30 * MINUTE), "author": "Li", "reason": "line"}


class Service:
    """A server whose desk has an evidence log with one breach; `sent`: what went to the control topic."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sent, self.away = folder, list[Record](), False
        self.tokens = {maker: new_token(maker) for maker in ("", "M0")}
        (folder / "tokens").write_text("\n".join(line for _, line in self.tokens.values()))
        post(folder / "logs", {"entry": "breach", "maker": "M0", "breach": {"id": BREACH}})
        desk = Desk({"technical"}, "UTC", folder / "logs", self.send, lambda: NOW, REFERENCE)
        self.sources = WebSources(
            lambda: (), lambda: (), lambda: (True, ""), lambda maker: iter([b""]), orders=desk
        )

    async def send(self, records: Sequence[Record]) -> None:
        """To the control topic, if the brokers answer."""
        if self.away:
            raise MonitorError("Kafka at nowhere: 2 records were not confirmed")
        self.sent += records

    def headers(self, maker: str = "") -> dict[str, str]:
        """Of a request with that token."""
        return {"Authorization": f"Bearer {self.tokens[maker][0]}"}


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


@pytest.fixture
async def client(service: Service) -> AsyncIterator[aiohttp.ClientSession]:
    config = WebConfig(port=0, tokens_file=str(service.folder / "tokens"))
    server = WebServer(config, service.sources)
    await server.start()
    async with aiohttp.ClientSession(server.url, headers=service.headers()) as session:
        yield session
    await server.stop()


async def posted(client: aiohttp.ClientSession, what: str, body: Any, **more: Any) -> Any:
    """Status and answer of an order."""
    async with client.post(f"api/v1/{what}", json=body, **more) as answer:
        return answer.status, await answer.json()


async def test_a_breach_that_was_seen_is_in_the_log_with_who_and_what(
    client: aiohttp.ClientSession,
) -> None:
    body = {"breach": BREACH, "author": "Li", "note": "called them"}
    status, entry = await posted(client, "acknowledgements", body)
    assert (status, entry["maker"], entry["at"]) == (201, "M0", NOW)
    async with client.get(f"api/v1/orders?breach={BREACH}") as answer:
        known = await answer.json()
    assert known["kinds"] == ["technical"]
    assert [(one["author"], one["note"]) for one in known["acknowledgements"]] == [
        ("Li", "called them")
    ]


async def test_an_exemption_is_two_control_records(
    client: aiohttp.ClientSession, service: Service
) -> None:
    status, told = await posted(client, "exemptions", {**EXEMPTION, "maker": "M0"})
    assert (status, told["records"]) == (201, service.sent)
    assert [(r["action"], r["ts_event"], r["maker"]) for r in service.sent] == [
        ("start", NOW + SOON, "M0"), ("end", NOW + 30 * MINUTE, "M0"),
    ]  # fmt: skip


async def test_planned_maintenance_is_a_feed_that_goes_down_and_comes_up(
    client: aiohttp.ClientSession, service: Service
) -> None:
    body = {name: EXEMPTION[name] for name in ("end", "author", "reason")}
    status, told = await posted(client, "maintenance", {**body, "scope": "K0"})
    assert (status, told["records"]) == (201, service.sent)
    assert [(r["record"], r["status"], r["scope"]) for r in service.sent] == [
        ("feed", "down", "K0"), ("feed", "up", "K0"),
    ]  # fmt: skip


BACK = {**EXEMPTION, "start": str(NOW - 10 * MINUTE)}
REFUSED = {
    "a kind that no rulebook has": ({**EXEMPTION, "kind": "holiday"}, "technical"),
    "an end before now": ({**EXEMPTION, "end": str(NOW - MINUTE)}, "an end after its start"),
    "an end that is no instant": ({**EXEMPTION, "end": "soon"}, "soon"),
    "nobody who orders": ({**EXEMPTION, "author": " "}, "author"),
    "no reason": ({key: EXEMPTION[key] for key in ("kind", "end", "author")}, "reason"),
    "reaching back without a second person": (BACK, "a second person"),
    "approved by oneself": ({**BACK, "approver": "LI"}, "another person"),
    "an end of too many digits": ({**EXEMPTION, "end": "9" * 5000}, "ns since the epoch"),
    "an end below nothing": ({**EXEMPTION, "end": "--5"}, "ns since the epoch"),
    "a member that there is not": ({**EXEMPTION, "markers": "M0"}, "markers"),
    "a number for a name": ({**EXEMPTION, "maker": 7}, "maker"),
    "no object": ([], "object"),
    "a maker that there is not": ({**EXEMPTION, "maker": "m0"}, "maker: one of the reference"),
    "a class with a blank": ({**EXEMPTION, "scope": "K0 "}, "scope: a class or a contract"),
    "a name longer than any": ({**BACK, "approver": "x" * 9000}, "approver: a name of"),
    "somebody whom nobody sees": ({**EXEMPTION, "author": "\u200b"}, "author: a name of"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_wrong_is_named_and_nothing_is_written(
    client: aiohttp.ClientSession, service: Service, what: str
) -> None:
    body, named = REFUSED[what]
    status, told = await posted(client, "exemptions", body)
    assert status == 400
    assert named in told["error"]
    assert service.sent == []


@pytest.mark.parametrize("breach", ["f" * 32, "no id", ""])
async def test_a_breach_that_the_log_has_not_cannot_be_acknowledged(
    client: aiohttp.ClientSession, breach: str
) -> None:
    status, told = await posted(client, "acknowledgements", {"breach": breach, "author": "Li"})
    assert status == 400
    assert "breach" in told["error"]


async def test_bytes_that_are_no_text_are_refused(client: aiohttp.ClientSession) -> None:
    kind = {"Content-Type": "application/json"}
    async with client.post("api/v1/exemptions", data=b'{"kind":"\xff"}', headers=kind) as answer:
        assert (answer.status, set(await answer.json())) == (400, {"error"})


async def test_many_at_once_who_say_the_same_are_all_heard(client: aiohttp.ClientSession) -> None:
    body = {"breach": BREACH, "author": "Li"}
    told = await asyncio.gather(*(posted(client, "acknowledgements", body) for _ in range(50)))
    assert {status for status, _ in told} == {201}
    async with client.get(f"api/v1/orders?breach={BREACH}") as answer:
        assert len((await answer.json())["acknowledgements"]) == 1


async def test_a_damaged_log_is_named_with_the_line(
    client: aiohttp.ClientSession, service: Service
) -> None:
    (service.folder / "logs" / "evidence-2026-01-01.log").write_bytes(b"garbage\n")
    status, told = await posted(client, "acknowledgements", {"breach": BREACH, "author": "Li"})
    assert (status, "evidence-2026-01-01.log" in told["error"]) == (400, True)
    async with client.get(f"api/v1/orders?breach={BREACH}") as answer:
        assert (answer.status, set(await answer.json())) == (400, {"error"})


async def test_brokers_that_do_not_answer_are_said_to(
    client: aiohttp.ClientSession, service: Service
) -> None:
    service.away = True
    status, told = await posted(client, "exemptions", EXEMPTION)
    assert (status, "not confirmed" in told["error"]) == (503, True)


async def test_a_makers_token_orders_nothing(
    client: aiohttp.ClientSession, service: Service
) -> None:
    mine = service.headers("M0")
    acknowledged = {"breach": BREACH, "author": "M0"}
    maintenance = {name: EXEMPTION[name] for name in ("end", "author", "reason")}
    for what, body in (
        ("exemptions", EXEMPTION),
        ("maintenance", maintenance),
        ("acknowledgements", acknowledged),
    ):
        assert (await posted(client, what, body, headers=mine))[0] == 403
    async with client.get("api/v1/orders", headers=mine) as answer:
        assert answer.status == 403
    assert service.sent == []


async def test_a_form_of_another_site_orders_nothing(
    client: aiohttp.ClientSession, service: Service
) -> None:
    text = json.dumps(EXEMPTION)
    for headers, status in (
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "application/json", "Origin": "https://elsewhere.example"}, 403),
    ):
        async with client.post("api/v1/exemptions", data=text, headers=headers) as answer:
            assert answer.status == status
    assert service.sent == []


async def test_where_nobody_has_a_token_nobody_orders(service: Service) -> None:
    server = WebServer(WebConfig(port=0), service.sources)
    await server.start()
    async with aiohttp.ClientSession(server.url) as session:
        status, told = await posted(session, "exemptions", EXEMPTION)
    await server.stop()
    assert (status, "http.tokens_file" in told["error"], service.sent) == (403, True, [])
