"""A service that is stopped and started again goes on: with what it judged, without ringing twice."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from mm_monitor.app import App
from mm_monitor.config import parse_config
from mm_monitor.errors import CheckpointError
from tests.integration.service import running, until
from tests.integration.venue import SECOND, Quoting, Venue, rulebook
from tests.services.kafka import Kafka

RULES = '[presence]\nrequired = "90%"\n[lapse]\nlongest_permitted = "300ms"\n'
KEPT: Any = {
    "checkpoint": {"directory": "kept", "every": "50ms"},
    "tape": {"lateness": "100ms", "idle_after": "100ms"},
    "publish": {"every": "50ms"},
}


def times(app: App) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Quoted, lapsed and unknown of every obligation."""
    view = app.get_views()[0]
    o = view.obligations
    rows = zip(o.maker, o.contract, o.quoted, o.lapsed, o.unknown, strict=True)
    return {
        (view.makers[int(m)], view.contracts[int(c)]): (int(q), int(lapsed), int(u))
        for m, c, q, lapsed, u in rows
    }


async def forget(kafka: Kafka, topic: str, partitions: int) -> None:
    """Retention takes all that a topic has."""

    tps = [TopicPartition(topic, number) for number in range(partitions)]
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap) as consumer:
        ends = await consumer.end_offsets(tps)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.delete_records({tp: RecordsToDelete(before_offset=ends[tp]) for tp in tps})
    await admin.close()


@pytest.mark.criterion("OBL-06")
async def test_what_was_judged_stays_judged_though_the_log_has_lost_it(
    kafka: Kafka, tmp_path: Path
) -> None:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    text = venue.config(**KEPT)
    async with venue.open():
        async with Quoting(venue, every=0.05), running(text, tmp_path, time.time_ns) as app:
            await until(lambda: app.is_ready()[0])
            begun = times(app)
            await until(lambda: times(app)["M0", "C0"][0] > begun["M0", "C0"][0] + SECOND)
            stopped = times(app)
        for topic in (venue.quotes_topic, venue.theo_topic):
            await forget(kafka, topic, 2)
        async with Quoting(venue, every=0.05), running(text, tmp_path, time.time_ns) as app:
            await until(lambda: app.is_ready()[0])
            again = times(app)
    for key, (quoted, lapsed, unknown) in stopped.items():
        assert again[key][0] >= quoted
        assert again[key][1] >= lapsed  # what was open when it stopped goes on as it was
        assert again[key][2] - unknown < 30 * SECOND  # and not back to the beginning of the date


async def test_no_event_rings_twice_and_none_is_forgotten(kafka: Kafka, tmp_path: Path) -> None:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    text = venue.config(**KEPT)
    async with venue.open(), Quoting(venue, every=0.05) as quoting:
        async with running(text, tmp_path, time.time_ns) as app:
            await until(lambda: app.is_ready()[0])
            quoting.silent.add("M0")
            await quoting.say("M0", "C0", bid=None, ask=None)
            await until(lambda: any(b.maker == "M0" for b in app.get_views()[0].breaches))
            before = {b.id for b in app.get_views()[0].breaches}
        async with running(text, tmp_path, time.time_ns) as app:
            await until(lambda: app.is_ready()[0])
            after = {b.id for b in app.get_views()[0].breaches}
            assert before <= after
            quoting.silent.clear()
            await quoting.say("M0", "C0")
            await until(lambda: all(b.end for b in app.get_views()[0].breaches if b.id in before
                                    and b.contract == "C0" and str(b.kind) == "long_lapse"))  # fmt: skip
        rung = Counter(event["id"] for event in await venue.read(venue.breaches_topic))
    assert max(rung.values()) == 1
    assert {f"{breach}-opened" for breach in before} <= rung.keys()


async def test_a_damaged_checkpoint_is_told_and_the_one_before_taken(
    kafka: Kafka, tmp_path: Path
) -> None:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    text = venue.config(**KEPT | {"checkpoint": {"directory": "kept", "every": "500ms"}})
    # Its first picture is of the checkpoint, and the next a second later: not ready in between.
    seldom = venue.config(**KEPT | {"publish": {"every": "1s"}})
    async with venue.open(), Quoting(venue, every=0.05):
        async with running(text, tmp_path, time.time_ns) as app:
            await until(lambda: app.is_ready()[0])
            await until(lambda: times(app)["M0", "C0"][0] > SECOND)
            await until(
                lambda: app.stats.checkpoints is not None and app.stats.checkpoints.written > 2
            )
            stopped = times(app)
        newest = spoil_newest(tmp_path / "kept")
        async with running(seldom, tmp_path, time.time_ns) as app:
            assert app.stats.checkpoints is not None
            assert app.stats.checkpoints.refused["damaged"] == 1
            assert app.checkpoints.kept is not None
            await until(lambda: app.is_ready()[0])
            again = times(app)
            shown = app.prometheus.render()
            assert b'mm_monitor_checkpoint_refused_total{reason="damaged"} 1.0' in shown
    assert newest > 1
    assert all(again[key][0] >= quoted for key, (quoted, _, _) in stopped.items())
    assert all(again[key][2] == unknown for key, (_, _, unknown) in stopped.items())


async def test_other_rules_begin_the_date_anew_and_say_so(kafka: Kafka, tmp_path: Path) -> None:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    text = venue.config(**KEPT)
    async with venue.open(), Quoting(venue, every=0.05):
        async with running(text, tmp_path, time.time_ns) as app:
            await until(lambda: app.is_ready()[0])
        venue.write_rulebook(rulebook(rules='[presence]\nrequired = "50%"\n'))
        async with running(text, tmp_path, time.time_ns) as app:
            assert app.checkpoints.kept is None
            assert app.stats.checkpoints is not None
            assert app.stats.checkpoints.refused["settings"] > 0
            await until(lambda: app.is_ready()[0])


def spoil_newest(directory: Path) -> int:
    """Change a byte in the middle of the newest record; returns its serial."""
    found = []
    for path in directory.glob("*.sqlite"):
        with closing(sqlite3.connect(path)) as file:
            found += [(serial, path) for (serial,) in file.execute("SELECT serial FROM record")]
    serial, path = max(found)
    with closing(sqlite3.connect(path)) as file, file:
        ((data,),) = file.execute("SELECT data FROM record WHERE serial = ?", (serial,)).fetchall()
        bent = bytearray(data)
        bent[len(bent) // 2] ^= 1
        file.execute("UPDATE record SET data = ? WHERE serial = ?", (bytes(bent), serial))
    return int(serial)


async def test_another_machine_goes_on_from_the_topic_and_deposes_the_one_before(
    kafka: Kafka, tmp_path: Path
) -> None:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    topic = kafka.unique_topic("checkpoints", cleanup_policy="compact")
    kept = {
        **KEPT,
        "checkpoint": {"store": "topic", "every": "50ms"},
        "topics": {"checkpoints": topic},
    }
    text = venue.config(**kept)
    async with venue.open(), Quoting(venue, every=0.05):
        first = App(parse_config(text.encode(), base=tmp_path))
        await first.start()
        pumping = asyncio.create_task(first.run())
        await until(lambda: first.is_ready()[0])
        stats = first.stats.checkpoints
        assert stats is not None
        await until(lambda: times(first)["M0", "C0"][0] > SECOND and stats.written > 3)
        async with running(text, tmp_path, time.time_ns) as second:
            assert second.checkpoints.kept is not None
            with pytest.raises(CheckpointError, match="another service has taken over"):
                await pumping
            before = times(first)
            await first.stop()
            assert stats.failures == 1
            await until(lambda: second.is_ready()[0])
            await until(lambda: times(second)["M0", "C0"][0] > before["M0", "C0"][0])
            assert second.stats.checkpoints is not None
            assert second.stats.checkpoints.failures == 0
