"""Workers of one group on a real Kafka, judging a session together while they join, leave, die, and brokers fail.

What comes out is the roll-up's day, byte for byte that of a single service that nothing ever befell.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from mm_monitor.config import parse_config
from mm_monitor.rollup_service import serve
from mm_monitor.simulator.capture import write_capture
from mm_monitor.simulator.disorder import Disorder
from mm_monitor.simulator.producer import Sending, produce
from tests.faults.killing import LATENESS, Stage, said_of
from tests.integration.subject import Subject, answered, run_command, total
from tests.services.kafka import Kafka

SHARES = 2
SESSION = 10.0  # seconds after which a dead worker's shares are given to others
LIMIT = 180.0
EVERY = 0.5  # seconds between two looks: whoever asks more often is refused
WATERMARK = "mm_monitor_watermark_timestamp_seconds"


class Group:
    """All workers of a group, by name; they share one configuration."""

    def __init__(
        self,
        stage: Stage,
        name: str,
        *,
        quiet: str = "500ms",
        lateness: str = "50ms",
        pace: int = 8,
    ) -> None:
        """`quiet`: after how long a silent partition holds nothing up; `pace`: records of a poll."""
        kafka = stage.kafka
        keep = {"retention_ms": "-1"}
        self.stage, self.name, self.quiet, self.pace = stage, name, quiet, pace
        self.lateness = lateness
        self.service = stage.service(name)  # reads what came to the breaches topic
        self.accruals = kafka.unique_topic("accruals", 1, cleanup_policy="compact")
        self.kept = kafka.unique_topic(
            "checkpoints", SHARES, cleanup_policy="compact", segment_bytes=1 << 20, **keep
        )
        self.workers: dict[str, Subject] = {}
        self.ledger = stage.folder / f"{name}-rolled"

    def text(self) -> str:
        """The configuration of every worker."""
        text = self.service.life_text()
        group = f'group = "{self.kept}"\nworker = "*/{SHARES}"\nsession = "{SESSION:g}s"'
        text = text.replace("[kafka]", f"[kafka]\n{group}")
        text = text.replace("max_records = 8", f"max_records = {self.pace}")
        text = text.replace(
            "[topics]", f'[topics]\naccruals = "{self.accruals}"\ncheckpoints = "{self.kept}"'
        )
        text = text.replace(
            "[tape]",
            f'[tape]\nidle_after = "{self.quiet}"\nlost_after = "10m"\nsilent_after = "10m"',
        )
        text = text.replace(f'lateness = "{LATENESS}ns"', f'lateness = "{self.lateness}"')
        text = text.replace("[publish]", '[publish]\naccruals_every = "200ms"')
        text = re.sub(
            r"\[checkpoint\][^\[]*", '[checkpoint]\nstore = "topic"\nevery = "100ms"\n', text
        )
        return re.sub(r"\[ledger\][^\[]*", "", text)

    def join(self, name: str) -> Subject:
        """One more worker."""
        worker = self.workers[name] = Subject(self.stage.folder, self.text(), f"{self.name}-{name}")
        worker.start()
        return worker

    def running(self, name: str) -> set[int]:
        """Shares whose processes the worker has begun and not seen end."""
        shares: set[int] = set()
        for line in self.workers[name].logs:
            if line["event"] == "share_begun":
                shares.add(line["share"])
            elif line["event"] == "share_ended":
                shares.discard(line["share"])
        return shares

    async def settled(self, *names: str) -> float:
        """Wait until these run all shares, and none more than one above another; returns the seconds."""
        began = time.monotonic()

        async def are_they() -> bool:
            for name in names:
                assert self.workers[name].alive, self.workers[name].stderr
            had = [self.running(name) for name in names]
            sizes = [len(shares) for shares in had]
            even = max(sizes) - min(sizes) <= 1
            all_run = sorted(s for shares in had for s in shares) == [*range(1, SHARES + 1)]
            return even and all_run and len(await self.watermarks()) == SHARES

        await answered(are_they, LIMIT, every=EVERY)
        return time.monotonic() - began

    async def watermarks(self) -> list[float]:
        """Of all shares that answer; one that hangs does not."""
        found, limit = [], aiohttp.ClientTimeout(total=3)
        for url in self._urls():
            try:
                async with (
                    aiohttp.ClientSession(timeout=limit) as session,
                    session.get(f"{url}metrics") as answer,
                ):
                    assert answer.status == 200, answer.status
                    found.append(total(await answer.text(), WATERMARK))
            except (aiohttp.ClientError, TimeoutError):
                continue
        return found

    def _urls(self) -> Iterator[str]:
        for worker in self.workers.values():
            yield from (line["url"] for line in worker.logs if line["event"] == "listening")

    async def leave(self, name: str) -> None:
        """One leaves in peace."""
        self.workers[name].signal(15)
        assert await self.workers[name].wait(30) == 0, self.workers[name].stderr

    def kill(self, name: str) -> None:
        """One dies."""
        self.workers[name].kill()

    async def judged(self) -> bytes:
        """The roll-up's day, once every share has come to the end of the session."""
        config = parse_config(self.text().encode(), base=self.stage.folder)
        said: list[str] = []

        async def is_it() -> bool:
            said.clear()
            nothing_waits = await serve(config, self.ledger, said.append)
            return nothing_waits and any(self.ledger.glob("*.json"))

        try:
            await answered(is_it, LIMIT, every=0.5)
        except AssertionError as error:
            told = "\n".join(worker.stderr[-3000:] for worker in self.workers.values())
            raise AssertionError(f"{error} {said}\n{told}") from None
        (day,) = self.ledger.glob("*.json")
        return day.read_bytes()

    async def rung(self) -> tuple[set[tuple[str, str]], int]:
        """Breaches of contracts that were told with what became of them; and how many events came again."""
        events = await self.service.events()
        ids = [event["id"] for event in events]
        return {said_of(e) for e in events if e["data"]["breach"]["contract"]}, len(ids) - len(
            set(ids)
        )

    async def end(self) -> None:
        """All that still run leave."""
        for name, worker in self.workers.items():
            if worker.alive:
                await self.leave(name)

    def close(self) -> None:
        """Nothing is left running."""
        for worker in self.workers.values():
            worker.kill()


async def undisturbed(stage: Stage) -> tuple[bytes, set[tuple[str, str]]]:
    """What one service that nothing befalls makes of the session: its day, and breaches of contracts told."""
    service = stage.service("never")
    outcome = await service.live_to_the_end(2 * LIMIT)
    events = await service.events()
    return outcome.report, {said_of(e) for e in events if e["data"]["breach"]["contract"]}


def replayed_day(stage: Stage) -> bytes:
    """What a replay makes of the session as it was made, without any Kafka."""
    capture, ledger = stage.folder / "capture", stage.folder / "replayed"
    write_capture(stage.scenario, capture)
    rules = str(stage.folder / "rules.toml")
    code, _, said = run_command(
        stage.folder, "replay", str(capture), "--rulebook", rules, "--ledger", str(ledger), "-q",
        seconds=LIMIT,
    )  # fmt: skip
    assert code == 0, said
    (day,) = ledger.glob("*.json")
    return day.read_bytes()


async def play(stage: Stage, speed: float | None) -> None:
    """Write the session, so many times as fast as it was; every record is acknowledged or this raises."""
    once = {"acks": "all", "enable_idempotence": True}
    sending = Sending(codec="packed", rows_per_record=7, speed=speed, client=once,
                      disorder=Disorder(stage.seed, LATENESS - 1))  # fmt: skip
    await produce(stage.scenario, stage.kafka.bootstrap, stage.topics, sending)


def made(kafka: Kafka, folder: Path, seed: int, seconds: float) -> Stage:
    """A session whose classes fall on four partitions."""
    return Stage(kafka, folder, 2 * seed + 1, seconds=seconds, partitions=4)


def differs(group: bytes, single: bytes) -> list[str]:
    """Which parts of two days are not the same; none when they are equal byte for byte."""
    if group == single:
        return []
    one, other = json.loads(group), json.loads(single)
    return [key for key in {*one, *other} if one.get(key) != other.get(key)] or ["the bytes"]
