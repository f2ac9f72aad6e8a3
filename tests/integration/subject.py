"""`mm-monitor` as a process of its own: started with a configuration file, asked over HTTP, ended by signals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp

T = TypeVar("T")
COMMAND = (sys.executable, "-m", "mm_monitor")


class Subject:
    """A running monitor; its standard error goes to a file."""

    def __init__(self, folder: Path, text: str, name: str = "monitor") -> None:
        self.folder, self.config = folder, folder / f"{name}.toml"
        self.config.write_text(text)
        self.errors = folder / f"{name}.stderr"
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        """Start, without waiting for anything."""
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*COMMAND, "run", "--config", str(self.config)],
                stderr=errors, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    async def listening(self, seconds: float = 60) -> float:
        """Wait until it says where it listens; returns how long that took, from now."""
        began = time.monotonic()
        while not (found := re.search(r'"url": "(http://[^"]+)"', self.stderr)):
            assert self.alive, self.stderr
            assert time.monotonic() < began + seconds, self.stderr
            await asyncio.sleep(0.02)
        self.url = found[1]
        return time.monotonic() - began

    async def __aenter__(self) -> Self:
        self.start()
        try:
            await self.listening()
        except BaseException:
            self.kill()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self.alive:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await self.wait(10)
        self.kill()

    @property
    def alive(self) -> bool:
        """Does the process run?"""
        return self.process is not None and self.process.poll() is None

    @property
    def stderr(self) -> str:
        """All that it said so far."""
        return self.errors.read_text()

    @property
    def logs(self) -> list[dict[str, Any]]:
        """Its log lines (`format = "json"`)."""
        lines = self.stderr.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    async def wait(self, seconds: float = 10) -> int:
        """Wait for its end, as long as a container has before it is killed; its exit code, or TimeoutError."""
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"still runs after {seconds} s:\n{self.stderr}")
            await asyncio.sleep(0.02)
        return int(self.process.returncode)

    def kill(self) -> None:
        """End it whatever it does."""
        if self.process is not None:
            if self.alive:
                self.process.kill()
            self.process.wait()

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON of a page."""
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            return answer.status, json.loads(await answer.read())

    async def text(self, path: str = "metrics") -> str:
        """A page as text."""
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            assert answer.status == 200
            return await answer.text()

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of a metric with these labels."""
        return total(await self.text(), name, **labels)


async def answered(
    probe: Callable[[], Awaitable[T]], timeout: float = 30, every: float = 0.05
) -> T:
    """The first truthy answer of `probe`; AssertionError with the last one after `timeout` s."""
    deadline = time.monotonic() + timeout
    while not (answer := await probe()):
        assert time.monotonic() < deadline, f"not within {timeout} s, the last answer: {answer!r}"
        await asyncio.sleep(every)
    return answer


def total(text: str, name: str, **labels: str) -> float:
    """The sum of the samples of a metric with these labels in an exposition."""
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
    return sum(float(value) for said, value in found if all(w in said.split(",") for w in wanted))


def run_command(folder: Path, *arguments: str, seconds: float = 30) -> tuple[int, str, str]:
    """Run `mm-monitor ...` to its end: exit code, standard output, standard error."""
    done = subprocess.run([*COMMAND, *arguments], cwd=folder, capture_output=True, text=True,
                          timeout=seconds)  # fmt: skip
    return done.returncode, done.stdout, done.stderr
