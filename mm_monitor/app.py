"""The service: the only file that names every adapter. Start, run, stop.

What is published is the engine's picture at the watermark; a sink that is stuck lags and never holds the tape.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from mm_monitor import logs, memory
from mm_monitor.agenda import Agenda
from mm_monitor.assembly import (
    make_dead_letters,
    make_desk,
    make_engine,
    make_pricer,
    make_sinks,
    make_source,
    make_tape,
    start_at,
)
from mm_monitor.closing.process import make_closer
from mm_monitor.config import Config, load_rulebooks
from mm_monitor.core.batch import Batch, Rows
from mm_monitor.core.model import BreachEvent, Control, DeadLetter, FeedRecord
from mm_monitor.core.pieces import Pieces, whole
from mm_monitor.core.reference import ALL
from mm_monitor.core.timetable import TIMETABLE_PART, decoded
from mm_monitor.core.view import StatusView
from mm_monitor.core.watch.watched import WatchedEngine
from mm_monitor.desk.noted import order_entry
from mm_monitor.errors import CheckpointError, MonitorError
from mm_monitor.evidence.inbox import post
from mm_monitor.garbage import Garbage
from mm_monitor.health import HealthStats, watch_loop
from mm_monitor.journal import Journal, control_entry, naming
from mm_monitor.ledger import LiveLedger
from mm_monitor.live_signals import LiveSignals
from mm_monitor.pump import Pump
from mm_monitor.recording.writer import TapeWriter
from mm_monitor.reload import Reload, as_it_is
from mm_monitor.restart import Checkpoints
from mm_monitor.sinks.accruals import AccrualsSink
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.prometheus import PrometheusSink
from mm_monitor.sources.clock import SteadyClock
from mm_monitor.sources.merge import BEFORE_ALL, Merge
from mm_monitor.sources.protocol import Delivery
from mm_monitor.standing import Parts, State, standing
from mm_monitor.surroundings import Vitals, around
from mm_monitor.watching import Seen, Watching
from mm_monitor.web.server import WebConfig, WebServer, WebSources

log = structlog.get_logger("mm_monitor")
NS = 1_000_000_000
PICTURE_SHARE = (
    20  # a picture that is wanted early waits so many times as long as the last one took
)
RECONCILES = "alertmanager"  # the sink that reads the picture when something has changed
TURNS = 3  # of the loop between two pieces of a picture: what comes in takes two, and would else wait for two pieces
STOP_SECONDS = 5.0  # for the loop to finish what it is at


class App:
    """One service. `now` is our clock in ns, one that no step of the system's moves unless another is given;
    `source_clock`, by which sources are silent, is the same unless given.
    """

    def __init__(
        self,
        config: Config,
        *,
        now: Callable[[], int] | None = None,
        source_clock: Callable[[], int] | None = None,
    ) -> None:
        clock = now if isinstance(now, SteadyClock) else SteadyClock(step=config.tape.clock_step)
        now = now or clock
        self.config, self.now, self.clock = config, now, clock
        self.rulebooks = load_rulebooks(config)
        self._begin_keeping()
        self.agenda = Agenda(self.rulebooks, phases=config.rulebooks.phases == "calendar")
        self.checkpoints = Checkpoints(config, self.rulebooks, self.agenda.date(now()), self.stats)
        self.reference = self.checkpoints.reference()
        self.begins = self.agenda.begins(now())
        self.source = make_source(
            config, self.reference, now=source_clock or now, clock=clock, expect=self._expects_traffic,
        )  # fmt: skip
        self.signals = LiveSignals()
        self.engine = make_engine(
            config, self.rulebooks, self.reference, self.source.part_names, self.signals
        )
        self._naming = naming(self.reference, self.source.part_names)
        self.merge = Merge(config.tape.lateness)
        start = self.checkpoints.priced_since(start_at(config, self.begins, now()))
        self.pricer = make_pricer(config, self.reference, self.journal, start, now)
        self.pump = Pump(
            self.source, self.merge, self.engine, self, self.stats, far_ahead=config.tape.far_ahead,
            most_rows=config.tape.most_rows,
            pricer=self.pricer,
        )  # fmt: skip
        self.stats.pricer = self.pricer
        self.tape = self._make_tape()
        self.parts = Parts(
            self.engine, self.merge, self.source, self.agenda, self.stats, self.pricer, self.tape
        )
        self.checkpoints.resume(self.parts)
        self.pump.rested = self._rested
        self.pump.arrived = self._arrived
        self.context = SinkContext(
            service_id=config.service.id, health=self.stats, signals=self.signals, now=now
        )
        self.sinks = make_sinks(config, self.context, self.engine)
        self.prometheus = next(sink for sink in self.sinks if isinstance(sink, PrometheusSink))
        self.prometheus.watch(self.sinks)
        self.accruals = [sink for sink in self.sinks if isinstance(sink, AccrualsSink)]
        self.dead_letters = make_dead_letters(config, self.stats)
        self.web = self._make_web()
        self._begin_unpublished()

    def _begin_keeping(self) -> None:
        """What outlives the process, but for checkpoints."""
        config, self.stats = self.config, HealthStats()
        self.stats.worker = config.kafka.worker or (1, 1)
        self.stats.know_sink("journal")
        keep, captures = config.journal.keep_days, config.journal.captures
        self.journal = Journal(
            config.journal.directory, self._journal_failed, keep_days=keep, captures=captures
        )
        self.closer = make_closer(config, self.stats)
        self.stats.know_sink("ledger")
        self.ledger = LiveLedger(config.ledger.directory, self._ledger_failed)

    def _begin_unpublished(self) -> None:
        """Nobody pumps, nothing has been shown."""
        self.views: Sequence[StatusView] = ()
        self._published = self._signalled = self._picture_cost = 0.0
        self._unpictured: list[BreachEvent] = []  # handed over, not yet in a picture
        self._drawing: asyncio.Task[None] | None = None  # of a picture, in pieces
        self._garbage = Garbage()
        self._judged_backlog = False  # of the start, and it is in a picture
        self._makers_known = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._at_rest = asyncio.Event()  # nobody pumps
        self._at_rest.set()
        self._pumped = False

    def _make_tape(self) -> TapeWriter | None:
        tape = make_tape(self.config, self.engine, self.now, self._journal_failed)
        self.pump.judging = self._judging
        return tape

    def _arrived(self, delivery: Delivery) -> None:
        """A delivery is about to be merged; what is refused after this is on the tape, and is refused there again."""
        if self.tape is not None:
            self.tape.refused(len(delivery.decoded.dead))
        if isinstance(self.engine, WatchedEngine):
            self.engine.arrive(delivery.decoded, delivery.part)

    def _judging(self, batch: Batch) -> None:
        """This piece of the tape is about to be judged."""
        if self.tape is not None:
            self.tape.judged(batch)
        if batch.controls:
            self._note_orders(batch.controls.values(), late=False)

    def _note_orders(self, controls: Iterable[Control], *, late: bool) -> None:
        """Exemptions and planned maintenance go into the evidence log, with who ordered them and why."""
        if not (self.config.evidence.directory and self.config.evidence.orders):
            return
        for control in controls:
            entry = order_entry(control, late=late)
            try:
                if entry is not None:
                    post(Path(self.config.evidence.directory), entry, sync=False)
            except MonitorError as error:
                self.stats.sink_failures["evidence"] += 1
                log.error("order_not_noted", error=str(error), entry=entry)

    def _make_web(self) -> WebServer:
        http = self.config.http
        self.watching = Watching(self.engine, http.watched, http.history)
        self.pump.apply = self.watching.apply
        vitals = Vitals(
            self.stats, self.sinks, self.now, self.is_ready, lambda: self.source.problem,
            self.config.tape.silent_after,
        )  # fmt: skip
        asked = WebSources(
            self.get_views, self.get_estimates, self.is_ready, self.prometheus.chunks, self.signals.told,
            lambda: around(self.engine), vitals.doubts, vitals.health, self.now, self._look,
            make_desk(self.config, self.rulebooks, self.reference, self.now),
        )  # fmt: skip
        where = WebConfig(
            http.host, http.port, http.tokens_file, http.certfile, http.keyfile, http.streams
        )
        return WebServer(where, asked)

    # -- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the port, connect, seek. MonitorError with the real cause when the source can't."""
        self._know_makers()
        await self.web.start()
        log.info("listening", url=self.web.url)
        await self.source.start(start_at(self.config, self.begins, self.now()))
        self._own_share()
        for sink in self.sinks:
            await sink.start()
        self._redeliver()
        for letters in self.dead_letters:
            await letters.start()
        kept = self.checkpoints.kept
        self._push(self.agenda.due(self.now()) if kept is None else self.agenda.missed(self.now()))
        self._unknown_before_start()
        self._tasks.append(asyncio.create_task(watch_loop(self.stats)))
        log.info("reading", **self.source.describe())

    def _own_share(self) -> None:
        """Of several workers each judges the classes of its partitions; of those a checkpoint has, no others."""
        share = self.source.share
        if self.checkpoints.kept is not None and share != self.reference.share:
            problem = "the topics had other partitions when it was made; move it away to begin anew"
            raise CheckpointError("settings", f"{self.checkpoints.where}: {problem}")
        if self.checkpoints.kept is None and share is not None:
            self.engine.own(share)

    def _redeliver(self) -> None:
        """Hand over again what the sinks of the life before this one had not delivered."""
        kept = self.checkpoints.kept
        for sink in self.sinks:
            events = [] if kept is None else kept["pending"].get(sink.name, ())
            if events:
                sink.publish((), events)

    def _rested(self) -> None:
        if self.checkpoints.deposed:
            problem = "another service has taken over, this one ends"
            raise CheckpointError("deposed", f"{self.checkpoints.where}: {problem}")
        if self.checkpoints.due:
            self.checkpoints.take(self._standing)

    def _standing(self, settings: dict[str, str]) -> State:
        self._write_tape()  # whoever goes on from here must find what was before
        return standing(self.parts, settings, {sink.name: sink.pending for sink in self.sinks})

    def _unknown_before_start(self) -> None:
        """OBL-06: what was before our first record is unknown, never lapsed."""
        heard_from = self.source.history_begins
        if heard_from is None:
            return
        down = FeedRecord(self.begins or 0, "*", "*", "down")
        up = FeedRecord(max(heard_from, down.ts), "*", "*", "up")
        self._push([Delivery(TIMETABLE_PART, decoded([down, up], 1 << 40), 0)])
        log.warning("no history before the first record: that time is unknown", until=up.ts)

    def _push(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            self.pump.take(delivery)

    async def run(self) -> None:
        """Until `stop`."""
        self._at_rest.clear()
        self._pumped = True
        try:
            with self._garbage.held_back():
                await self.pump.run()
        finally:
            self._at_rest.set()

    def request_stop(self) -> None:
        """Ask `run` to return; for signal handlers."""
        self.pump.stopping = True
        self.source.interrupt()

    async def stop(self) -> None:
        """Publish the last picture, let the sinks deliver, release everything; idempotent."""
        self.request_stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._at_rest.wait()
                if self._drawing is not None:
                    await asyncio.wait({self._drawing})
        if self._drawing is not None:
            self._drawing.cancel()
        if not self.checkpoints.deposed:  # then there is somebody else who knows better
            whole(self._publishing())
        where = self._where_it_ends()
        await self.source.stop()
        # Together, for each may take seconds over what its other side has not confirmed yet.
        stops = [sink.stop() for sink in self.sinks]
        await asyncio.gather(*stops, *(letters.stop() for letters in self.dead_letters))
        if where is not None:
            where["pending"] = {sink.name: list(sink.pending) for sink in self.sinks}
        last = None if where is None else lambda settings: where
        await asyncio.to_thread(self.checkpoints.finish, last, STOP_SECONDS)
        if self.closer is not None:
            await self.closer.stop()
        await self.web.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self.journal.close()
        if self.tape is not None:
            self._write_tape()
            self.tape.close()

    def _write_tape(self) -> None:
        if self.tape is not None:
            self.tape.flush(self.merge.watermark)

    def _where_it_ends(self) -> State | None:
        """The last state; None if nothing was begun, somebody still pumps, or it is no longer ours to write."""
        if not self._pumped or not self._at_rest.is_set() or self.checkpoints.deposed:
            return None
        self._pumped = False
        return self._standing(self.checkpoints.settings)

    # -- what the pump tells ------------------------------------------------------------------

    def dead(self, letters: Sequence[DeadLetter]) -> None:
        """Count dead letters and hand them to their stream."""
        self._know_makers()
        for letter in letters:
            self.stats.count_dead_letter(letter.reason.value, letter.maker)
        for stream in self.dead_letters:
            stream.put(letters)

    def _know_makers(self) -> None:
        """Those appointed since the last time get series of their own."""
        self.stats.know_makers(self.reference.makers[self._makers_known :])
        self._makers_known = len(self.reference.makers)

    def late(self, rows: Rows, controls: Sequence[Control]) -> None:
        """Journal what came too late; the pump has counted it and marked its windows provisional."""
        self._note_orders(controls, late=True)
        if self.tape is None:
            self.journal.late(self.now(), rows, controls, self._naming)
        else:
            self.tape.late(rows, controls)
            self.journal.late_batch(self.now(), rows, controls)
        for control in controls:
            if getattr(control, "raw", None) is not None:  # the source's own are told by itself
                log.warning("came too late and was not applied", **control_entry(control))

    def _ledger_failed(self) -> None:
        self.stats.sink_failures["ledger"] += 1

    def _journal_failed(self) -> None:
        self.stats.sink_failures["journal"] += 1

    def advanced(self, watermark: int) -> None:
        """Hand over at once what broke; the picture follows soon, at the latest after `publish.every`."""
        self._push(self.agenda.due(watermark))
        self._hand_over(self.engine.drain())
        if self._drawing is not None:
            if not self._drawing.done():
                return
            self._drawing.result()  # what it raised ends the service
        patience = self.config.publish.every / NS
        if self._unpictured:
            patience = min(patience, PICTURE_SHARE * self._picture_cost)
        if time.monotonic() - self._published >= patience:
            publishing = self._publishing()
            next(
                publishing
            )  # here every record before the watermark has been applied, and no other
            self._drawing = asyncio.create_task(self._draw(publishing))

    async def _draw(self, publishing: Pieces[None]) -> None:
        """The rest of a picture and all that follows from it, while the tape goes on between its pieces."""
        cost, started = 0.0, time.monotonic()
        for _ in publishing:
            cost += time.monotonic() - started
            for _ in range(TURNS):
                await asyncio.sleep(0)
            started = time.monotonic()
        self._picture_cost = cost
        self._garbage.tidy(idle=not any(e.in_period for e in self.engine.evaluators))

    def _publishing(self) -> Pieces[None]:
        """Show the picture at the watermark, of copies that its first piece takes."""
        self._know_makers()
        watermark, drawing = self.merge.watermark, None
        caught_up = self.source.caught_up  # now, not when the picture is done
        if watermark > BEFORE_ALL:
            drawing = self.engine.picturing(max(watermark, self.engine.position))
            self.stats.phases = {
                e.rulebook.id: e.conditions.phases.get(ALL, "") for e in self.engine.evaluators
            }
            for entry in self.source.decided():
                self.journal.write("source", self.now(), entry)
            self.journal.write("watermark", self.now(), {"watermark": watermark})
        self._hand_over(self.engine.drain())
        events, self._unpictured = self._unpictured, []
        yield
        if drawing is not None:
            self.views = yield from drawing
            self._judged_backlog |= caught_up
        self._published = time.monotonic()
        self.stats.source_lag.update(self.source.backlog)
        self.stats.raw_fetch = self.source.raw
        self.stats.down_causes.update(self.source.down_causes)
        self.stats.outages.update(self.source.outages)
        self.stats.clock_steps, self.stats.clock_off = self.clock.steps, self.clock.off
        self.stats.misplaced_classes = len(self.source.misplaced)
        self.stats.ready, self.stats.catching_up = self.is_ready()[0], not self._judged_backlog
        self._show(events)
        yield
        if self._published - self._signalled >= self.config.signals.every / NS:
            self._signalled = self._published
            self.signals.refresh(self.views)
            yield
        self.ledger.keep(self.engine)
        for sink in self.accruals:
            sink.keep(self.engine)
        self.journal.flush(self.now())
        self._write_tape()
        if self.closer is not None and self.tape is not None:
            self.closer.look(self.tape.date)
        self.journal.forget(self.now())

    def _hand_over(self, events: Sequence[BreachEvent]) -> None:
        """Transitions to the sinks that pass them on; one that reconciles gets them with their picture."""
        if not events:
            return
        for sink in self.sinks:
            if sink.name != RECONCILES:
                sink.publish(self.views, events)
        self._unpictured += events
        for event in events:
            breach = event.breach
            log.info(f"breach {event.action}", kind=str(breach.kind), maker=breach.maker,
                     contract=breach.contract, reason=breach.reason, id=breach.id)  # fmt: skip

    def _show(self, events: Sequence[BreachEvent]) -> None:
        """The newest picture to all sinks, with what broke since the one before."""
        for sink in self.sinks:
            sink.publish(self.views, events if sink.name == RECONCILES else ())

    # -- what the web asks --------------------------------------------------------------------

    def get_views(self) -> Sequence[StatusView]:
        """The pictures last published, as of the watermark."""
        return self.views

    def get_estimates(self) -> Sequence[StatusView]:
        """The pictures extended to now, for screens; marked as estimates."""
        if self.merge.watermark == BEFORE_ALL:
            return ()
        return self.engine.at(max(self.now(), self.engine.position), estimate=True)

    def is_ready(self) -> tuple[bool, str]:
        """Ready once the backlog of the start has been judged and the published picture has it."""
        if self.pump.stopping:
            return False, "stopping"
        if not self.views:
            return False, "waiting for the first records of every partition"
        if not self._judged_backlog:
            return False, "catching up with the log"
        if self.source.problem:
            return True, f"ready, but {self.source.problem}"
        return True, "ready"

    def _look(self, key: tuple[str, str, str], since: int, own: bool) -> Seen | None:
        """One obligation as of the watermark; `own`: its maker asks."""
        return self.watching.seen(key, self.merge.watermark, since, own=own)

    def _expects_traffic(self) -> bool:
        return any(bool(e.accruals.cons["e_run"].any()) for e in self.engine.evaluators)


async def serve(config: Config, path: Path, own: Callable[[Config], Config] = as_it_is) -> None:
    """Run the service until SIGTERM or SIGINT; SIGHUP reads `path` again. MonitorError when it cannot start.

    `own` makes of the file what this process has of it.
    """
    logs.configure(config.log.level, config.log.format)
    memory.keep_freed()
    app = App(config)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    reload = Reload(path, config, lambda read: app.web.admit(read.http.tokens_file), own)
    loop.add_signal_handler(signal.SIGHUP, reload)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # it may have waited for this
    try:
        await _until(stop, app.start())
        if not stop.is_set():
            stopping = asyncio.create_task(_stop_when(stop, app))
            await app.run()
            stopping.cancel()
    finally:
        await app.stop()
    log.info("stopped")


async def _until(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do the work, or drop it when `stop` is set: a broker that hangs must not keep us from ending."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return
    await working


async def _stop_when(stop: asyncio.Event, app: App) -> None:
    await stop.wait()
    app.request_stop()
