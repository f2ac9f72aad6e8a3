"""Trouble around the service: hanging clients, full disks, changing topics, floods; it goes on and says so."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from mm_monitor.recording.day import read_day
from tests.integration.inside import applied, inside, past, slots
from tests.integration.service import until
from tests.integration.subject import Subject, answered, total
from tests.integration.venue import CONTRACTS, MAKERS, SECOND, Quoting, Venue, quote, rulebook
from tests.services.kafka import Kafka
from tests.services.process import free_port

RULES = '[spread]\nterms = [{ absolute = "0.02" }]\n[presence]\nrequired = "90%"\n'


@pytest.fixture
def venue(kafka: Kafka, tmp_path: Path) -> Venue:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    return venue


async def test_a_full_disk_stops_neither_the_tape_nor_the_end(venue: Venue) -> None:
    folder = venue.folder / "journal"
    folder.mkdir()
    for day in (0, 1):
        name = datetime.fromtimestamp(time.time() + day * 86_400, UTC).date().isoformat()
        (folder / f"journal-{name}.jsonl").symlink_to("/dev/full")
    (venue.folder / "dead.jsonl").symlink_to("/dev/full")
    async with venue.open(), Subject(venue.folder, venue.config()) as subject:
        await venue.send(venue.quotes_topic, b"junk")
        async with Quoting(venue) as quoting:
            await asyncio.sleep(2)
        sent = 6 * len(quoting.sent)

        await answered(lambda: has_read(subject, sent))
        text = await subject.text()
        for sink in ("journal", "dead_letter_file"):
            assert total(text, "mm_monitor_sink_failures_total", sink=sink) > 0, sink
        assert len(await venue.read(venue.dead_topic)) == 1
        assert len(subject.logs) < 40
        subject.signal(signal.SIGTERM)
        assert await subject.wait() == 0
        assert "Traceback" not in subject.stderr


async def test_clients_that_hang_hold_nothing_up(venue: Venue) -> None:
    # A hundred scrapes at once hold the loop for a while on a busy machine: no partition is idle for that.
    text = venue.config(tape={"idle_after": "3s"})
    async with venue.open(), Subject(venue.folder, text) as subject:
        port = int(subject.url.rstrip("/").rpartition(":")[2])
        stuck = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
        for i, client in enumerate(stuck):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.sendall(
                (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50) if i % 2 else b"GET /met"
            )
        async with Quoting(venue) as quoting:
            await asyncio.sleep(1)
            status, _ = await subject.get("healthz")
            assert status == 200
        await answered(lambda: has_read(subject, 6 * len(quoting.sent)))
        subject.signal(signal.SIGTERM)
        assert await subject.wait() == 0
        for client in stuck:
            client.close()


class Hanging:
    """A port that takes connections and never answers."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", free_port()))
        self._socket.listen()
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Hanging:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_while_a_broker_hangs(venue: Venue, number: signal.Signals) -> None:
    with Hanging() as broker:
        text = venue.config(kafka={"bootstrap": broker.address})
        async with Subject(venue.folder, text) as subject:
            await asyncio.sleep(0.5)
            status, body = await subject.get("readyz")
            assert (status, body["status"]) == (503, "not ready")
            subject.signal(number)
            assert await subject.wait() == 0
            assert "Traceback" not in subject.stderr


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_it_ends_well_while_its_broker_is_dead_or_hangs(
    venue: Venue, fault: signal.Signals
) -> None:
    mqtt, alertmanager = {"host": "127.0.0.1", "port": 1}, {"urls": ["http://127.0.0.1:1"]}
    text = venue.config(mqtt=mqtt, alertmanager=alertmanager)
    async with venue.open(), Subject(venue.folder, text) as subject:
        await venue.quotes()
        await answered(lambda: has_read(subject, 6))
        signal_to(venue.kafka, fault)
        await asyncio.sleep(1)
        subject.signal(signal.SIGTERM)
        try:
            assert await subject.wait(30) == 0
        finally:
            signal_to(venue.kafka, signal.SIGCONT)
            await asyncio.to_thread(venue.kafka.start)
        assert "Traceback" not in subject.stderr


def signal_to(service: Kafka, number: signal.Signals) -> None:
    """To a process that may be gone."""
    process = service._process
    if process is not None and process.poll() is None:
        process.send_signal(number)


async def has_read(subject: Subject, quotes: int) -> bool:
    """Has it applied so many?"""
    return await subject.metric("mm_monitor_records_total", kind="quote") == quotes


@pytest.mark.criterion("TAPE-03")
async def test_a_flood_of_late_records_is_journalled_and_holds_nothing_up(venue: Venue) -> None:
    async with venue.open(), inside(venue) as app:
        now = await venue.quotes()
        await past(app, now + 1)
        old = [quote(now - 3600 * SECOND + i, bid="0.5000") for i in range(5_000)]
        for _ in range(4):
            await venue.send(venue.quotes_topic, old)
        await until(lambda: app.stats.late == 20_000)
        assert {row["state"] for row in slots(app).values()} == {"quoted"}
        last = await venue.quotes()
        await past(app, last + 1)
    late = [entry for entry in venue.journal() if entry["entry"] == "late"]
    assert sum(entry["records"] for entry in late) == 20_000
    assert len(late) < 100
    (tape,) = (venue.folder / "journal").glob("*.tape")
    assert len(read_day(tape).late.rows) == 20_000


async def test_partitions_that_are_added_are_read_too(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mm_monitor.sources.kafka_client.METADATA_MAX_AGE_MS", 500)
    async with venue.open(), Quoting(venue) as quoting, inside(venue) as app:
        admin = AdminClient({"bootstrap.servers": venue.kafka.bootstrap})
        added = admin.create_partitions([NewPartitions(venue.quotes_topic, 3)])
        await asyncio.to_thread(added[venue.quotes_topic].result)
        other = AIOKafkaProducer(bootstrap_servers=venue.kafka.bootstrap)
        await answered(lambda: has_partitions(other, venue.quotes_topic, 3))
        await until(lambda: (venue.quotes_topic, 2) in app.source.positions)
        quoting.silent = {"M2"}
        await asyncio.sleep(0.3)
        value = quote(time.time_ns(), "M2", "C0", bid=None, ask=None)
        await other.send_and_wait(venue.quotes_topic, json.dumps(value).encode(), partition=2)
        await until(lambda: slots(app)["M2", "C0"]["state"] == "lapsed:absent", 8)
        await asyncio.sleep(0.3)
        await other.stop()
    quotes = 0
    for partition in range(3):
        records = await venue.read(venue.quotes_topic, partition)
        quotes += sum(len(r) if isinstance(r, list) else 1 for r in records)
    assert app.stats.duplicates == app.stats.late == 0
    assert 0 <= quotes - app.stats.records["quote"] <= 12  # the last rounds wait for the watermark


async def has_partitions(producer: AIOKafkaProducer, topic: str, count: int) -> bool:
    """Does the cluster show so many?"""
    await producer.stop()
    await producer.start()
    return len(await producer.partitions_for(topic)) == count


async def test_a_topic_that_is_deleted_and_made_anew_costs_known_time_only(venue: Venue) -> None:
    async with venue.open(), inside(venue) as app:
        await applied(app, await said(venue))
        admin = AdminClient({"bootstrap.servers": venue.kafka.bootstrap, "log_level": 0})
        gone = admin.delete_topics([venue.quotes_topic])[venue.quotes_topic]
        await asyncio.to_thread(gone.result)
        await until(lambda: "a partition has no leader" in app.is_ready()[1], 15)
        await until(lambda: app.source.scopes_down == {"K0", "K1"})
        await asyncio.to_thread(venue.kafka.create_topic, venue.quotes_topic, 2)
        # Were it filled to where we were before we look again, no client could tell it from the old one.
        places = [(venue.quotes_topic, n) for n in range(2)]
        await until(lambda: all(app.source.positions[place] == 0 for place in places), 30)
        await applied(app, 6 + await said(venue), 30)
        await until(lambda: app.is_ready()[1] == "ready")
        await until(lambda: {row["state"] for row in slots(app).values()} == {"quoted"})


async def said(venue: Venue) -> int:
    """All makers quote both contracts; returns how many quotes that is."""
    await venue.quotes()
    return len(MAKERS) * len(CONTRACTS)
