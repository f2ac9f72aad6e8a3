"""Two workers and a roll-up write the same days, byte for byte, as one worker that reads everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_monitor.app import App
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.rollup import RollUp, read_accruals
from mm_monitor.rulebooks import load
from mm_monitor.simulator import random_session
from mm_monitor.simulator.capture import write_reference
from mm_monitor.simulator.producer import Sending, Topics, produce
from mm_monitor.simulator.scenario import Scenario
from mm_monitor.sources.kafka_options import KafkaOptions
from tests.integration.service import config_text, running, until
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


def text_of(kafka: Kafka, topics: Topics, folder: Path, keys: str, extra: str) -> str:
    text = config_text(
        kafka.bootstrap, folder, "packed", FEED.format(lateness="0ms") + extra, quotes=topics.quotes,
        theo=topics.theo, control=topics.control, reference="", dead_letter="",
    )  # fmt: skip
    return text.replace("[kafka]\n", f"[kafka]\n{keys}\n")


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
    books = []
    ways = ("ratio_of_sums", "mean_of_ratios", "coverage", "products", "contracts", "stretches")
    for judged_by in ways:
        extra = {
            "products": "products_required = 3", "contracts": "contracts_required = 2",
            "stretches": 'windows = ["am_pm"]',
        }.get(judged_by, "")  # fmt: skip
        path = tmp_path / f"{judged_by}.toml"
        name = judged_by.replace("_", "-")
        rules = RULES.format(id=name, required="60%", judged_by=judged_by, presence=extra)
        path.write_text(rules)
        books.append(load(str(path)))
    names = ", ".join(f'"{way}.toml"' for way in ways)
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
