"""The service reads a simulated session from a real Kafka and agrees with its truth to the nanosecond."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mm_monitor.core.model import REASONS
from mm_monitor.core.view import StatusView
from mm_monitor.simulator import Disorder, random_session, truth
from mm_monitor.simulator.capture import write_reference
from mm_monitor.simulator.producer import Sending, Topics, produce
from mm_monitor.simulator.scenario import Scenario
from tests.integration.service import config_text, running, until
from tests.services.kafka import Kafka

SECOND = 10**9
SEEDS = range(20)


def topics_on(kafka: Kafka, partitions: int) -> Topics:
    """Fresh topics that keep records of a past session."""
    keep = {"retention_ms": "-1"}
    quotes = kafka.unique_topic("quotes", partitions, **keep)
    theo = kafka.unique_topic("theo", partitions, **keep)
    return Topics(quotes, theo, kafka.unique_topic("control", 1, **keep))


async def judged(kafka: Kafka, scenario: Scenario, sending: Sending, folder: Path, partitions: int,
                 extra: str = "") -> tuple[StatusView, dict[str, Any]]:  # fmt: skip
    """The final picture of a session that was sent to Kafka and read back by the service, and its truth."""
    topics = topics_on(kafka, partitions)
    write_reference(scenario, folder)
    session = await produce(scenario, kafka.bootstrap, topics, sending)
    text = config_text(
        kafka.bootstrap, folder, sending.codec, extra,
        quotes=topics.quotes, theo=topics.theo, control=topics.control, reference="", dead_letter="",
    )  # fmt: skip
    async with running(text, folder, lambda: scenario.end + 30 * SECOND) as app:
        await until(lambda: bool(app.get_views()) and app.get_views()[0].period_end is not None)
        return app.get_views()[0], truth(session)


def differences(view: StatusView, known: dict[str, Any]) -> list[str]:
    """Every number of every obligation that is not the truth."""
    o = view.obligations
    lines = []
    rows = {
        (view.makers[int(m)], view.contracts[int(c)]): i
        for i, (m, c) in enumerate(zip(o.maker, o.contract, strict=True))
    }
    for want in known["obligations"]:
        i = rows[want["maker"], want["contract"]]
        got = {
            "quoted_ns": int(o.quoted[i]), "lapsed_ns": int(o.lapsed[i]), "exempt_ns": int(o.exempt[i]),
            "unknown_ns": int(o.unknown[i]), "lapses": int(o.lapses[i]), "longest_lapse_ns": int(o.longest_lapse[i]),
        }  # fmt: skip
        lines += [
            f"{want['maker']} {want['contract']} {k}: {v} instead of {want[k]}"
            for k, v in got.items()
            if v != want[k]
        ]
    assert len(rows) == len(known["obligations"])
    assert o.lapsed_by_reason.shape[1] == len(REASONS)
    return lines


FEED = """
[rulebooks]
phases = "feed"
[tape]
start = "earliest"
lateness = "{lateness}"
[breaches]
enabled = false
"""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("codec", ["packed", "json"])
async def test_truth_equals_engine_through_kafka(
    seed: int, codec: str, kafka: Kafka, tmp_path: Path
) -> None:
    # Every seed another way of cutting records and partitions, and of being out of order.
    rows = (1, 7, 256, 1000)[seed % 4]
    partitions = (1, 2, 4, 8)[seed // 4 % 4]
    lateness = 50_000_000 if seed % 3 == 0 else 0
    disorder = Disorder(seed, lateness - 1) if lateness else None
    sending = Sending(codec=codec, rows_per_record=rows, speed=None, disorder=disorder)
    view, known = await judged(
        kafka,
        random_session(seed),
        sending,
        tmp_path,
        partitions,
        FEED.format(lateness=f"{lateness}ns"),
    )
    assert differences(view, known) == []
