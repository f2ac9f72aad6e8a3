"""`mm-monitor demo`: a simulated trading day on an embedded broker, watched by the real service.

The clock of the demo is the session's own: what the simulator has played so far. So a day may run faster than the wall
clock and the monitor, which is handed that clock, is none the wiser.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from mm_monitor import config as settings
from mm_monitor import logs
from mm_monitor.app import App
from mm_monitor.core.model import Verdict
from mm_monitor.core.view import StatusView
from mm_monitor.errors import MonitorError
from mm_monitor.screens import makers_table
from mm_monitor.simulator.broker import EmbeddedBroker
from mm_monitor.simulator.capture import write_reference
from mm_monitor.simulator.commands import DayOptions
from mm_monitor.simulator.days import speed_for
from mm_monitor.simulator.producer import Sending, Topics, connected, produce
from mm_monitor.simulator.scenario import MISBEHAVING, Scenario
from mm_monitor.simulator.session import Session

DAY_SECONDS = 300.0  # wall time of a whole day when nothing is said
TAIL_SECONDS = 5.0  # of a timed demo, kept for the end of the day and the last verdicts
REFRESH = 0.25
DAY = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`seconds` of wall time (None: to the end of the day), `speed` in session seconds per second."""

    seconds: float | None = None
    speed: float | None = None
    seed: int = 1
    rate: int = 50_000
    makers: int = 20
    contracts: int = 600
    port: int = 8088
    plain: bool = False


class SessionClock:
    """Two clocks of the demo, ns: `now` is the session's own time, `steady` runs with the wall from its start."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._at = scenario.start
        self._shift = scenario.start - time.time_ns()

    def now(self) -> int:
        """Session time played so far."""
        return self._at

    def steady(self) -> int:
        """The clock by which the source tells silence from speech."""
        return time.time_ns() + self._shift

    def played(self, done: int, of: int, records: int) -> None:
        """The simulator's progress."""
        self._at = max(self._at, self._scenario.start + done)


def day_of(options: DemoOptions) -> tuple[Scenario, float]:
    """The day to play and its speed. MonitorError for options that make no day."""
    if options.seconds is not None and not options.seconds > 0:  # also what is no number
        raise MonitorError(f"--seconds: more than 0, got {options.seconds}")
    wall = DAY_SECONDS if options.seconds is None else max(1.0, options.seconds - TAIL_SECONDS)
    if options.speed is not None:
        if not options.speed > 0:
            raise MonitorError(f"--speed: more than 0, got {options.speed}")
        wall = 14_220 / options.speed
    day = DayOptions(
        seed=options.seed,
        makers=options.makers,
        contracts=options.contracts,
        rate=options.rate,
        seconds=wall,
    )
    scenario = day.scenario()
    return scenario, options.speed or speed_for(scenario, wall)


def config_of(options: DemoOptions, bootstrap: str, reference: Path) -> settings.Config:
    """The service's configuration for the embedded broker."""
    base = settings.Config()
    return replace(
        base,
        service=replace(base.service, id="demo"),
        kafka=replace(base.kafka, bootstrap=bootstrap, fetch_max_wait=20_000_000),
        topics=replace(base.topics, reference="", dead_letter=""),
        codecs=replace(base.codecs, quotes="packed", theo="packed"),
        reference=replace(base.reference, directory=str(reference)),
        tape=replace(
            base.tape, start="earliest", max_ahead=DAY, far_ahead=DAY, silent_after=60 * 10**9
        ),
        http=replace(base.http, port=options.port),
        breaches=replace(base.breaches, enabled=False),
        log=replace(base.log, level="error"),
    )


async def run_demo(options: DemoOptions) -> None:
    """Play, watch, show; ends by itself with a summary."""
    logs.configure("error", "console")
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):  # before anything that takes time: none is lost
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    console = Console()
    if not console.is_terminal:
        console = Console(width=100)
    scenario, speed = day_of(options)
    with tempfile.TemporaryDirectory(prefix="mm-monitor-demo-") as folder:
        write_reference(scenario, Path(folder))
        async with EmbeddedBroker() as broker:
            await make_topics(broker.bootstrap)
            clock = SessionClock(scenario)
            app = App(
                config_of(options, broker.bootstrap, Path(folder)),
                now=clock.now,
                source_clock=clock.steady,
            )
            demo = _Demo(options, scenario, speed, broker.bootstrap, app, clock, console, stop)
            await demo.run()


async def make_topics(bootstrap: str) -> None:
    """The embedded broker makes a topic when somebody first asks for it by name."""
    async with connected(bootstrap, {}) as producer:
        topics = Topics()
        for topic in (topics.quotes, topics.theo, topics.control):
            await producer.partitions_for(topic)


@dataclass(slots=True)
class _Demo:
    """The running parts."""

    options: DemoOptions
    scenario: Scenario
    speed: float
    bootstrap: str
    app: App
    clock: SessionClock
    console: Console
    stop: asyncio.Event
    interrupted: bool = False

    async def run(self) -> None:
        """Until the day, the time or the person ends it."""
        stop = self.stop
        try:
            await self.app.start()
            self._greet()
            pumping = asyncio.create_task(self.app.run())
            playing = asyncio.create_task(self._play(stop))
            try:
                await self._watch(stop, pumping, playing)
            finally:
                stop.set()
                await asyncio.gather(playing, return_exceptions=True)
                await self.app.stop()
                await asyncio.gather(pumping, return_exceptions=True)
            for task in (pumping, playing):
                if task.done() and not task.cancelled() and task.exception() is not None:
                    raise task.exception() or MonitorError("the demo broke off")
        finally:
            await self.app.stop()
        self._sum_up()

    def _greet(self) -> None:
        s = self.scenario
        url = self.app.web.url
        self.console.print(
            f"[bold]mm-monitor demo[/]: {len(s.makers)} makers x {self.options.contracts} contracts of "
            f"{len(s.classes)} classes, {self.options.rate:,} ticks a second, {self.speed:.0f}x real time\n"
            f"  broker   {self.bootstrap} (embedded, this demo's own)\n"
            f"  screen   {url}   metrics {url}metrics   health {url}healthz {url}readyz\n"
            f"  Ctrl-C ends it"
        )

    async def _play(self, stop: asyncio.Event) -> Session:
        sending = Sending(codec="packed", speed=self.speed, market_phases=False)
        return await produce(
            self.scenario, self.bootstrap, sending=sending, positions=self._positions,
            progress=self.clock.played, stop=stop,
        )  # fmt: skip

    async def _positions(self) -> Mapping[tuple[str, int], int]:
        return self.app.source.positions

    async def _watch(self, stop: asyncio.Event, *tasks: asyncio.Task[object]) -> None:
        loop = asyncio.get_running_loop()
        end = None if self.options.seconds is None else loop.time() + self.options.seconds
        live = (
            None
            if self.options.plain or not self.console.is_terminal
            else Live(console=self.console, screen=False)
        )
        last_line = 0.0
        if live is not None:
            live.start()
        try:
            while not stop.is_set() and not self._over() and (end is None or loop.time() < end):
                if any(task.done() and task.exception() is not None for task in tasks):
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), REFRESH)
                if live is not None:
                    live.update(self._table())
                elif loop.time() - last_line >= 5:
                    last_line = loop.time()
                    self.console.print(self._line())
            self.interrupted = stop.is_set()
        finally:
            if live is not None:
                live.update(self._table())
                live.stop()

    def _over(self) -> bool:
        views = self.app.get_views()
        return bool(views) and views[0].period_end is not None

    def _table(self) -> Table | str:
        views = self.app.get_views()
        return (
            makers_table(views[0], self._line()) if views and views[0].maker_rows else self._line()
        )

    def _line(self) -> str:
        views, stats = self.app.get_views(), self.app.stats
        ready, why = self.app.is_ready()
        where = "" if not views else f"{clock_text(views[0].at)}  "
        breaches = len(views[0].breaches) if views else 0
        applied = stats.records["quote"] + stats.records["theo"]
        return f"{where}{applied:,} ticks judged, {breaches} breaches" + (
            "" if ready or self._over() else f", {why}"
        )

    def _sum_up(self) -> None:
        views = self.app.get_views()
        if not views:
            self.console.print("nothing was judged")
            return
        view = views[0]
        if self.options.plain or not self.console.is_terminal:
            self.console.print(makers_table(view, self._line()))
        self.console.print(verdict_on(view, self.scenario))


def clock_text(t: int) -> str:
    """Event time as the venue's wall time."""
    seconds = (t // 10**9 + 8 * 3600) % 86_400
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def verdict_on(view: StatusView, scenario: Scenario) -> str:
    """Who breached, beside who was told to misbehave."""
    told = {maker.name for maker in scenario.makers if maker.behaviour in MISBEHAVING}
    found = {b.maker for b in view.breaches if b.kind in ("presence", "presence_unreachable")}
    failing = {r.maker for r in view.maker_rows if r.verdict is Verdict.BREACHED}
    when = "at the close" if view.period_end is not None else f"so far ({clock_text(view.at)})"
    lines = [f"breached {when}: {', '.join(sorted(found)) or 'nobody'}"]
    if view.period_end is None:
        lines.append(
            f"below the requirement, and may still recover: {', '.join(sorted(failing - found)) or 'nobody'}"
        )
    elif found == told:
        lines.append(f"all {len(told)} makers that were told to misbehave, and only they")
    else:
        lines.append(f"told to misbehave: {', '.join(sorted(told))}")
    return "\n".join(lines)
