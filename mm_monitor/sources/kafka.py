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

import numpy as np
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from mm_monitor.codecs import codec_for
from mm_monitor.codecs.control import KeyedRecord
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.core.batch import Decoded
from mm_monitor.core.model import RawRecord, ReferenceRecord
from mm_monitor.core.reference import ALL, Reference
from mm_monitor.sources.ahead import refuse_far_ahead
from mm_monitor.sources.kafka_cause import why_unreachable
from mm_monitor.sources.kafka_client import (
    StartAt,
    close,
    first_offsets,
    open_consumer,
    partitions_of,
)
from mm_monitor.sources.kafka_options import MS, SECOND, KafkaFeeds, KafkaOptions, TapeTimes
from mm_monitor.sources.kafka_parts import (
    DATA,
    NEVER,
    OWN_PART,
    FeedWatch,
    Part,
    allowed,
)
from mm_monitor.sources.protocol import Delivery

_log = structlog.get_logger("mm_monitor.sources.kafka")
_BACKOFF = (0.1, 5.0)  # seconds: first and longest wait after a failed fetch
_POSITION_SECONDS = 1.0


class KafkaSource:
    """Live source over the topics of `feeds`.

    `clock` is our time in ns; `expect_traffic` says whether trading is on, so that silence means
    something; `start` is an event time in ns, "earliest" or "latest"; `resume_at` has the next offset
    by (topic, partition) where a checkpoint knows it.
    """

    def __init__(
        self,
        options: KafkaOptions,
        feeds: KafkaFeeds,
        times: TapeTimes,
        reference: Reference,
        *,
        start: StartAt = "earliest",
        clock: Callable[[], int] = time.time_ns,
        expect_traffic: Callable[[], bool] = lambda: True,
        resume_at: Mapping[tuple[str, int], int] | None = None,
    ) -> None:
        self._options, self._feeds, self._times = options, feeds, times
        self._reference, self._start, self._clock = reference, start, clock
        self._expect_traffic = expect_traffic
        self._resume_at = dict(resume_at or {})
        self._codecs = {
            "quotes": codec_for("quotes", feeds.quotes_codec),
            "theo": codec_for("theo", feeds.theo_codec),
            "control": codec_for("control", "json"),
            "reference": codec_for("reference", "json"),
        }
        self._feed_of = {
            topic: feed
            for feed, topic in (
                ("quotes", feeds.quotes),
                ("theo", feeds.theo),
                ("control", feeds.control),
                ("reference", feeds.reference),
            )
            if topic
        }
        self._parts: dict[TopicPartition, Part] = {}
        self._data: AIOKafkaConsumer | None = None
        self._control: AIOKafkaConsumer | None = None
        self._own = FeedWatch()
        self._held: list[KeyedRecord] = []  # reference rows of a later trading date
        self._live: tuple[int, ...] = ()
        self._idle_watermark: int | None = None
        self._watermark = -(2**63)
        self._lag = 0  # how far event time is behind the log's time, at the last record
        self._began = 0
        self._traffic_since = NEVER
        self._caught_up = False
        self._backoff = 0.0
        self._probe: asyncio.Task[None] | None = None
        self.problem = ""  # why the brokers do not answer, "" while they do
        self.history_begins_late: int | None = None  # ns; older records are gone (OBL-06)

    @property
    def parts(self) -> Sequence[int]:
        """Our own part and those of all assigned partitions."""
        return [OWN_PART, *(part.number for part in self._parts.values())]

    @property
    def part_names(self) -> Mapping[int, tuple[str, int]]:
        """Topic and partition of each part, for evidence."""
        return {part.number: (tp.topic, tp.partition) for tp, part in self._parts.items()}

    @property
    def live_parts(self) -> Sequence[int]:
        """Parts that hold the watermark back, as of the last poll."""
        return self._live

    @property
    def idle_watermark(self) -> int | None:
        """As of the last poll: where our clock lets time move on when no part is live."""
        return self._idle_watermark

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
    def scopes_down(self) -> frozenset[str]:
        """Scopes that the source has declared down."""
        return self._own.scopes_down

    async def start(self) -> None:
        """Connect, assign and seek. MonitorError with the real cause; may be called again then."""
        self._began = self._clock()
        try:
            self._control = await open_consumer(self._options)
            self._data = await open_consumer(self._options, self._options.group)
            await self._assign()
        except BaseException:
            await self.stop()
            raise
        self._live = tuple(part.number for part in self._parts.values())

    async def poll(self) -> Sequence[Delivery]:
        """What came, waiting for it no longer than a fetch; and what the source has to say."""
        assert self._control is not None
        assert self._data is not None
        wait = max(1, self._options.fetch_max_wait // MS)
        if all(part.caught_up for part in self._parts.values() if part.feed not in DATA):
            deliveries = await self._fetch(self._control, 0)
            deliveries += await self._fetch(self._data, wait)
        else:  # what names are there must be known before quotes name them
            deliveries = await self._fetch(self._control, wait)
        deliveries += self._release_held()
        now = self._clock()
        await self._refresh(now)
        self._watch(now)
        self._settle(now)
        own = self._own.take()
        if own is not None:
            deliveries.insert(0, Delivery(OWN_PART, own, len(own.controls), ts_recv=now))
        return deliveries

    def pause(self, parts: Sequence[int]) -> None:
        """Stop fetching these parts."""
        self._set_paused(parts, paused=True)

    def resume(self, parts: Sequence[int]) -> None:
        """Fetch them again."""
        self._set_paused(parts, paused=False)

    async def stop(self) -> None:
        """Leave the group, close the connections."""
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
        data = await self._find(topics, self._options.partitions)
        control = await self._find([self._feeds.control, self._feeds.reference], ())
        self._control.assign(control)
        await self._begin(self._control, control, "earliest")
        if self._options.group:
            listener = _Rebalance(self._on_assigned, self._on_revoked)
            self._data.subscribe(topics, listener=listener)
        else:
            self._data.assign(data)
            await self._begin(self._data, data, self._start)

    async def _begin(
        self, consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition], start: StartAt
    ) -> None:
        """Seek to the checkpoint, or to the start; only then are they parts of ours."""
        tps = list(partitions)
        offsets, late = await first_offsets(consumer, tps, start)
        ends = await consumer.end_offsets(tps) if tps else {}
        if late is not None:
            self.history_begins_late = max(late, self.history_begins_late or late)
            _log.warning("history_begins_late", asked=start, first=late)
        for tp in tps:
            part = Part(self._feed_of[tp.topic], tp.topic, tp.partition, self._clock())
            known = self._resume_at.get((tp.topic, tp.partition))
            offset = offsets[tp] if known is None else known
            part.expected = part.position = offset
            part.backlog_end = ends[tp]
            consumer.seek(tp, offset)
            self._parts[tp] = part

    async def _on_assigned(self, partitions: Iterable[TopicPartition]) -> None:
        assert self._data is not None
        fresh = [tp for tp in partitions if tp not in self._parts]
        await self._begin(self._data, fresh, self._start)
        _log.info(
            "partitions_assigned", partitions=sorted((tp.topic, tp.partition) for tp in fresh)
        )

    def _on_revoked(self, partitions: Iterable[TopicPartition]) -> None:
        """Another worker reads them from here on; should they come back we go on where we were."""
        for tp in partitions:
            part = self._parts.pop(tp, None)
            if part is not None:
                self._resume_at[tp.topic, tp.partition] = part.expected
                self._own.forget(part.number)

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

    async def _fetch(self, consumer: AIOKafkaConsumer, timeout_ms: int) -> list[Delivery]:
        try:
            batches = await consumer.getmany(
                timeout_ms=timeout_ms, max_records=self._options.max_records
            )
        except OffsetOutOfRangeError as error:
            await self._return_to_range(consumer, error.args[0])
            return []
        except NoOffsetForPartitionError:  # a group assigned it and our seek is on its way
            return []
        except (TimeoutError, KafkaError, OSError) as error:
            await self._wait_out(error)
            return []
        self._backoff = 0.0
        now = self._clock()
        return [
            delivery
            for tp, records in batches.items()
            if tp in self._parts and records
            for delivery in self._take(self._parts[tp], records, now)
        ]

    async def _wait_out(self, error: BaseException) -> None:
        first, longest = _BACKOFF
        self._backoff = min(longest, max(first, 2 * self._backoff))
        _log.warning("kafka_fetch_failed", error=str(error), wait_seconds=self._backoff)
        await asyncio.sleep(self._backoff)

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
            self._note_gap(part)
            part.expected = part.position = first
            consumer.seek(tp, first)

    def _take(self, part: Part, records: Sequence[Any], now: int) -> list[Delivery]:
        """Decode what is new, piece by piece where offsets are missing."""
        segments, repeats = part.segments(records)
        part.heard = now
        deliveries = []
        for i, segment in enumerate(segments):
            if i > 0:
                self._note_gap(part)
            if segment or repeats:
                decoded = self._decode(part, segment, now)
                deliveries.append(Delivery(part.number, decoded, len(segment), repeats, now))
                repeats = 0
        return deliveries

    def _decode(self, part: Part, records: Sequence[Any], now: int) -> Decoded:
        raws = [_raw(record, part.feed, now) for record in records]
        codec = self._codecs[part.feed]
        decoded = codec.decode(Chunk(part.feed, part.number, raws), self._reference)
        if part.feed == "reference":
            decoded = self._without_held(decoded, now)
            decoded = self._without_accounts(decoded)
        decoded = refuse_far_ahead(decoded, raws, codec, now + self._times.max_ahead)
        if len(decoded.rows):
            self._note(part, decoded, records[-1].timestamp * MS)
        return decoded

    def _note(self, part: Part, decoded: Decoded, logged: int) -> None:
        """What was heard: event times, classes, and so that the part is up."""
        rows = decoded.rows
        greatest = int(rows["ts"].max())
        part.greatest = max(part.greatest, greatest)
        if part.feed not in DATA:
            return
        self._lag = max(0, logged - greatest) if logged > 0 else 0
        seen = np.zeros(len(self._reference.contracts), np.bool_)
        seen[rows["contract"]] = True
        part.classes.update(self._reference.contracts[i].klass for i in np.flatnonzero(seen))
        first = int(rows["ts"].min())
        self._own.up(OWN_PART, first)
        if part.down:
            part.down = False
            self._own.up(part.number, first)

    def _without_held(self, decoded: Decoded, now: int) -> Decoded:
        """Rows of a later trading date wait here: they are no mistake, only early."""
        limit = now + self._times.max_ahead
        self._held += [
            control.raw
            for control in decoded.controls
            if isinstance(control, ReferenceRecord)
            and isinstance(control.raw, KeyedRecord)
            and control.ts > limit
        ]
        return keep_controls(decoded, [c.ts <= limit for c in decoded.controls])

    def _release_held(self) -> list[Delivery]:
        if not self._held:
            return []
        now = self._clock()
        held, self._held = self._held, []
        by_part: dict[tuple[str, int], list[KeyedRecord]] = {}
        for raw in held:
            by_part.setdefault((raw.topic, raw.partition), []).append(raw)
        deliveries = []
        for (topic, partition), raws in by_part.items():
            part = self._parts[TopicPartition(topic, partition)]
            chunk = Chunk(part.feed, part.number, raws)
            decoded = self._without_held(
                self._codecs["reference"].decode(chunk, self._reference), now
            )
            if len(decoded.rows):
                deliveries.append(Delivery(part.number, decoded, 0, ts_recv=now))
        return deliveries

    def _without_accounts(self, decoded: Decoded) -> Decoded:
        """Accounts are looked up when quotes are decoded: they change at once, not on the tape."""
        accounts = self._reference.accounts
        keep = []
        for control in decoded.controls:
            mine = isinstance(control, ReferenceRecord) and control.table == "accounts"
            keep.append(not mine)
            if isinstance(control, ReferenceRecord) and mine:
                if control.action == "add":
                    accounts[control.row["account"]] = control.row["maker"]
                else:
                    accounts.pop(control.row["account"], None)
        return keep_controls(decoded, keep)

    # Watching ------------------------------------------------------------------------------------

    def _note_gap(self, part: Part) -> None:
        if part.feed in DATA:
            _log.warning("offset_gap", topic=part.topic, partition=part.partition)
            self._down(part)

    def _down(self, part: Part) -> None:
        """From the last event time heard; of a part never heard, from where we began to read."""
        since = part.greatest
        if since == NEVER:
            since = self._start if isinstance(self._start, int) else self._began - self._lag
        part.down = True
        self._own.down(part.number, part.classes or {ALL}, since, self._watermark)

    async def _refresh(self, now: int) -> None:
        """Where every partition stands and when its broker last answered."""
        shift = now - time.time_ns()
        with contextlib.suppress(KafkaError, asyncio.TimeoutError):
            async with asyncio.timeout(_POSITION_SECONDS):
                for consumer in (self._data, self._control):
                    for tp in consumer.assignment() if consumer is not None else ():
                        part = self._parts.get(tp)
                        if part is not None and consumer is not None:
                            await _update(part, consumer, tp, shift)
        parts = self._parts.values()
        if not self._caught_up:
            self._caught_up = bool(parts) and all(part.caught_up for part in parts)

    def _watch(self, now: int) -> None:
        """TAPE-06: a broker that does not answer, and silence while there should be traffic."""
        if not self._expect_traffic():
            self._traffic_since = NEVER
        elif self._traffic_since == NEVER:
            self._traffic_since = now
        data = sorted((p for p in self._parts.values() if p.feed in DATA), key=lambda p: p.greatest)
        lost = [part for part in data if self._lost(part, now)]
        for part in data:
            if part.classes and not part.down and (part in lost or self._silent(part, now)):
                _log.warning("feed_down", topic=part.topic, partition=part.partition,
                             why="broker lost" if part in lost else "silent")  # fmt: skip
                self._down(part)
        if data and all(part.greatest == NEVER for part in data):
            self._watch_unheard(data, now, all_lost=len(lost) == len(data))
        self._tell_problem(bool(lost))

    def _watch_unheard(self, data: Sequence[Part], now: int, *, all_lost: bool) -> None:
        """Nothing was ever heard: a partition alone may be empty for ever, all of them may not."""
        quotes = [part for part in data if part.feed == "quotes"]
        if all_lost or (quotes and all(self._silent(part, now) for part in quotes)):
            since = max(self._began, self._traffic_since) - self._lag
            self._own.down(OWN_PART, {ALL}, since, self._watermark)

    def _lost(self, part: Part, now: int) -> bool:
        return not part.paused and now - max(part.answered, part.since) > self._times.lost_after

    def _silent(self, part: Part, now: int) -> bool:
        if part.feed != "quotes" or part.paused or not part.at_end or self._traffic_since == NEVER:
            return False
        return now - max(part.heard, part.since, self._traffic_since) > self._times.silent_after

    def _settle(self, now: int) -> None:
        """Which parts hold the watermark back, and what our clock says if none does."""
        fresh = now - 2 * self._options.fetch_max_wait - SECOND
        parts = self._parts.values()
        live = [part for part in parts if not part.idle(self._times.idle_after, fresh)]
        self._live = tuple(part.number for part in live)
        self._idle_watermark = None
        if parts and not live:
            # All that was on the brokers when they last answered has been read.
            answered = min(now, *(part.answered for part in parts))
            quiet = max(self._times.idle_after, self._times.lateness)
            self._idle_watermark = answered - quiet - self._lag
        reached = allowed(live, self._times.lateness) if live else self._idle_watermark
        self._watermark = max(self._watermark, self._watermark if reached is None else reached)

    def _tell_problem(self, lost: bool) -> None:
        if not lost and self.problem:
            _log.info("kafka_answers_again", bootstrap=self._options.bootstrap)
            self.problem = ""
        elif lost and (self._probe is None or self._probe.done()):
            self._probe = asyncio.create_task(self._find_cause(), name="kafka cause")

    async def _find_cause(self) -> None:
        cause = await why_unreachable(self._options) or "a partition has no leader that answers"
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


def keep_controls(decoded: Decoded, keep: Sequence[bool]) -> Decoded:
    """Only the controls to keep, with their rows; rows of data do not come with controls."""
    if all(keep):
        return decoded
    rows = decoded.rows[np.array(keep, np.bool_)].copy()
    rows["a"] = np.arange(len(rows))
    kept = [c for c, wanted in zip(decoded.controls, keep, strict=True) if wanted]
    return Decoded(rows, kept, decoded.dead)


async def _update(part: Part, consumer: AIOKafkaConsumer, tp: TopicPartition, shift: int) -> None:
    highwater, stamp = consumer.highwater(tp), consumer.last_poll_timestamp(tp)
    if highwater is not None and stamp is not None:
        part.end, part.answered = highwater, stamp * MS + shift
    part.position = await consumer.position(tp)


def _raw(record: Any, feed: str, now: int) -> RawRecord:
    value = record.value or b""
    if feed == "reference":
        key, stamp = record.key or b"", record.timestamp * MS
        return KeyedRecord(record.topic, record.partition, record.offset, value, now, key, stamp)
    return RawRecord(record.topic, record.partition, record.offset, value, now)
