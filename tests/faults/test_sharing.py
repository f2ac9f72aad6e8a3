"""A slice of the proof that workers which come, go and die judge together as one that never stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.faults.sharing import SESSION, Group, differs, made, play, undisturbed
from tests.integration.subject import answered
from tests.services.kafka import Kafka


@pytest.mark.slow
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
        found = [line["event"] for worker in group.workers.values() for line in worker.logs]
        assert found.count("checkpoint_found") >= 4
        assert "checkpoint_refused" not in found
        await group.end()
        assert (await group.rung())[0] == breaches
    finally:
        group.close()


@pytest.mark.slow
async def test_a_worker_that_hung_ends_without_a_word_when_it_wakes(
    kafka: Kafka, tmp_path: Path
) -> None:
    stage = made(kafka, tmp_path / "stage", 1, 10.0)
    await play(stage, None)
    day, breaches = await undisturbed(stage)
    group = Group(stage, "group", pace=2)
    try:
        hung = group.join("hung")
        await group.settled("hung")
        begun = [line["pid"] for line in hung.logs if line["event"] == "share_begun"]
        assert hung.process is not None
        for pid in (hung.process.pid, *begun):
            os.kill(pid, signal.SIGSTOP)
        said = len(hung.stderr)
        await asyncio.sleep(SESSION)  # the brokers cannot know before
        group.join("other")
        await group.settled("other")
        assert differs(await group.judged(), day) == []
        for pid in (*begun, hung.process.pid):
            os.kill(pid, signal.SIGCONT)

        async def given_up() -> bool:
            return hung.stderr[said:].count("share_ended") == len(
                begun
            )  # by itself or by its keeper

        await answered(given_up)
        assert "breach opened" not in hung.stderr[said:]
        await group.settled("hung", "other")  # and it is given its part again
        await group.end()
        assert (await group.rung())[0] == breaches
    finally:
        group.close()
