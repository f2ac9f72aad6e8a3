"""As a member of a consumer group, or on partitions of its own, the service agrees with the truth."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from mm_monitor.core.view import StatusView
from mm_monitor.errors import MonitorError
from mm_monitor.simulator import random_session, truth
from mm_monitor.simulator.capture import write_reference
from mm_monitor.simulator.encode import partition_of
from mm_monitor.simulator.market import ETFS
from mm_monitor.simulator.producer import Sending, Topics, produce
from mm_monitor.simulator.scenario import Scenario
from tests.integration.service import config_text, running, until
from tests.integration.test_app_truth import FEED, differences, topics_on
from tests.integration.venue import Venue, quote, rulebook
from tests.services.kafka import Kafka

SECOND = 10**9


async def judged(
    kafka: Kafka, topics: Topics, scenario: Scenario, folder: Path, keys: str
) -> StatusView:
    """The final picture of a session that lies in `topics`; `keys` are added to section kafka."""
    text = config_text(
        kafka.bootstrap, folder, "packed", FEED.format(lateness="0ms"), quotes=topics.quotes,
        theo=topics.theo, control=topics.control, reference="", dead_letter="",
    )  # fmt: skip
    text = text.replace("[kafka]\n", f"[kafka]\n{keys}\n")
    async with running(text, folder, lambda: scenario.end + 30 * SECOND) as app:
        await until(lambda: bool(app.get_views()) and app.get_views()[0].period_end is not None, 40)
        return app.get_views()[0]


async def sent(kafka: Kafka, scenario: Scenario, topics: Topics, folder: Path) -> dict[str, Any]:
    """The truth of a session that was written to `topics`."""
    write_reference(scenario, folder)
    return truth(await produce(scenario, kafka.bootstrap, topics, Sending(speed=None)))


async def test_a_member_of_a_group_agrees_with_the_truth(kafka: Kafka, tmp_path: Path) -> None:
    scenario, topics = random_session(3, classes=4, contracts=12), topics_on(kafka, 4)
    known = await sent(kafka, scenario, topics, tmp_path)
    group = f'group = "{uuid.uuid4().hex}"'
    assert differences(await judged(kafka, topics, scenario, tmp_path, group), known) == []
    # Started again it begins at the start of the session, not where the group had come to.
    assert differences(await judged(kafka, topics, scenario, tmp_path, group), known) == []


async def test_explicit_partitions_are_read_and_no_others(kafka: Kafka, tmp_path: Path) -> None:
    scenario, topics = random_session(8, classes=4, contracts=12), topics_on(kafka, 4)
    known = await sent(kafka, scenario, topics, tmp_path)
    view = await judged(kafka, topics, scenario, tmp_path, "partitions = [0, 2]")
    mine = {e.name for e in ETFS if partition_of(e.name, 4) in (0, 2)}
    assert len(mine) == 2
    known["obligations"] = [row for row in known["obligations"] if row["class"] in mine]
    assert (
        differences(view, known) == []
    )  # which also counts: what is read by others is not judged here
    assert view.maker_rows == []


async def test_every_obligation_is_judged_by_one_of_two_workers(
    kafka: Kafka, tmp_path: Path
) -> None:
    scenario, topics = random_session(3, classes=4, contracts=12), topics_on(kafka, 4)
    known = await sent(kafka, scenario, topics, tmp_path)
    left = {(row["maker"], row["contract"]) for row in known["obligations"]}
    group = uuid.uuid4().hex
    for worker in (1, 2):
        keys = f'group = "{group}"\nworker = "{worker}/2"'
        view = await judged(kafka, topics, scenario, tmp_path, keys)
        mine = {e.name for e in ETFS if partition_of(e.name, 4) % 2 == worker - 1}
        rows = [row for row in known["obligations"] if row["class"] in mine]
        assert differences(view, {"obligations": rows}) == []
        assert not [breach for breach in view.breaches if not breach.contract]
        left -= {(row["maker"], row["contract"]) for row in rows}
    assert not left


async def test_workers_need_as_many_partitions_of_theos_as_of_quotes(
    kafka: Kafka, tmp_path: Path
) -> None:
    scenario, topics = random_session(3, classes=4, contracts=12), topics_on(kafka, 4)
    write_reference(scenario, tmp_path)
    other = Topics(topics.quotes, topics_on(kafka, 2).theo, topics.control)
    with pytest.raises(MonitorError, match="as many partitions each"):
        await judged(kafka, other, scenario, tmp_path, 'worker = "1/2"')
    with pytest.raises(MonitorError, match="nothing is left for worker 5 of 5"):
        await judged(kafka, topics, scenario, tmp_path, 'worker = "5/5"')


async def test_a_class_on_another_partition_than_its_keys_is_told(
    kafka: Kafka, tmp_path: Path
) -> None:
    venue = Venue(kafka, tmp_path, 4)
    venue.write_rulebook(rulebook())
    wrong = next(p for p in range(4) if p % 2 == 0 and p != partition_of("K0", 4))
    async with venue.open():
        text = venue.config(kafka={"worker": "1/2"})
        async with running(text, tmp_path, time.time_ns) as app:
            await venue.send(venue.quotes_topic, quote(time.time_ns()), wrong, key="K0")
            await until(lambda: app.stats.misplaced_classes == 1, 20)
            assert app.source.misplaced == {"K0"}
