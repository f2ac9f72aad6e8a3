"""Kafka as a source: decoded deliveries, and an honest account of what cannot be heard.

Quotes and theos are read by explicit partitions or as a consumer group; the control and reference
topics always whole and by everybody. A failure after `start` never ends the source: it waits, says
what is wrong (`problem`), marks the time as unknown (TAPE-06) and goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from mm_monitor.core.reference import Reference
from mm_monitor.core.share import Share, partition_of
from mm_monitor.errors import ConfigError, MonitorError
from mm_monitor.sources.clock import SteadyClock
from mm_monitor.sources.kafka_batches import Fetched, of_records
from mm_monitor.sources.kafka_cause import why_unreachable
from mm_monitor.sources.kafka_client import (
    StartAt,
    close,
    compacted,
    first_offsets,
    open_consumer,
    partitions_of,
    unreachable,
)
from mm_monitor.sources.kafka_decode import KafkaDecoder
from mm_monitor.sources.kafka_options import MS, SECOND, KafkaFeeds, KafkaOptions, TapeTimes
from mm_monitor.sources.kafka_parts import COMPACTED, OWN_PART, Part
from mm_monitor.sources.kafka_raw import fetch_raw, pieces
from mm_monitor.sources.kafka_watch import Entry, Watch
from mm_monitor.sources.protocol import Delivery

_log = structlog.get_logger("mm_monitor.sources.kafka")
_BACKOFF = (0.1, 5.0)  # seconds: first and longest wait after a failed fetch
_POSITION_SECONDS = 1.0


class KafkaSource:
    """Live source over the topics of `feeds`.

    `now` is our clock in ns, against which records are ahead and by which time moves on when all is
    quiet; `clock` measures how long something has lasted, and says when our machine's was set (the same, in a service);
    `expect_traffic` says whether trading is on, so that silence means something.
    """

    def __init__(
        self,
        options: KafkaOptions,
        feeds: KafkaFeeds,
        reference: Reference,
        *,
        times: TapeTimes | None = None,
        now: Callable[[], int] = time.time_ns,
        clock: SteadyClock | None = None,
        expect_traffic: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clock = clock or SteadyClock()
        self._steps, self._refreshed = self._clock.steps, self._clock()
        self._options, self._feeds = options, feeds
        self._times = times or TapeTimes()
        self._now, self._expect_traffic = now, expect_traffic
        self._left: dict[tuple[str, int], dict[str, Any]] = {}  # states of parts to go on with
        self._kept_watch: Mapping[str, Any] | None = None
        self._start: StartAt = "earliest"
        self._decoder = KafkaDecoder(feeds, reference, self._times.max_ahead)
        self._watch = self._new_watch()
        self._parts: dict[TopicPartition, Part] = {}
        self._names: dict[int, tuple[str, int]] = {}
        self._data: AIOKafkaConsumer | None = None
        self._control: AIOKafkaConsumer | None = None
        self._compacted: frozenset[str] = frozenset()
        self._caught_up = False
        self._knows_names = False
        self._backoff = 0.0
        self._looked_for_new = 0  # wall
        self._interrupted = asyncio.Event()
        self._probe: asyncio.Task[None] | None = None
        self.raw = False  # are record batches read as they are?
        self.problem = ""  # why the brokers do not answer, "" while they do
        self.history_begins: int | None = None  # ns; what was before is not to be had (OBL-06)
        self.share: Share | None = None  # of the classes, once started; None = all that there are
        self.misplaced: set[str] = set()  # classes heard on a partition that is not their key's

    def _new_watch(self) -> Watch:
        return Watch(self._times, self._options.fetch_max_wait, self._clock(), self._now())

    @property
    def parts(self) -> Sequence[int]:
        """Our own part and those of all assigned partitions."""
        return [OWN_PART, *(part.number for part in self._parts.values())]

    @property
    def part_names(self) -> Mapping[int, tuple[str, int]]:
        """Topic and partition of every part ever assigned, for evidence; grows by itself."""
        return self._names

    @property
    def live_parts(self) -> Sequence[int]:
        """Parts that hold the watermark back, as of the last poll."""
        return self._watch.live

    @property
    def idle_watermark(self) -> int | None:
        """As of the last poll: where our clock lets time move on when no part is live."""
        return self._watch.idle_watermark

    @property
    def finished(self) -> bool:
        """Never."""
        return False

    @property
    def caught_up(self) -> bool:
        """Has the backlog that stood at the start been read?"""
        return self._caught_up

    @property
    def positions(self) -> Mapping[tuple[str, int], int]:
        """Next offset to read by topic and partition, for a checkpoint."""
        return {(p.topic, p.partition): p.expected for p in self._parts.values() if p.expected >= 0}

    @property
    def backlog(self) -> Mapping[tuple[str, int], int]:
        """Records not read yet by topic and partition."""
        return {
            (p.topic, p.partition): max(0, p.end - max(p.position, 0)) for p in self._parts.values()
        }

    @property
    def down_causes(self) -> Mapping[str, int]:
        """How many scopes each cause keeps down."""
        return self._watch.feed.causes

    @property
    def outages(self) -> Mapping[str, int]:
        """How often each cause has taken scopes down since the start."""
        return self._watch.feed.outages

    @property
    def scopes_down(self) -> frozenset[str]:
        """Scopes that the source has declared down."""
        return self._watch.feed.scopes

    def state(self) -> dict[str, Any]:
        """Where every partition stands and what was made of silence, for a checkpoint between two polls."""
        parts = {**self._left, **{(p.topic, p.partition): p.state() for p in self._parts.values()}}
        return {
            "parts": [parts[name] for name in sorted(parts) if parts[name]["expected"] >= 0],
            "watch": self._watch.state(),
            "held": list(self._decoder.held),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; to be called before `start`, which then seeks there."""
        self._left = {(part["topic"], part["partition"]): part for part in state["parts"]}
        self._kept_watch = state["watch"]
        self._decoder.hold(state["held"])

    def describe(self) -> dict[str, object]:
        """What is read and from where, for a log line."""
        return {
            "bootstrap": self._options.bootstrap,
            "topics": list(self._decoder.feed_of),
            "partitions": len(self._parts),
            "group": self._options.group,
            "start": self._start,
        }

    def decided(self) -> list[Entry]:
        """What the source decided since the last call, for the journal: feeds, idle partitions."""
        return self._watch.decided()

    async def start(self, begins: StartAt | None = None) -> None:
        """Connect, assign and seek: to event time `begins` (ns), "latest", or the earliest record.

        Raises MonitorError with the real cause; may be called again then.
        """
        self._start = "earliest" if begins is None else begins
        self._watch = self._new_watch()
        if self._kept_watch is not None:
            self._watch.restore(self._kept_watch)
        self._interrupted.clear()
        try:
            self._control = await open_consumer(self._options)
            self._data = await open_consumer(self._options, self._options.group)
            numbered = bool(self._options.sequence_header)  # headers are for the client to read
            self.raw = not numbered and fetch_raw(self._data, self._options.fetch)
            await self._assign()
        except (TimeoutError, KafkaError, OSError) as error:
            await self.stop()
            raise await unreachable(self._options, error) from None
        except BaseException:
            await self.stop()
            raise
        if self._start == "latest" and self._kept_watch is None:
            self.history_begins = self._now()

    async def poll(self) -> Sequence[Delivery]:
        """What came, waiting for it no longer than a fetch; and what the source has to say."""
        assert self._control is not None
        assert self._data is not None
        wait = max(1, self._options.fetch_max_wait // MS)
        # Names first: a quote on a contract that is listed behind it in the backlog, or a moment
        # before it, is no mistake. So quotes are fetched before controls and decoded after them.
        data = await self._fetch(self._data, wait, self.raw) if self._knows_names else []
        controls = await self._fetch(self._control, 0 if self._knows_names else wait)
        deliveries = await self._decode(controls)
        self._decoder.announce(deliveries)
        deliveries += await self._decode(data)
        deliveries += self._decoder.release_held(self._parts.values(), self._now())
        await self._refresh()
        await self._take_up_new()
        now = self._now()
        if self._steps != self._clock.steps:
            self._steps = self._clock.steps
            self._watch.clock_stepped(self._clock())
        self._watch.look(self._clock(), now, self._expect_traffic())
        self._tell_problem()
        own = self._watch.feed.take()
        if own is not None:
            deliveries.insert(0, Delivery(OWN_PART, own, len(own.controls), ts_recv=now))
        return deliveries

    def pause(self, parts: Sequence[int]) -> None:
        """Stop fetching these parts."""
        self._set_paused(parts, paused=True)

    def resume(self, parts: Sequence[int]) -> None:
        """Fetch them again."""
        self._set_paused(parts, paused=False)

    def interrupt(self) -> None:
        """Cut short whatever `poll` waits for, because the loop is to end."""
        self._interrupted.set()

    async def stop(self) -> None:
        """Leave the group, close the connections."""
        self._interrupted.set()
        if self._probe is not None:
            self._probe.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probe
        consumers, self._data, self._control = (self._data, self._control), None, None
        for consumer in consumers:
            if consumer is not None:
                await close(consumer)
        self._parts.clear()

    # Assignment ----------------------------------------------------------------------------------

    async def _find(self, topics: Iterable[str], wanted: Iterable[int]) -> list[TopicPartition]:
        """Partitions of topics, by the consumer that is in no group: it may ask for any topic."""
        assert self._control is not None
        found = [
            await partitions_of(self._control, topic, wanted, self._options)
            for topic in topics
            if topic
        ]
        return [tp for group in found for tp in group]

    async def _assign(self) -> None:
        assert self._control is not None
        assert self._data is not None
        topics = [self._feeds.quotes, self._feeds.theo]
        everything = await self._find(topics, ())
        data = await self._find(topics, self._options.partitions)
        data = self._shared_out(data, everything)
        control = await self._find([self._feeds.control, self._feeds.reference], ())
        self._compacted = await compacted(self._options, topics)
        for topic in self._compacted:
            _log.warning("compacted", topic=topic, means="records are lost, and their time unknown")
        self._control.assign(control)
        await self._begin(self._control, control, "earliest")
        if self._options.group and self._options.worker is None:
            listener = _Rebalance(self._on_assigned, self._on_revoked)
            self._data.subscribe(topics, listener=listener)
        else:
            self._data.assign(data)
            await self._begin(self._data, data, self._start)

    def _shared_out(
        self, found: list[TopicPartition], everything: list[TopicPartition]
    ) -> list[TopicPartition]:
        """Those of the partitions found that are ours, and with them our share of the classes."""
        worker, feeds = self._options.worker, self._feeds
        counts = {
            topic: sum(tp.topic == topic for tp in everything)
            for topic in (feeds.quotes, feeds.theo)
        }
        if worker is not None:
            k, n = worker
            found = [tp for tp in found if tp.partition % n == k - 1]
        mine = frozenset(tp.partition for tp in found if tp.topic == feeds.quotes)
        if worker is None and len(mine) == counts[feeds.quotes]:
            return found
        if len(set(counts.values())) > 1:
            said = " and ".join(f"{topic!r} has {count}" for topic, count in counts.items())
            problem = f"quotes and theos need as many partitions each, {said}"
            raise MonitorError(f"Kafka at {self._options.bootstrap}: {problem}")
        if not mine:
            k, n = worker or (0, 0)
            problem = f"nothing is left for worker {k} of {n}: {feeds.quotes!r} has {counts[feeds.quotes]} partitions"
            raise MonitorError(f"Kafka at {self._options.bootstrap}: {problem}")
        self.share = Share(counts[feeds.quotes], mine)
        return found

    def _look_for_misplaced(self, part: Part) -> None:
        """Whoever has the partition of a class's key judges it, and hears nothing of it."""
        if self.share is None or part.placed == len(part.classes):
            return
        part.placed = len(part.classes)
        of = self.share.of
        wrong = {name for name in part.classes if partition_of(name, of) != part.partition}
        for name in sorted(wrong - self.misplaced):
            _log.error("class_misplaced", topic=part.topic, partition=part.partition, klass=name,
                       its_key_is_of=partition_of(name, of))  # fmt: skip
        self.misplaced |= wrong

    async def _begin(
        self, consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition], start: StartAt
    ) -> None:
        """Seek to the checkpoint, or to the start; only then are they parts of ours."""
        tps = list(partitions)
        left = {tp: self._left.get((tp.topic, tp.partition)) for tp in tps}
        unknown = [tp for tp in tps if left[tp] is None]
        offsets, late = await first_offsets(consumer, unknown, start)
        ends = await consumer.end_offsets(tps) if tps else {}
        if late is not None:
            self.history_begins = max(late, self.history_begins or late)
            _log.warning("history_begins_late", asked=start, first=late)
        for tp in tps:
            feed = self._decoder.feed_of[tp.topic]
            part = Part(feed, tp.topic, tp.partition, self._clock())
            part.keeps_all = tp.topic not in self._compacted
            known = left[tp]
            if known is not None:
                part.restore(known)
            offset = offsets[tp] if known is None else known["expected"]
            part.expected = part.position = offset
            part.backlog_end = ends[tp]
            consumer.seek(tp, offset)
            self._parts[tp] = part
            self._names[part.number] = (tp.topic, tp.partition)
            self._watch.parts.append(part)

    async def _take_up_new(self) -> None:
        """Partitions that a topic was given since the start are read, too, from their first record."""
        data, wall = self._data, self._clock()
        if data is None or self._options.group or self.share is not None:
            return
        if wall - self._looked_for_new < SECOND:  # metadata is not younger than that
            return
        self._looked_for_new = wall
        named = [TopicPartition(topic, number) for topic in (self._feeds.quotes, self._feeds.theo)
                 for number in sorted(data.partitions_for_topic(topic) or ())]  # fmt: skip
        new = [tp for tp in named if tp not in self._parts]
        if not new:
            return
        held = [tp for tp in data.assignment() if tp in self._parts]
        data.assign([*held, *new])
        for tp in held:  # an assignment forgets where we were
            data.seek(tp, self._parts[tp].expected)
        self._set_paused([part.number for part in self._parts.values() if part.paused], paused=True)
        with contextlib.suppress(KafkaError):  # then they are still new the next time
            await self._begin(data, new, "earliest")
            _log.warning("partitions_added", partitions=[(tp.topic, tp.partition) for tp in new])

    async def _on_assigned(self, partitions: Iterable[TopicPartition]) -> None:
        assert self._data is not None
        fresh = [tp for tp in partitions if tp not in self._parts]
        await self._begin(self._data, fresh, self._start)
        _log.info(
            "partitions_assigned", partitions=sorted((tp.topic, tp.partition) for tp in fresh)
        )
        held = [tp for tp in self._parts if tp.topic == self._feeds.quotes]
        if held and len(held) < len(self._data.partitions_for_topic(self._feeds.quotes) or ()):
            _log.error("group_has_others", group=self._options.group, partitions=len(held),
                       means="what others read counts as never quoted; use kafka.worker")  # fmt: skip

    def _on_revoked(self, partitions: Iterable[TopicPartition]) -> None:
        """Another worker reads them from here on; should they come back we go on where we were."""
        for tp in partitions:
            part = self._parts.pop(tp, None)
            if part is not None:
                self._left[tp.topic, tp.partition] = part.state()
                self._watch.drop(part)

    def _set_paused(self, parts: Sequence[int], *, paused: bool) -> None:
        wanted = set(parts)
        for consumer in (self._data, self._control):
            if consumer is None:
                continue
            for tp in consumer.assignment():
                part = self._parts.get(tp)
                if part is not None and part.number in wanted:
                    part.paused = paused
                    (consumer.pause if paused else consumer.resume)(tp)

    # Fetching ------------------------------------------------------------------------------------

    async def _fetch(
        self, consumer: AIOKafkaConsumer, timeout_ms: int, raw: bool = False
    ) -> list[tuple[TopicPartition, Fetched]]:
        """Records by partition; none after a failure, which has been waited out."""
        try:
            fetched = await self._take_in(consumer, timeout_ms, raw)
        except OffsetOutOfRangeError as error:
            await self._return_to_range(consumer, error.args[0])
            return []
        except NoOffsetForPartitionError:  # a group assigned it and our seek is on its way
            return []
        except (TimeoutError, KafkaError, OSError) as error:
            await self._wait_out(error)
            return []
        self._backoff = 0.0
        return fetched

    async def _take_in(
        self, consumer: AIOKafkaConsumer, timeout_ms: int, raw: bool
    ) -> list[tuple[TopicPartition, Fetched]]:
        if not raw:
            most = self._options.max_records
            batches = await consumer.getmany(timeout_ms=timeout_ms, max_records=most)
            header = self._options.sequence_header
            return [(tp, of_records(found, header)) for tp, found in batches.items() if found]
        good, bad = await pieces(consumer, timeout_ms, self._options.max_bytes)
        for tp, error in bad:
            _log.error(
                "records_unreadable", topic=tp.topic, partition=tp.partition, error=str(error)
            )
        if bad and not good:
            raise CorruptRecordException(str(bad[0][1]))
        return good

    async def _decode(self, fetched: list[tuple[TopicPartition, Fetched]]) -> list[Delivery]:
        """Piece by piece, and others may run between two of them."""
        now = self._now()
        deliveries: list[Delivery] = []
        for i, (tp, records) in enumerate(fetched):
            if i:
                await asyncio.sleep(0)
            if tp in self._parts:
                deliveries += self._take(self._parts[tp], records, now)
        return deliveries

    async def _wait_out(self, error: BaseException) -> None:
        first, longest = _BACKOFF
        self._backoff = min(longest, max(first, 2 * self._backoff))
        _log.warning("kafka_fetch_failed", error=str(error), wait_seconds=self._backoff)
        with contextlib.suppress(asyncio.TimeoutError):
            async with asyncio.timeout(self._backoff):
                await self._interrupted.wait()

    async def _return_to_range(
        self, consumer: AIOKafkaConsumer, asked: Mapping[TopicPartition, int]
    ) -> None:
        """What we wanted is gone: retention took it, or the topic was made anew."""
        for tp in asked:
            part = self._parts.get(tp)
            if part is None:
                continue
            first = (await consumer.beginning_offsets([tp]))[tp]
            _log.warning("offset_out_of_range", topic=tp.topic, partition=tp.partition,
                         asked=asked[tp], first=first)  # fmt: skip
            self._watch.gap(part)
            part.expected = part.position = first
            consumer.seek(tp, first)

    def _take(self, part: Part, fetched: Fetched, now: int) -> list[Delivery]:
        """Decode what is new, piece by piece where offsets are missing."""
        segments, repeats = part.segments(fetched.offsets)
        part.heard = self._clock()
        deliveries = []
        for which, why in part.numbered(segments, fetched.numbers):
            segment = fetched.some(which)
            if why:
                _log.warning(why.replace(" ", "_"), topic=part.topic, partition=part.partition)
                self._watch.gap(part, why)
            if len(segment) or repeats:
                decoded, survey = self._decoder.decode(part, segment, self._ahead_of(now))
                if survey is not None and survey[2] > now + self._times.max_ahead:
                    self._clock.adopt()
                delivery = Delivery(part.number, decoded, len(segment), repeats, now, survey)
                deliveries.append(delivery)
                self._decoder.note(self._watch, part, delivery, segment, now - part.heard)
                self._look_for_misplaced(part)
                repeats = 0
        return deliveries

    def _ahead_of(self, now: int) -> int:
        """By what to tell records that are ahead: where our clock was set forward, by the later time."""
        return now + max(0, self._clock.off)

    # Watching ------------------------------------------------------------------------------------

    async def _refresh(self) -> None:
        """Where every partition stands and when its broker last answered."""
        with contextlib.suppress(KafkaError, asyncio.TimeoutError):
            async with asyncio.timeout(_POSITION_SECONDS):
                for consumer in (self._data, self._control):
                    for tp in consumer.assignment() if consumer is not None else ():
                        part = self._parts.get(tp)
                        if part is not None and consumer is not None:
                            await self._update(part, consumer, tp)
            self._refreshed = self._clock()
        parts = self._parts.values()
        if not self._knows_names:
            self._knows_names = all(p.caught_up for p in parts if p.feed in COMPACTED)
        elif not self._caught_up:
            self._caught_up = bool(parts) and all(part.caught_up for part in parts)

    async def _update(self, part: Part, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        highwater, stamp = consumer.highwater(tp), consumer.last_poll_timestamp(tp)
        if highwater is not None and stamp is not None:
            part.end = highwater
            part.answer(stamp * MS - self._clock.off, self._refreshed, self._clock())
        part.position = await consumer.position(tp)

    def _tell_problem(self) -> None:
        lost = bool(self._watch.lost)
        if not lost and self.problem:
            _log.info("kafka_answers_again", bootstrap=self._options.bootstrap)
            self.problem = ""
        elif lost and (self._probe is None or self._probe.done()):
            self._probe = asyncio.create_task(self._find_cause(), name="kafka cause")

    async def _find_cause(self) -> None:
        try:
            cause = await why_unreachable(self._options) or "a partition has no leader that answers"
        except ConfigError as error:  # a secret's file is gone since the start
            cause = str(error)
        if cause != self.problem:
            self.problem = cause
            _log.error("kafka_unreachable", bootstrap=self._options.bootstrap, cause=cause)
        await asyncio.sleep(1.0)


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    """Hands the group's decisions to the source."""

    def __init__(
        self,
        assigned: Callable[[Iterable[TopicPartition]], Any],
        revoked: Callable[[Iterable[TopicPartition]], None],
    ) -> None:
        self._assigned, self._revoked = assigned, revoked

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """These are ours now."""
        await self._assigned(assigned)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """These were ours."""
        self._revoked(revoked)
