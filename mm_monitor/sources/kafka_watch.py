"""What the Kafka source decides by itself: feeds down and up, idle partitions, time moving on.

No I/O and no clock: two readings are handed in. `wall` measures how long something has lasted, `now`
is what our clock says of the tape's time; they run apart where a session is played faster.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mm_monitor.core.batch import Decoded, control_rows
from mm_monitor.core.model import FeedRecord, Kind
from mm_monitor.core.reference import ALL
from mm_monitor.sources.kafka_options import SECOND, TapeTimes
from mm_monitor.sources.kafka_parts import DATA, NEVER, OWN_PART, Part

BEFORE_ALL = -(2**63)
THEO, CLOCK = -2, -3  # who keep scopes down beside parts
NO_PART = -1  # never speaks: while a group hands out partitions it holds the watermark
_BUSY = 10  # times as patient with a broker while a backlog is being read
Entry = dict[str, object]  # of the journal
GAP, SEQUENCE, LOST, SILENT, NO_THEO, STEP = CAUSES = (
    "offset gap", "sequence gap", "broker lost", "silent", "theo silent", "clock step",
)  # fmt: skip


class FeedWriter:
    """Writes `down` and `up` for the classes of partitions that cannot be heard (TAPE-06).

    A class heard on several partitions is down while any of them is.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._down: dict[str, dict[int, str]] = {}  # scope -> who keeps it down -> why
        self.outages = dict.fromkeys(CAUSES, 0)  # since the start
        self._since: dict[str, int] = {}  # scope -> event time of its `down`
        self._records: list[FeedRecord] = []
        self._offset = 0

    @property
    def scopes(self) -> frozenset[str]:
        """Scopes that are down now."""
        return frozenset(self._down)

    @property
    def causes(self) -> dict[str, int]:
        """How many scopes each cause keeps down now."""
        found = dict.fromkeys(CAUSES, 0)
        for keepers in self._down.values():
            for why in {why for why in keepers.values() if why in found}:
                found[why] += 1
        return found

    def keeps(self, keeper: int) -> set[str]:
        """Scopes that `keeper` keeps down."""
        return {scope for scope, keepers in self._down.items() if keeper in keepers}

    def down(
        self, keeper: int, scopes: Iterable[str], since: int, watermark: int, why: str
    ) -> None:
        """Part `keeper` cannot be heard: nothing is known of `scopes` from event time `since`.

        Where the watermark has passed that, a second record takes effect at once; the first is
        late, for a replay to put in its place. Starts do not nest, so it does no harm there.
        """
        if why in self.outages:
            self.outages[why] += 1
        for scope in sorted(scopes):
            keepers = self._down.setdefault(scope, {})
            if not keepers:
                self._since[scope] = max(since, watermark)
                self._write(scope, "down", since, why)
                if since < watermark:
                    self._write(scope, "down", watermark, why)
            keepers[keeper] = why

    def up(self, keeper: int, ts: int, scopes: Iterable[str] | None = None) -> None:
        """Heard again at event time `ts`: all that `keeper` keeps down, or these of it."""
        kept = self.keeps(keeper)
        for scope in sorted(kept if scopes is None else kept.intersection(scopes)):
            self._down[scope].pop(keeper)
            if not self._down[scope]:
                del self._down[scope]
                self._write(scope, "up", max(ts, self._since.pop(scope)), "heard again")

    def forget(self, keeper: int) -> None:
        """The part is no longer ours to watch; whoever has it now speaks of it."""
        for keepers in self._down.values():
            keepers.pop(keeper, None)
        self._down = {scope: keepers for scope, keepers in self._down.items() if keepers}

    def take(self) -> Decoded | None:
        """The records written since the last call, with growing offsets, or None."""
        if not self._records:
            return None
        records, self._records = self._records, []
        offsets = range(self._offset, self._offset + len(records))
        self._offset += len(records)
        kinds = [Kind.FEED] * len(records)
        return Decoded(control_rows(records, kinds, OWN_PART, offsets), records)

    def state(self) -> dict[str, Any]:
        """Who is down since when, for a checkpoint."""
        return {
            "down": [(scope, sorted(keepers)) for scope, keepers in sorted(self._down.items())],
            "why": [
                (s, k, why)
                for s, kept in sorted(self._down.items())
                for k, why in sorted(kept.items())
            ],
            "since": sorted(self._since.items()),
            "offset": self._offset,
            "records": list(self._records),
            "entries": list(self.entries),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`."""
        why = {(scope, keeper): why for scope, keeper, why in state.get("why", ())}
        self._down = {
            scope: {keeper: why.get((scope, keeper), "") for keeper in keepers}
            for scope, keepers in state["down"]
        }
        self._since = dict(state["since"])
        self._offset = state["offset"]
        self._records, self.entries = list(state["records"]), list(state["entries"])

    def _write(self, scope: str, status: str, ts: int, why: str) -> None:
        self._records.append(FeedRecord(ts, scope, ALL, status))
        self.entries.append(
            {"record": "feed", "ts": ts, "scope": scope, "maker": ALL, "status": status, "why": why}
        )


class Watch:
    """All partitions of one source, and what can be said of time from them."""

    def __init__(self, times: TapeTimes, fetch_max_wait: int, wall: int, now: int) -> None:
        self.parts: list[Part] = []
        self.feed = FeedWriter()
        self.live: tuple[int, ...] = (NO_PART,)  # time stands until there is something to hear
        self.idle_watermark: int | None = None
        self.watermark = BEFORE_ALL  # the merge's, reckoned as it does
        self.lost: list[Part] = []
        self._times = times
        self._answer_age = 2 * fetch_max_wait + SECOND  # an older answer vouches for nothing
        self._began = wall, now
        self._traffic_since = NEVER  # wall
        self._lag = 0  # how far event time is behind our clock when a record is logged
        self._readings: deque[tuple[int, int]] = deque([(wall, now)])  # wall, now
        self._idle: set[int] = set()
        self._stalled = NEVER  # wall: when we last came back from not listening
        self._theos: dict[
            str, tuple[int, int]
        ] = {}  # class -> wall and event time of its last theo

    def state(self) -> dict[str, Any]:
        """What outlives the process, for a checkpoint; wall time does not."""
        return {
            "feed": self.feed.state(),
            "watermark": self.watermark,
            "lag": self._lag,
            "idle": sorted(self._idle),
            "theos": [(klass, ts) for klass, (_, ts) in sorted(self._theos.items())],
            "began": self._began[1],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`, before any part is watched."""
        self.feed.restore(state["feed"])
        self.watermark, self._lag = state["watermark"], state["lag"]
        self._idle = set(state["idle"])
        self._began = self._began[0], state["began"]
        self._theos = {klass: (self._began[0], ts) for klass, ts in state.get("theos", ())}

    def heard(self, part: Part, first: int, last: int, classes: Iterable[str], lag: int) -> None:
        """Rows of event times `first` to `last` came on `part`; `lag` is the newest one's."""
        is_newer = last >= part.greatest
        part.greatest = max(part.greatest, last)
        if part.feed not in DATA:
            return
        if (
            is_newer
        ):  # a straggler, or a quote with yesterday's date, says nothing of what comes next
            self._lag = max(0, lag)
        told = tuple(classes)
        part.latest = told or part.latest
        part.classes.update(told)
        self.feed.up(OWN_PART, first)
        self.feed.up(CLOCK, first)
        if part.feed == "theo" and self._times.theo_silent_after:
            self._theos.update((klass, (part.heard, last)) for klass in part.latest)
            self.feed.up(THEO, first, part.latest)
        if part.down:
            part.down = False
            self.feed.up(part.number, first)

    def gap(self, part: Part, why: str = GAP) -> None:
        """Records of `part` are missing."""
        if part.feed in DATA and not part.down:
            self._down(part, why)

    def clock_stepped(self, wall: int) -> None:
        """Our machine's clock was set: whatever we would decide by it is not known until something is heard again."""
        self._stalled = wall
        heard = [part.greatest for part in self.parts if part.feed in DATA]
        since = max(heard, default=NEVER)
        if since != NEVER:
            self.feed.down(CLOCK, {ALL}, since, self.watermark, STEP)

    def drop(self, part: Part) -> None:
        """`part` is no longer ours."""
        self.parts.remove(part)
        self.feed.forget(part.number)

    def look(self, wall: int, now: int, traffic: bool) -> None:
        """Decide who is down and who is idle. `traffic`: should quotes be coming at all?"""
        self._read_clock(wall, now)
        if not traffic:
            self._traffic_since = NEVER
        elif self._traffic_since == NEVER:
            self._traffic_since = wall
        data = sorted((p for p in self.parts if p.feed in DATA), key=lambda part: part.greatest)
        self.lost = [part for part in data if self._is_lost(part, wall)]
        for part in data:
            why = LOST if part in self.lost else SILENT
            if part.classes and not part.down and (part in self.lost or self._silent(part, wall)):
                self._down(part, why)
        self._look_for_theos(wall)
        if data and all(part.greatest == NEVER for part in data):
            self._look_unheard(data, wall)
        self._settle(wall)

    def decided(self) -> list[Entry]:
        """What was decided since the last call, for the journal."""
        entries, self.feed.entries = self.feed.entries, []
        return entries

    def _down(self, part: Part, why: str) -> None:
        """From the last event time heard; of a part never heard, from when we began."""
        part.down = True
        since = self._began[1] if part.greatest == NEVER else part.greatest
        self.feed.down(part.number, part.classes or {ALL}, since, self.watermark, why)

    def _look_unheard(self, data: Sequence[Part], wall: int) -> None:
        """Nothing was ever heard: one partition may be empty for ever, all of them may not."""
        quotes = [part for part in data if part.feed == "quotes"]
        lost = len(self.lost) == len(data)
        if lost or (quotes and all(self._silent(part, wall) for part in quotes)):
            since = self._clock_at(max(self._began[0], self._traffic_since))
            why = LOST if lost else SILENT
            self.feed.down(OWN_PART, {ALL}, since, self.watermark, why)

    def _silent(self, part: Part, wall: int) -> bool:
        if part.feed != "quotes" or part.paused or not part.at_end or self._traffic_since == NEVER:
            return False
        since = max(part.heard, part.since, self._traffic_since, self._stalled)
        return wall - since > self._times.silent_after

    def _look_for_theos(self, wall: int) -> None:
        """A class whose theos have stopped, while their topic is read and others may still come."""
        limit = self._times.theo_silent_after
        read = all(part.at_end and not part.paused for part in self.parts if part.feed == "theo")
        if not limit or not read or self._traffic_since == NEVER:
            return
        down = self.feed.keeps(THEO)
        for klass, (heard, ts) in self._theos.items():
            if wall - max(heard, self._traffic_since, self._stalled) > limit and klass not in down:
                self.feed.down(THEO, {klass}, ts, self.watermark, NO_THEO)

    def _settle(self, wall: int) -> None:
        """Which parts hold the watermark back, and what our clock says if none does."""
        oldest = wall - self._answer_age
        live = [part for part in self.parts if not part.idle(self._times.idle_after, oldest)]
        self._note_idle(live)
        self.live = tuple(part.number for part in live)
        self.idle_watermark = None
        if not any(part.feed in DATA for part in self.parts):
            self.live = (NO_PART,)
            return
        if not live:
            # All that the brokers had when they last answered is read; so nothing older than
            # that, less the time a record may be under way, is still to come.
            answered = min(part.answered for part in self.parts)
            quiet = max(self._times.idle_after, self._times.lateness)
            self.idle_watermark = self._clock_at(answered - quiet) - self._lag
        reached = self._allowed(live) if live else self.idle_watermark
        self.watermark = max(self.watermark, BEFORE_ALL if reached is None else reached)

    def _allowed(self, live: Sequence[Part]) -> int | None:
        """The watermark that live parts allow, as the merge reckons it."""
        least = min(part.greatest for part in live)
        return None if least == NEVER else least - self._times.lateness

    def _note_idle(self, live: Sequence[Part]) -> None:
        """TAPE-05: a replay reads who was idle from the journal, it cannot know it otherwise."""
        idle = {part.number for part in self.parts} - {part.number for part in live}
        for part in self.parts:
            if (part.number in idle) != (part.number in self._idle):
                status = "idle" if part.number in idle else "live"
                self.feed.entries.append(
                    {"record": status, "topic": part.topic, "partition": part.partition,
                     "ts": self.watermark}
                )  # fmt: skip
        self._idle = idle

    def _is_lost(self, part: Part, wall: int) -> bool:
        """Not while it is our own turn to read: what is fetched already keeps the client quiet."""
        if part.paused:
            return False
        patience = self._times.lost_after
        if not part.at_end and any(wall - p.heard < patience for p in self.parts):
            patience *= _BUSY
        return wall - max(part.answered, part.heard, part.since, self._stalled) > patience

    def _read_clock(self, wall: int, now: int) -> None:
        """Remember what our clock said when, for as long as anybody may ask."""
        if wall - self._readings[-1][0] > self._answer_age:
            self._stalled = wall  # it was us who did not listen
        self._readings.append((wall, now))
        times = self._times
        keep = (
            wall - max(times.idle_after, times.lateness, times.silent_after) - 2 * self._answer_age
        )
        while len(self._readings) > 1 and self._readings[1][0] <= keep:
            self._readings.popleft()

    def _clock_at(self, wall: int) -> int:
        """What our clock said at `wall`, never more than that."""
        best = self._readings[0]
        for reading in reversed(self._readings):
            if reading[0] <= wall:
                best = reading
                break
        ahead = best[0] - wall
        return best[1] - max(0, ahead)
