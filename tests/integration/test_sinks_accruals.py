"""The accruals topic on a real Kafka: nobody waits for it, no date that is over is lost, a repeat changes nothing."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path

import pytest

from mm_monitor.core.engine import Engine
from mm_monitor.core.model import PeriodRecord, PhaseRecord
from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.core.view import StatusView
from mm_monitor.errors import MonitorError
from mm_monitor.reports.accruals import messages
from mm_monitor.rollup import RollUp, read_accruals
from mm_monitor.rulebooks import load
from mm_monitor.sinks.accruals import AccrualsConfig, AccrualsSink, Words
from mm_monitor.sources.kafka_options import KafkaOptions
from tests.contracts.far_sides import context
from tests.services.kafka import Kafka
from tests.services.wait import eventually

START, SECOND = 1_754_011_800 * 10**9, 10**9
BOOK = load("szse-2025")


def judged() -> Engine:
    """An engine at the end of a period of a minute in which nobody quoted."""
    contracts = [Contract(f"C{i}", f"K{i % 2}", 10_000, kind="call", strike="1", expiry="2025-09-01")
                 for i in range(4)]  # fmt: skip
    reference = Reference.of(contracts, [Appointment("M0", "*"), Appointment("M1", "K1")])
    engine = Engine([BOOK], reference, {}, calendar=False)
    engine.control(PeriodRecord(START, "start", "2025-08-01"))
    engine.control(PhaseRecord(START, "*", "continuous"))
    engine.advance(START + 30 * SECOND)
    return engine


def end(engine: Engine) -> None:
    engine.control(PeriodRecord(START + 60 * SECOND, "end", "2025-08-01"))


def sink_of(kafka: Kafka, topic: str, engine: Engine, every: float = 60.0) -> AccrualsSink:
    def words(view: StatusView, final: bool) -> Words:
        return messages(view, BOOK, engine.reference, (1, 1), final=final)

    config = AccrualsConfig(kafka.bootstrap, topic, every, timeout=1.0, words=words)
    return AccrualsSink(config, context())


async def read(kafka: Kafka, topic: str, folder: Path) -> tuple[int, RollUp]:
    roll = RollUp({BOOK.id: BOOK}, folder, lambda *said: None)
    return await read_accruals(KafkaOptions(kafka.bootstrap), topic, roll), roll


async def test_a_date_that_is_over_waits_for_its_topic_and_holds_nobody_up(
    kafka: Kafka, tmp_path: Path
) -> None:
    engine, topic = judged(), f"accruals-{uuid.uuid4().hex[:8]}"
    end(engine)
    sink = sink_of(kafka, topic, engine)
    await sink.start()
    began = time.monotonic()
    for _ in range(100):
        sink.publish(engine.at(START + 60 * SECOND), [])
        sink.keep(engine)
    assert time.monotonic() - began < 10  # each that waited would take its whole second
    await asyncio.sleep(0.3)
    assert sink.lag_seconds > 0.2
    kafka.create_topic(topic, 1, cleanup_policy="compact")
    await eventually(lambda: sink.lag_seconds == 0, 30)
    await sink.stop()
    waiting, _ = await read(kafka, topic, tmp_path)
    assert waiting == 0
    assert [path.name for path in tmp_path.iterdir()] == ["2025-08-01.szse-2025.json"]


async def test_a_date_that_goes_on_is_told_and_waited_for_and_a_repeat_changes_nothing(
    kafka: Kafka, tmp_path: Path
) -> None:
    engine, topic = judged(), kafka.unique_topic("accruals", 1, cleanup_policy="compact")
    sink = sink_of(kafka, topic, engine, every=0.1)
    await sink.start()
    sink.publish(engine.at(START + 30 * SECOND), [])
    said: list[RollUp] = []

    async def told() -> None:
        while not said or not said[-1].accruals.values:
            waiting, roll = await read(kafka, topic, tmp_path)
            said.append(roll)
            assert waiting <= 1

    await asyncio.wait_for(told(), 20)
    heads, _, missing = said[-1].accruals.pieces("szse-2025", "2025-08-01")
    assert (heads, missing) == ([], "for worker 1 of 1 it is not over")
    end(engine)
    sink.keep(engine)
    await eventually(lambda: sink.lag_seconds == 0, 20)
    await asyncio.sleep(0.5)
    await sink.stop()  # the older picture is not told again over the one of a date that is over
    waiting, _ = await read(kafka, topic, tmp_path)
    assert waiting == 0
    (path,) = tmp_path.iterdir()
    once = path.read_bytes()
    again = sink_of(kafka, topic, engine)
    await again.start()
    again.keep(engine)
    await eventually(lambda: again.lag_seconds == 0, 20)
    await again.stop()
    path.unlink()
    await read(kafka, topic, tmp_path)
    assert path.read_bytes() == once


async def test_a_topic_of_several_partitions_is_refused(kafka: Kafka, tmp_path: Path) -> None:
    topic = kafka.unique_topic("accruals", 2, cleanup_policy="compact")
    with pytest.raises(MonitorError, match="needs one partition"):
        await read(kafka, topic, tmp_path)


async def test_workers_of_another_rulebook_are_told_and_nothing_is_written(
    kafka: Kafka, tmp_path: Path
) -> None:
    engine, topic = judged(), kafka.unique_topic("accruals", 1, cleanup_policy="compact")
    end(engine)
    sink = sink_of(kafka, topic, engine)
    await sink.start()
    sink.keep(engine)
    await eventually(lambda: sink.lag_seconds == 0, 20)
    await sink.stop()
    said: list[str] = []
    other = load("eurex-basis")
    for books in ({}, {BOOK.id: other}):
        roll = RollUp(books, tmp_path, lambda *words: said.append(" ".join(words)))
        waiting = await read_accruals(KafkaOptions(kafka.bootstrap), topic, roll)
        assert waiting == 1
    assert "the configuration has no such rulebook" in said[0]
    assert "worker 1 of 1 judged by" in said[1]
    assert list(tmp_path.iterdir()) == []
