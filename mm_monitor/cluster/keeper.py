"""`kafka.worker = "*/N"`: joins the group, runs the shares that it is given, and lets go of those that it is not.

Each share is a process (`share.py`). Those that go elsewhere write their last checkpoint within one deadline for all;
whoever is not done by then is ended, and the checkpoint before is taken up. Nothing is given away before that.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from aiokafka.errors import KafkaError

from mm_monitor import logs
from mm_monitor.assembly import kafka_options
from mm_monitor.cluster.membership import NS, Membership
from mm_monitor.config import Config, load_rulebooks, parse_config
from mm_monitor.reload import Reload, at_once
from mm_monitor.sources.kafka_client import unreachable
from mm_monitor.sources.kafka_options import client_settings
from mm_monitor.tables import read_bytes
from mm_monitor.web.access import read_tokens

_TICK = 0.2  # seconds between two looks
_AGAIN = (0.5, 30.0)  # seconds: first and longest wait before a share that ended is started again
_LONG = 60.0  # seconds after which a share that ends is taken for a new trouble
_log = structlog.get_logger("mm_monitor.cluster")


@dataclass(slots=True)
class Share:
    """One that runs here, from 0."""

    number: int
    process: asyncio.subprocess.Process
    began: float
    leaving: float = 0.0  # monotonic: when it was told to let go

    @property
    def alive(self) -> bool:
        """Does its process run?"""
        return self.process.returncode is None

    def tell(self, lease: int) -> None:
        """Prolong its lease."""
        if self.process.stdin is not None and not self.process.stdin.is_closing():
            self.process.stdin.write(b"%d\n" % lease)

    def release(self) -> None:
        """Ask it to write its last checkpoint and end."""
        if not self.leaving:
            self.leaving = time.monotonic()
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)

    def read_again(self) -> None:
        """Ask it to read the file again."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGHUP)

    def end(self) -> None:
        """Now."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


@dataclass(slots=True)
class Keeper:
    """The shares of one machine; `told` is what each of their processes is told of the configuration."""

    config: Config
    told: dict[str, str]
    member: Membership
    running: dict[int, Share] = field(default_factory=dict)
    _closing: bool = False
    _waits: dict[int, tuple[float, float]] = field(default_factory=dict)  # share: until, how long

    def take_up(self, config: Config) -> None:
        """Have every share read a file again that was found good, and those that begin later go by it, too.

        InputError for tokens that the shares would refuse.
        """
        if config.http.tokens_file:
            read_tokens(Path(config.http.tokens_file))
        self.told |= at_once(config)
        for share in self.running.values():
            share.read_again()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then everything is let go, and only after that is the group left."""
        try:
            while not stop.is_set():
                await self._look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_TICK):
                        await stop.wait()
            await self._let_all_go()
        finally:
            for share in self.running.values():
                share.end()
            await self.member.stop()

    async def _look(self) -> None:
        """Make what runs here what was given, as far as the lease goes."""
        self._bury()
        wanted = frozenset() if self._closing else self.member.given
        if self.member.valid:
            for share in self.running.values():
                share.tell(self.member.lease)
            for number in sorted(wanted - self.running.keys()):
                if time.monotonic() >= self._waits.get(number, (0.0, 0.0))[0]:
                    await self._begin(number)
        else:
            for share in self.running.values():
                share.end()
        for share in self.running.values():
            if share.number not in wanted:
                self._release(share)

    def _release(self, share: Share) -> None:
        share.release()
        if time.monotonic() - share.leaving > self.config.checkpoint.release_within / NS:
            _log.error("share_not_released_in_time", share=share.number + 1)
            share.end()

    def _bury(self) -> None:
        """Those that ended: let go, or to be started again."""
        ended = [share for share in self.running.values() if not share.alive]
        for share in ended:
            del self.running[share.number]
            code, lasted = share.process.returncode, time.monotonic() - share.began
            _log.info("share_ended", share=share.number + 1, code=code, seconds=round(lasted, 1))
            if not share.leaving:
                first, longest = _AGAIN
                before = 0.0 if lasted > _LONG else self._waits.get(share.number, (0.0, 0.0))[1]
                wait = min(longest, max(first, 2 * before))
                self._waits[share.number] = time.monotonic() + wait, wait
        self.member.runs(self.running)
        all_gone = not any(share.leaving for share in self.running.values())
        if all_gone and any(share.leaving for share in ended) and not self._closing:
            self.member.ask_again()

    async def _begin(self, number: int) -> None:
        # Until it can read its file again a SIGHUP has to wait: it would end it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mm_monitor.cluster.share",
                stdin=asyncio.subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        share = self.running[number] = Share(number, process, time.monotonic())
        self.member.runs(self.running)
        assert process.stdin is not None
        told = {**self.told, "share": number + 1, "lease": self.member.lease}
        process.stdin.write(json.dumps(told).encode() + b"\n")
        _log.info("share_begun", share=share.number + 1, pid=process.pid)

    async def _let_all_go(self) -> None:
        self._closing = True
        while self.running:
            await self._look()
            await asyncio.sleep(_TICK / 4)


async def serve(file: Path) -> None:
    """Keep shares as the configuration file says, until SIGTERM or SIGINT; SIGHUP reads it again.

    MonitorError when that cannot begin.
    """
    data = read_bytes(file)
    config = parse_config(data, file=str(file), base=file.parent)
    load_rulebooks(config)  # what is wrong with them is said once, here
    logs.configure(config.log.level, config.log.format)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    kafka, (_, shares) = config.kafka, config.kafka.worker or (0, 1)
    options = kafka_options(config)
    topic = config.topics.checkpoints
    member = Membership(client_settings(options), kafka.group, topic, shares, kafka.session)
    told = {"config": data.decode(), "file": str(file), "base": str(file.parent.absolute())}
    keeper = Keeper(config, told, member)
    reload = Reload(file, config, keeper.take_up)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
    try:
        await member.start()
    except (TimeoutError, KafkaError, OSError) as error:
        await member.stop()
        raise await unreachable(options, error) from None
    except BaseException:
        await member.stop()
        raise
    _log.info("group_joined", group=kafka.group, topic=topic, shares=shares)
    await keeper.run(stop)
    _log.info("stopped")
