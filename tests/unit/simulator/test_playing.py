"""Sessions through a Kafka-protocol broker in a process of its own, read back with a real client."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from mm_monitor.errors import MonitorError
from mm_monitor.simulator import Disorder, Scenario, Session, random_session, szse_day
from mm_monitor.simulator.bad import bad_records
from mm_monitor.simulator.broker import EmbeddedBroker
from mm_monitor.simulator.commands import DayOptions, KafkaOptions, simulate_to_kafka
from mm_monitor.simulator.pacing import Backlog, Clock, Room
from mm_monitor.simulator.producer import Sending, produce
from mm_monitor.simulator.rows import QUOTE, Rows

FAST = Sending(speed=None)


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    async with EmbeddedBroker() as running:
        yield running


class Reader:
    """Reads every partition of a topic by assignment and notes gaps."""

    def __init__(self, broker: EmbeddedBroker, topic: str, group: str | None = None) -> None:
        self.topic, self.values, self.keys = topic, list[bytes](), list[bytes]()
        self.positions: dict[tuple[str, int], int] = {}
        self.gaps = 0
        self._group = group
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=broker.bootstrap,
            fetch_max_wait_ms=20,
            enable_auto_commit=False,
            group_id=group,
        )

    async def start(self, partitions: int = 4) -> None:
        await self._consumer.start()
        places = [TopicPartition(self.topic, i) for i in range(partitions)]
        self._consumer.assign(places)
        await self._consumer.seek_to_beginning(*places)

    async def read(self, wanted: int, pause: float = 0.0) -> None:
        """Until `wanted` records came, or none for two seconds."""
        while len(self.values) < wanted:
            fetched = await self._consumer.getmany(timeout_ms=2000, max_records=50)
            if not fetched:
                return
            for place, records in fetched.items():
                key = (place.topic, place.partition)
                for record in records:
                    self.gaps += record.offset != self.positions.get(key, 0)
                    self.positions[key] = record.offset + 1
                    self.values.append(record.value)
                    self.keys.append(record.key)
            if self._group:
                await self._consumer.commit()
            await asyncio.sleep(pause)

    async def there(self) -> int:
        """How many records the topic holds."""
        ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        return sum(ends.values())

    async def stop(self) -> None:
        await self._consumer.stop()

    def rows(self) -> Rows:
        return np.concatenate([np.frombuffer(value[8:], dtype=QUOTE) for value in self.values])


async def read_all(broker: EmbeddedBroker, topic: str) -> Reader:
    reader = Reader(broker, topic)
    await reader.start()
    await reader.read(await reader.there())
    await reader.stop()
    return reader


def all_quotes(scenario: Scenario) -> Rows:
    return np.concatenate([batch.quotes for batch in Session(scenario).batches()])


async def test_every_record_arrives_in_its_topic(broker: EmbeddedBroker) -> None:
    scenario = random_session(4, seconds=3)
    session = await produce(scenario, broker.bootstrap, sending=Sending(speed=None, reference=True))
    assert session.finished
    quotes = await read_all(broker, "mm.quotes")
    assert sorted(quotes.rows().tolist()) == sorted(all_quotes(scenario).tolist())
    assert set(quotes.keys) <= {b"159901", b"159915"}
    controls = [json.loads(value) for value in (await read_all(broker, "mm.control")).values]
    assert [c["ts_event"] for c in controls] == sorted(c["ts_event"] for c in controls)
    assert Counter(c["record"] for c in controls)["phase"] == len(scenario.phases)
    reference = await read_all(broker, "mm.reference")
    assert b"contracts/" + scenario.contracts[0].name.encode() in reference.keys
    tables = Counter(json.loads(value)["table"] for value in reference.values)
    assert tables["contracts"] == len(scenario.contracts)
    assert tables["makers"] == sum(len(maker.classes) for maker in scenario.makers)


async def test_json_and_disorder_arrive_too(broker: EmbeddedBroker) -> None:
    scenario = random_session(5, seconds=2)
    sending = Sending("json", 50, speed=None, disorder=Disorder(1, 10**8), market_phases=False)
    await produce(scenario, broker.bootstrap, sending=sending)
    quotes = await read_all(broker, "mm.quotes")
    times = [row["ts_event"] for value in quotes.values for row in json.loads(value)]
    assert sorted(times) == all_quotes(scenario)["ts_event"].tolist()
    assert times != sorted(times)
    controls = [json.loads(value) for value in (await read_all(broker, "mm.control")).values]
    assert controls
    assert not [c for c in controls if c["record"] == "phase" and c["scope"] == "*"]


async def test_bad_records_are_mixed_in(broker: EmbeddedBroker) -> None:
    scenario = random_session(5, seconds=2)
    bad = bad_records(scenario, 200, 1, "json")
    await produce(scenario, broker.bootstrap, sending=Sending("json", 50, speed=None), bad=bad)
    for feed, topic in (("quotes", "mm.quotes"), ("theo", "mm.theo"), ("control", "mm.control")):
        arrived = Counter((await read_all(broker, topic)).values)
        assert not Counter(b.value for b in bad if b.feed == feed) - arrived


async def test_a_slow_reader_is_never_overrun(broker: EmbeddedBroker) -> None:
    """About 12 MB in one partition, whose log holds 5 MB."""
    scenario = szse_day(classes=1, contracts=150, records=300_000)
    reader = Reader(broker, "mm.quotes")
    await reader.start()
    task = asyncio.create_task(reader.read(10**9, pause=0.005))

    async def positions() -> dict[tuple[str, int], int]:
        return dict(reader.positions)

    session = await produce(scenario, broker.bootstrap, sending=FAST, positions=positions)
    await task
    await reader.stop()
    assert reader.gaps == 0
    assert len(reader.rows()) == session.counts["quotes"]
    assert sum(map(len, reader.values)) > 10_000_000


async def test_the_reader_may_be_elsewhere_and_commit(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    day = DayOptions(contracts=40, rate=20_000, seconds=3)
    options = KafkaOptions(
        broker.bootstrap,
        day,
        group="elsewhere",
        fast=True,
        reference_dir=tmp_path / "reference",
        truth=tmp_path / "truth.json",
    )
    reader = Reader(broker, "mm.quotes", group="elsewhere")
    await reader.start()
    task = asyncio.create_task(reader.read(10**9, pause=0.005))
    summary = await simulate_to_kafka(options)
    await task
    await reader.stop()
    assert summary.finished
    assert len(reader.rows()) == summary.quotes
    assert (tmp_path / "reference" / "makers.csv").is_file()
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert truth["records"]["quotes"] == summary.quotes


async def test_playing_keeps_to_the_clock_and_stops_when_told(broker: EmbeddedBroker) -> None:
    stop = asyncio.Event()
    day = DayOptions(contracts=40, rate=2_000, seconds=3_600)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    loop.call_later(2.0, stop.set)
    summary = await simulate_to_kafka(KafkaOptions(broker.bootstrap, day), stop=stop)
    assert 2.0 <= loop.time() - begun < 4.0
    assert not summary.finished
    assert 0 < summary.records < 20_000


async def test_the_clock_skips_idle_time_and_never_bursts() -> None:
    second = 10**9
    loop = asyncio.get_running_loop()
    begun = loop.time()
    clock = Clock(speed=1000.0, skip_idle=True)
    await clock.reach(second, 101 * second)
    await clock.reach(10_000_000 * second, 10_000_100 * second)
    assert 1.1 <= loop.time() - begun < 2.0


async def test_the_backlog_waits_for_the_reader() -> None:
    read = {("t", 0): 0}

    async def positions() -> dict[tuple[str, int], int]:
        return read

    backlog = Backlog(Room(records=3, size=100), positions)
    backlog.sent(("t", 0), 0, [10, 10, 10])
    await asyncio.wait_for(backlog.drain(), 1)
    backlog.sent(("t", 0), 3, [80])
    waiting = asyncio.create_task(backlog.drain())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    read["t", 0] = 1
    await asyncio.wait_for(waiting, 1)


async def test_a_broker_that_is_not_there_is_named_with_the_cause() -> None:
    with pytest.raises(MonitorError, match=r"127\.0\.0\.1:1: .*(refused|111)"):
        await produce(random_session(1), "127.0.0.1:1", sending=FAST)


async def test_the_embedded_broker_stops_and_says_when_it_cannot_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = EmbeddedBroker()
    async with broker:
        host, port = broker.bootstrap.split(":")
        pid = broker.pid
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    await broker.stop()
    monkeypatch.setattr("mm_monitor.simulator.broker.find_spec", lambda name: None)
    with pytest.raises(MonitorError, match=r"pip install 'mm-monitor\[demo\]'"):
        await broker.start()


async def test_a_broker_that_fails_says_what_it_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho no such luck >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(failing))
    with pytest.raises(MonitorError, match="did not start: no such luck"):
        await EmbeddedBroker().start()


def test_the_embedded_broker_dies_with_its_parent() -> None:
    program = (
        "import asyncio\n"
        "from mm_monitor.simulator.broker import EmbeddedBroker\n"
        "async def main():\n"
        "    async with EmbeddedBroker() as broker:\n"
        "        print(broker.pid, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)
        parent.send_signal(signal.SIGKILL)
    assert gone(pid)


def gone(pid: int, seconds: float = 5.0) -> bool:
    """Has the process ended? An orphan may stay a zombie where nobody reaps it."""
    for _ in range(int(seconds * 20)):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        subprocess.run(["sleep", "0.05"], check=True)
    return False


def test_the_port_file_appears_whole(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "mm_monitor.simulator.broker", "--port-file", str(port_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        for _ in range(200):
            if port_file.exists():
                break
            subprocess.run(["sleep", "0.05"], check=True)
        host, port = port_file.read_text().strip().split(":")
        assert (host, int(port) > 0) == ("127.0.0.1", True)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
