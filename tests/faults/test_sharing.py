"""A slice of the proof that workers which come, go and die judge together as one that never stopped."""

from __future__ import annotations

from pathlib import Path

from tests.faults.sharing import Group, differs, made, play, undisturbed
from tests.services.kafka import Kafka


async def test_workers_that_join_leave_and_die_judge_as_one_that_never_stopped(
    kafka: Kafka, tmp_path: Path
) -> None:
    stage = made(kafka, tmp_path / "stage", 1, 10.0)
    await play(stage, None)
    day, breaches = await undisturbed(stage)
    group = Group(stage, "group", pace=2)
    try:
        group.join("one")
        await group.settled("one")
        group.join("two")
        await group.settled("one", "two")
        group.kill("one")
        await group.settled("two")
        group.join("three")
        await group.settled("two", "three")
        await group.leave("two")
        await group.settled("three")
        assert differs(await group.judged(), day) == []
        await group.end()
        assert (await group.rung())[0] == breaches
    finally:
        group.close()
