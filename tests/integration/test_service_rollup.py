"""Two workers and a roll-up write the same days, byte for byte, as one worker that reads everything."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from mm_monitor.app import App
from mm_monitor.config import load_config
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.rollup import RollUp, read_accruals
from mm_monitor.rollup_service import serve
from mm_monitor.rulebooks import load
from mm_monitor.simulator import random_session
from mm_monitor.simulator.capture import write_reference
from mm_monitor.simulator.producer import Sending, Topics, produce
from mm_monitor.simulator.scenario import Scenario
from mm_monitor.sources.kafka_options import KafkaOptions
from tests.integration.service import config_text, running, until
from tests.integration.subject import Subject
from tests.integration.test_app_truth import FEED, topics_on
from tests.services.kafka import Kafka

SECOND = 10**9
RULES = """
id = "{id}"
version = 2
source = "a test"
[presence]
required = "{required}"
judged_by = "{judged_by}"
{presence}
[lapse]
longest_permitted = "1s"
[market_hole]
longest_permitted = "100ms"
"""


WAYS = {
    "ratio_of_sums": "", "mean_of_ratios": "", "coverage": "", "products": "products_required = 3",
    "contracts": "contracts_required = 2", "stretches": 'windows = ["am_pm"]',
}  # fmt: skip


def book(folder: Path, judged_by: str) -> Rulebook:
    """A rulebook in a file of the aggregation's name."""
    path, name = folder / f"{judged_by}.toml", judged_by.replace("_", "-")
    path.write_text(
        RULES.format(id=name, required="60%", judged_by=judged_by, presence=WAYS[judged_by])
    )
    return load(str(path))


def text_of(kafka: Kafka, topics: Topics, folder: Path, keys: str, extra: str) -> str:
    text = config_text(
        kafka.bootstrap, folder, "packed", FEED.format(lateness="0ms") + extra, quotes=topics.quotes,
        theo=topics.theo, control=topics.control, reference="", dead_letter="",
    )  # fmt: skip
    return text.replace("[kafka]\n", f"[kafka]\n{keys}\n")


async def events(kafka: Kafka, topic: str) -> dict[str, Any]:
    """What a breaches topic says of makers, by id of the event."""
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap) as consumer:
        tp = TopicPartition(topic, 0)
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end, found = (await consumer.end_offsets([tp]))[tp], {}
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for event in (json.loads(record.value) for record in records):
                    if not event["data"]["breach"]["contract"]:
                        found[event["id"]] = event["data"]
        return found


def over(app: App) -> bool:
    return bool(app.get_views()) and all(v.period_end is not None for v in app.get_views())


async def judge(scenario: Scenario, text: str, folder: Path) -> None:
    """Run one worker until the session is over and all that it has to say is said."""
    async with running(text, folder, lambda: scenario.end + 30 * SECOND) as app:
        await until(lambda: over(app), 60)


async def rolled(
    kafka: Kafka, topic: str, books: list[Rulebook], folder: Path
) -> tuple[int, list[str]]:
    """How many days wait after the topic was read, and what was said."""
    said: list[str] = []
    roll = RollUp({b.id: b for b in books}, folder, lambda *words: said.append(" ".join(words)))
    return await read_accruals(KafkaOptions(bootstrap=kafka.bootstrap), topic, roll), said


@pytest.mark.parametrize("seed", [3, 5])
async def test_two_workers_and_a_roll_up_write_what_one_worker_writes(
    seed: int, kafka: Kafka, tmp_path: Path
) -> None:
    scenario, topics = random_session(seed, classes=4, contracts=12), topics_on(kafka, 4)
    write_reference(scenario, tmp_path)
    await produce(scenario, kafka.bootstrap, topics, Sending(speed=None))
    books = [book(tmp_path, way) for way in WAYS]
    names = ", ".join(f'"{way}.toml"' for way in WAYS)
    topic = kafka.unique_topic("accruals", 1, cleanup_policy="compact")
    head = f'[topics]\naccruals = "{topic}"\n'
    texts = []
    for keys in ('worker = "1/2"', 'worker = "2/2"', ""):
        extra = "" if keys else '[ledger]\ndirectory = "one"\n'
        text = text_of(kafka, topics, tmp_path, keys, extra)
        if keys:
            text = text.replace("[topics]\n", head)
        texts.append(text.replace('phases = "feed"', f'phases = "feed"\nnames = [{names}]'))
    await judge(scenario, texts[0], tmp_path)
    waiting, said = await rolled(kafka, topic, books, tmp_path / "two")
    assert waiting == len(books)
    assert all(line.endswith("waits: worker 2 of 2 has said nothing") for line in said)
    await judge(scenario, texts[1], tmp_path)
    await judge(scenario, texts[2], tmp_path)
    waiting, said = await rolled(kafka, topic, books, tmp_path / "two")
    assert waiting == 0, said
    one = {p.name: p.read_bytes() for p in (tmp_path / "one").iterdir()}
    two = {p.name: p.read_bytes() for p in (tmp_path / "two").iterdir()}
    assert len(one) == len(books)
    assert two == one
    assert any(b'"kind": "presence"' in data for data in one.values())
    assert seed != 3 or any(b'"kind": "lapse"' in data for data in one.values())


async def test_what_makers_broke_is_told_by_the_roll_up_as_by_one_worker(
    kafka: Kafka, tmp_path: Path
) -> None:
    scenario, topics = random_session(3, classes=4, contracts=12), topics_on(kafka, 4)
    write_reference(scenario, tmp_path)
    for way in ("ratio_of_sums", "coverage"):
        book(tmp_path, way)
    await produce(scenario, kafka.bootstrap, topics, Sending(speed=None))
    accruals = kafka.unique_topic("accruals", 1, cleanup_policy="compact")
    one, many = (kafka.unique_topic("breaches", 1) for _ in range(2))
    for keys, breaches in (('worker = "1/2"', many), ('worker = "2/2"', many), ("", one)):
        text = text_of(kafka, topics, tmp_path, keys, "").replace(
            "enabled = false", "enabled = true"
        )
        text = text.replace(
            'phases = "feed"', 'phases = "feed"\nnames = ["ratio_of_sums.toml", "coverage.toml"]'
        )
        head = f'breaches = "{breaches}"\n' + (f'accruals = "{accruals}"\n' if keys else "")
        text = text.replace("[topics]\n", f"[topics]\n{head}")
        (tmp_path / "monitor.toml").write_text(
            text if keys else (tmp_path / "monitor.toml").read_text()
        )
        await judge(scenario, text, tmp_path)
    assert await events(kafka, many) == {}  # no worker speaks of makers
    wanted = await events(kafka, one)
    assert wanted
    config = load_config(tmp_path / "monitor.toml")
    rolling = asyncio.create_task(serve(config, tmp_path / "days", lambda line: None, follow=True))
    found: dict[str, Any] = {}
    async with asyncio.timeout(30):
        while len(found) < len(wanted):
            assert not rolling.done()
            found = await events(kafka, many)
    rolling.cancel()
    await asyncio.gather(rolling, return_exceptions=True)
    assert found == wanted


async def test_a_worker_that_is_killed_and_started_again_says_the_same(
    kafka: Kafka, tmp_path: Path
) -> None:
    scenario, topics = random_session(3, classes=4, contracts=12), topics_on(kafka, 4)
    write_reference(scenario, tmp_path)
    await produce(scenario, kafka.bootstrap, topics, Sending(speed=None))
    topic = kafka.unique_topic("accruals", 1, cleanup_policy="compact")
    await judge(
        scenario, text_of(kafka, topics, tmp_path, "", '[ledger]\ndirectory = "one"\n'), tmp_path
    )
    workers = []
    for k in (1, 2):
        text = text_of(kafka, topics, tmp_path, f'worker = "{k}/2"', "")
        text = text.replace("[topics]\n", f'[topics]\naccruals = "{topic}"\n')
        text = text.replace('level = "error"', 'level = "info"\nformat = "json"')
        workers.append(Subject(tmp_path, text, f"worker-{k}"))
    books = [load("szse-2025")]
    async with workers[0]:
        for delay in (0.0, 0.3, 0.8):
            workers[1].start()
            await workers[1].listening(20)
            await asyncio.sleep(delay)
            workers[1].kill()
        async with workers[1], asyncio.timeout(60):
            while (await rolled(kafka, topic, books, tmp_path / "two"))[0]:
                await asyncio.sleep(0.2)
    (one,), (two,) = ([*(tmp_path / name).iterdir()] for name in ("one", "two"))
    assert two.read_bytes() == one.read_bytes()
