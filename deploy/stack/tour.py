"""A tour of the stack: a maker withdraws, all tell of the same breach; it returns, and all say that it is over.

The breach's id is not taken from anybody: it is worked out from the withdrawal and the rulebook beforehand.
"""

from __future__ import annotations

import asyncio
import csv
import json
import subprocess
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from deploy.stack.ears import Ears, Story
from deploy.stack.parts import COMMAND, TOPICS
from deploy.stack.world import Stack
from mm_monitor.core.model import breach_id
from mm_monitor.units import duration
from tests.services import eventually

SECOND = 1_000_000_000
PATIENCE = 60.0  # seconds for somebody to be told
MARGIN = 8  # seconds of trading that the tour wants ahead of it
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of the tour: the breach, and after how many seconds each witness knew of its start and of its end."""

    breach: str
    contracts: list[str]
    began: dict[str, float]
    ended: dict[str, float]
    report: dict[str, Any]  # the breach as the ledger of the finished day has it


class Tour:
    """Plays the simulator's `absent` maker, who is appointed and never quotes."""

    def __init__(self, stack: Stack, say: Say = print) -> None:
        self._stack, self._say = stack, say
        reference = stack.market.reference
        makers = [row["maker"] for row in _rows(reference / "makers.csv")]
        self.maker = next(maker for maker in makers if maker.startswith("absent"))
        self.contracts = {r["contract"]: r["class"] for r in _rows(reference / "contracts.csv")}
        self.rulebook: dict[str, Any] = tomllib.loads(stack.market.rulebook.read_text())
        self.permitted = duration(self.rulebook["lapse"]["longest_permitted"])

    async def run(self) -> Told:
        """Withdraw, return, wait for the close. AssertionError when somebody tells another story."""
        bootstrap = self._stack.kafka.bootstrap
        ears = Ears(self._stack, self.maker, "lapse", self.rulebook["id"])
        async with _producer(bootstrap) as self._kafka, ears.open():
            await self._quote("0.0500", "0.0501")
            self._say(f"{self.maker} quotes {len(self.contracts)} contracts")
            await self._trading()
            gone = await self._quote(None, None)
            breach = breach_id(
                self.rulebook["id"], self.rulebook["version"], "lapse", self.maker,
                min(self.contracts), gone + self.permitted,
            )  # fmt: skip
            self._say(
                f"{self.maker} withdraws; in {self.permitted / SECOND:g} s that is breach {breach}"
            )
            began = await self._all(ears, breach, gone + self.permitted, lambda s: s.began, "knows")
            back = await self._quote("0.0500", "0.0501")
            self._say(f"{self.maker} quotes again")
            ended = await self._all(ears, breach, back, lambda s: s.over, "knows that it is over")
        report = await self._report(breach)
        assert (report["start"], report["end"]) == (gone + self.permitted, back), report
        return Told(breach, sorted(self.contracts), began, ended, report)

    async def _quote(self, bid: str | None, ask: str | None) -> int:
        """The same quote on every contract, or none, at one instant; returns it."""
        ts = time.time_ns()
        for contract, klass in self.contracts.items():
            quote = {"ts_event": ts, "maker": self.maker, "contract": contract,
                     "bid_price": bid, "bid_size": 10 if bid else 0,
                     "ask_price": ask, "ask_size": 10 if ask else 0}  # fmt: skip
            await self._kafka.send(TOPICS["quotes"], json.dumps(quote).encode(), key=klass.encode())
        await self._kafka.flush()
        return ts

    async def _trading(self) -> None:
        """Until there is trading, and enough of it ahead for a lapse and a return; and the monitor is ready."""

        def runs() -> bool:
            now = time.time_ns()
            ahead = any(start + SECOND < now < end - MARGIN * SECOND for start, end in self._open())
            return ahead and bool(self._stack.monitor.get("api/v1/status")["ready"])

        await eventually(runs, timeout=self._stack.seconds + PATIENCE, every=0.2)

    def _open(self) -> list[tuple[int, int]]:
        """Continuous trading by the rulebook's clocks, ns: the session is of today in the rulebook's zone."""
        hours = -int(self.rulebook["calendar"]["timezone"].removeprefix("Etc/GMT")) * 3_600
        midnight = (time.time_ns() // SECOND + hours) // 86_400 * 86_400 - hours
        told = []
        for phase in self.rulebook["calendar"]["phases"]:
            h, m, s = map(int, phase["at"].split(":"))
            told.append(((midnight + h * 3_600 + m * 60 + s) * SECOND, phase["phase"]))
        return [(a, b) for (a, name), (b, _) in pairwise(told) if name == "continuous"]

    async def _all(self, ears: Ears, breach: str, since: int, wanted: Callable[[Story], bool],
                   words: str) -> dict[str, float]:  # fmt: skip
        """Ask every witness until each says so; after how many seconds."""

        async def one(name: str, ask: Callable[[str, int], Story]) -> tuple[str, float]:
            await asyncio.to_thread(_until, lambda: wanted(ask(breach, len(self.contracts))), name)
            took = (time.time_ns() - since) / SECOND
            self._say(f"  {took:6.2f} s  {name} {words}")
            return name, took

        return dict(await asyncio.gather(*(one(*w) for w in ears.witnesses().items())))

    async def _report(self, breach: str) -> dict[str, Any]:
        """After the close: the finished day in the ledger has it, the evidence verifies."""
        self._say("waiting for the close of the session")
        state = self._stack.folder / "monitor"

        def finished() -> list[Path]:
            return list((state / "ledger").glob("*.json"))

        (day,) = await eventually(finished, timeout=self._stack.seconds + PATIENCE, every=0.2)
        found = {one["id"]: one for one in json.loads(day.read_text())["breaches"]}
        verified = await asyncio.to_thread(
            subprocess.run, [*COMMAND, "verify", str(state / "evidence")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert verified.returncode == 0, verified.stdout + verified.stderr
        self._say(f"          report of the day (ledger): {day.name} has {breach}")
        self._say(f"          evidence: {verified.stdout.strip()}")
        mine: dict[str, Any] = found[breach]
        return mine


@asynccontextmanager
async def _producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """Started; its default partitioner is that of the simulator and of Kafka's own clients."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def _until(holds: Callable[[], bool], name: str) -> None:
    """Wait for it, in a thread of its own. AssertionError when somebody is never told."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"{name}: not told within {PATIENCE:g} s"
        time.sleep(0.1)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


async def take(stack: Stack) -> None:
    """The tour with its words on standard output."""
    told = await Tour(stack).run()
    report = told.report
    print(
        f"All {len(told.began)} and the report tell of {told.breach}, {report['start']} to {report['end']}."
    )
