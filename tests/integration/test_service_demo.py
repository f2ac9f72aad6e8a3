"""`mm-monitor demo` as anybody would run it: its verdict is right, and nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mm_monitor.simulator.days import day_makers
from mm_monitor.simulator.scenario import MISBEHAVING
from tests.integration.subject import COMMAND, answered, run_command


def test_the_summary_names_the_misbehaving_makers_and_only_them(tmp_path: Path) -> None:
    options = ("--seconds", "14", "--rate", "30000", "--port", "0", "--plain")
    code, out, err = run_command(tmp_path, "demo", *options, seconds=40)
    assert (code, err) == (0, "")
    assert "all 8 makers that were told to misbehave, and only they" in out
    said = re.search(r"breached at the close: ([\w\s,-]+)\nall", out)
    assert said is not None
    breached = {name.strip().rpartition("-")[0] for name in said[1].split(",")}
    assert breached == {b.value for b in day_makers(20) if b in MISBEHAVING}


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[subprocess.Popen[str]]:
    """A demo of a whole day, under way."""
    process = subprocess.Popen(
        [*COMMAND, "demo", "--rate", "5000", "--port", "0", "--plain"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip

    async def has_broker() -> list[int]:
        return children(process.pid)

    await answered(has_broker)
    yield process
    process.kill()
    process.wait()


def children(pid: int) -> list[int]:
    """The processes that this one started."""
    try:
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def alive(pid: int) -> bool:
    """Is there such a process?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(("number", "after"), [(signal.SIGTERM, 0.0), (signal.SIGINT, 3.0)])
async def test_a_signal_ends_it_cleanly(
    demo: subprocess.Popen[str], number: signal.Signals, after: float
) -> None:
    started = children(demo.pid)
    await asyncio.sleep(after)
    demo.send_signal(number)
    out, err = await asyncio.to_thread(demo.communicate, timeout=15)
    assert "Traceback" not in out + err
    if after:
        assert demo.returncode == 0, err
        assert "breached so far" in out
    else:  # still importing: nobody handles signals yet
        assert demo.returncode in (0, 130, -number), err
    await none_left(started)


async def none_left(pids: list[int]) -> None:
    """A broker ends when its standard input does; give it time to notice."""

    async def gone() -> bool:
        return not any(alive(pid) for pid in pids)

    await answered(gone, 5)


async def test_a_killed_demo_leaves_no_broker_behind(demo: subprocess.Popen[str]) -> None:
    started = children(demo.pid)
    await asyncio.sleep(2)
    demo.kill()
    await none_left(started)
