"""As a member of a consumer group, or on partitions of its own, the service agrees with the truth."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from mm_monitor.core.view import StatusView
from mm_monitor.simulator import random_session, truth
from mm_monitor.simulator.capture import write_reference
from mm_monitor.simulator.encode import partition_of
from mm_monitor.simulator.market import ETFS
from mm_monitor.simulator.producer import Sending, Topics, produce
from mm_monitor.simulator.scenario import Scenario
from tests.integration.service import config_text, running, until
from tests.integration.test_app_truth import FEED, differences, topics_on
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
    others = [o for o in known["obligations"] if o["class"] not in mine]
    wrong = differences(view, known)
    for row in known["obligations"]:
        name = f"{row['maker']} {row['contract']} "
        told = [line for line in wrong if line.startswith(name)]
        assert row["class"] not in mine or not told, told
    index = {(view.makers[m], view.contracts[c]): i for i, (m, c) in enumerate(
        zip(view.obligations.maker.tolist(), view.obligations.contract.tolist(), strict=True))}  # fmt: skip
    assert all(view.obligations.quoted[index[o["maker"], o["contract"]]] == 0 for o in others)
