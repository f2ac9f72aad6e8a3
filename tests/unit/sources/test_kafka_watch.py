"""What the Kafka source decides by itself, with plain numbers for time."""

from __future__ import annotations

import pytest

from mm_monitor.core.model import FeedRecord, Kind
from mm_monitor.core.pack import pack, unpack
from mm_monitor.sources.kafka_options import TapeTimes
from mm_monitor.sources.kafka_parts import OWN_PART, Part
from mm_monitor.sources.kafka_watch import BEFORE_ALL, FeedWriter, Watch

S = 1_000_000_000
TIMES = TapeTimes(lateness=0, silent_after=30 * S, idle_after=S // 2, lost_after=3 * S)
EPOCH = 1_000 * S  # event time at wall 0


class Scene:
    """Two quote partitions and one of theos, read at a wall time that the test moves."""

    def __init__(self, times: TapeTimes = TIMES, speed: int = 1) -> None:
        self.wall, self.speed = 0, speed
        self.watch = Watch(times, 50_000_000, 0, EPOCH)
        self.q0, self.q1 = (Part("quotes", "q", i, since=0, end=0, position=0) for i in (0, 1))
        self.theo = Part("theo", "t", 0, since=0, end=0, position=0)
        self.watch.parts = [self.q0, self.q1, self.theo]

    @property
    def now(self) -> int:
        return EPOCH + self.wall * self.speed

    def hear(self, part: Part, *classes: str, ago: int = 0) -> int:
        ts = self.now - ago
        part.heard = self.wall
        self.watch.heard(part, ts, ts, classes or ("K0",), ago)
        return ts

    def to(self, wall: int, *, traffic: bool = True, silent: tuple[Part, ...] = ()) -> None:
        """Time passes in steps; every broker answers but those of `silent`."""
        while self.wall < wall:
            self.wall = min(wall, self.wall + S // 10)
            for part in self.watch.parts:
                if part not in silent:
                    part.answered = self.wall
            self.watch.look(self.wall, self.now, traffic)

    def said(self) -> list[tuple[str, str, int]]:
        decoded = self.watch.feed.take()
        if decoded is None:
            return []
        assert set(decoded.rows["kind"].tolist()) == {Kind.FEED}
        assert set(decoded.rows["part"].tolist()) == {OWN_PART}
        records = [c for c in decoded.controls if isinstance(c, FeedRecord)]
        assert decoded.rows["ts"].tolist() == [r.ts for r in records]
        return [(r.scope, r.status, r.ts) for r in records]


@pytest.mark.criterion("TAPE-06")
def test_a_gap_is_down_from_the_last_time_heard_and_up_with_the_next() -> None:
    scene = Scene()
    scene.to(S)
    last = scene.hear(scene.q0, "K0", "K1")
    scene.watch.gap(scene.q0)
    scene.watch.gap(scene.q0)
    again = scene.hear(scene.q0)
    assert scene.said() == [("K0", "down", last), ("K1", "down", last),
                            ("K0", "up", again), ("K1", "up", again)]  # fmt: skip
    assert scene.watch.feed.scopes == frozenset()


@pytest.mark.criterion("TAPE-06")
def test_a_class_of_two_partitions_is_down_while_either_is() -> None:
    scene = Scene()
    scene.to(S)
    last = scene.hear(scene.q0)
    scene.hear(scene.theo)
    scene.watch.gap(scene.q0)
    scene.watch.gap(scene.theo)
    scene.hear(scene.theo)
    assert scene.said() == [("K0", "down", last)]
    again = scene.hear(scene.q0)
    assert scene.said() == [("K0", "up", again)]


@pytest.mark.criterion("TAPE-06")
def test_silence_counts_only_while_there_should_be_traffic() -> None:
    scene = Scene()
    scene.to(S)
    last = scene.hear(scene.q0)
    scene.to(100 * S, traffic=False)
    scene.to(130 * S)
    assert scene.said() == []
    scene.to(131 * S)
    first, second = scene.said()
    assert first == ("K0", "down", last)
    # The watermark has moved on with our clock: the same once more, for now.
    assert second[:2] == ("K0", "down")
    assert last < second[2] <= scene.now
    assert scene.said() == []
    again = scene.hear(scene.q0)
    assert scene.said() == [("K0", "up", again)]


@pytest.mark.criterion("TAPE-06")
def test_a_partition_that_was_never_heard_says_nothing_alone() -> None:
    scene = Scene()
    for second in range(1, 60):
        scene.hear(scene.q0)
        scene.to(second * S)
    assert scene.said() == []


@pytest.mark.criterion("TAPE-06")
def test_nothing_ever_heard_is_down_for_all_from_when_traffic_began() -> None:
    scene = Scene()
    scene.to(10 * S, traffic=False)
    began = scene.now
    scene.to(42 * S)
    (first, *_) = scene.said()
    assert first[:2] == ("*", "down")
    assert began <= first[2] <= began + S
    again = scene.hear(scene.q1)
    assert scene.said() == [("*", "up", again)]


@pytest.mark.criterion("TAPE-06")
def test_a_lost_broker_is_down_and_holds_the_watermark() -> None:
    scene = Scene()
    scene.to(S)
    last = scene.hear(scene.q0)
    everyone = (scene.q0, scene.q1, scene.theo)
    scene.to(S + S // 5)
    before = scene.watch.watermark
    scene.to(10 * S, silent=everyone)
    assert scene.said() == [("K0", "down", last)]
    assert scene.watch.watermark == before
    assert set(scene.watch.live) == {p.number for p in everyone}
    assert scene.watch.idle_watermark is None
    scene.to(11 * S)
    again = scene.hear(scene.q0)
    assert scene.said() == [("K0", "up", again)]


@pytest.mark.criterion("TAPE-06")
def test_a_monitor_that_was_busy_itself_blames_nobody() -> None:
    scene = Scene()
    scene.to(S)
    for part in scene.watch.parts:
        scene.hear(part)
    scene.wall += 60 * S  # no look at all in between
    scene.watch.look(scene.wall, scene.now, True)
    assert scene.watch.lost == []
    assert scene.said() == []
    scene.to(scene.wall + 4 * S, silent=tuple(scene.watch.parts))
    assert len(scene.watch.lost) == 3


@pytest.mark.criterion("TAPE-06")
def test_a_partition_that_waits_for_its_turn_is_not_lost() -> None:
    scene = Scene()
    scene.to(S)
    scene.hear(scene.q0)
    scene.q1.end = 5  # fetched, and not read yet
    scene.hear(scene.q1, "K1")
    for second in range(2, 12):
        scene.hear(scene.q0)
        scene.to(second * S, silent=(scene.q1,))
    assert scene.said() == []
    scene.q1.position = 5
    scene.to(13 * S, silent=(scene.q1,))
    assert [scope for scope, *_ in scene.said()] == ["K1"]


@pytest.mark.criterion("TAPE-05")
def test_when_all_are_idle_time_moves_by_our_clock() -> None:
    scene = Scene()
    scene.to(S)
    scene.hear(scene.q0, ago=7)
    scene.to(S + S // 5)
    assert scene.q0.number in scene.watch.live
    assert scene.watch.idle_watermark is None
    scene.to(5 * S)
    assert scene.watch.live == ()
    assert scene.watch.idle_watermark == scene.now - TIMES.idle_after - 7
    assert scene.watch.watermark == scene.watch.idle_watermark


@pytest.mark.criterion("TAPE-05")
def test_a_quote_with_yesterdays_date_does_not_stop_the_clock_of_a_quiet_feed() -> None:
    scene = Scene()
    scene.to(S)
    scene.hear(scene.q0)
    scene.hear(scene.q0, ago=800 * S)
    scene.to(4 * S)
    assert scene.watch.idle_watermark is not None
    assert scene.watch.idle_watermark > scene.now - S


def test_a_session_played_faster_moves_by_its_own_clock() -> None:
    scene = Scene(speed=50)
    scene.to(S)
    scene.hear(scene.q0)
    scene.to(5 * S)
    # Half a second of wall time is 25 s of the session: all that is older has surely come.
    assert scene.watch.idle_watermark == EPOCH + 50 * (5 * S - TIMES.idle_after)


@pytest.mark.criterion("TAPE-05")
def test_lateness_holds_back_both_ways() -> None:
    scene = Scene(TapeTimes(lateness=2 * S, idle_after=S // 2, silent_after=99 * S))
    scene.to(S)
    for part in (scene.q0, scene.q1, scene.theo):
        last = scene.hear(part)
    scene.to(S + S // 10)
    assert scene.watch.watermark == last - 2 * S
    scene.to(6 * S)
    assert scene.watch.idle_watermark == scene.now - 2 * S


def test_idleness_and_feeds_are_told_to_the_journal() -> None:
    scene = Scene()
    scene.to(S)
    scene.hear(scene.q0)
    scene.to(2 * S)
    entries = scene.watch.decided()
    assert [(e["record"], e["topic"], e["partition"]) for e in entries] == [
        ("idle", "q", 0), ("idle", "q", 1), ("idle", "t", 0), ("live", "q", 0), ("idle", "q", 0),
    ]  # fmt: skip
    assert scene.watch.decided() == []
    scene.watch.gap(scene.q0)
    (entry,) = [e for e in scene.watch.decided() if e["status"] == "down"][:1]
    assert (entry["scope"], entry["why"]) == ("K0", "offset gap")


def test_a_partition_that_goes_takes_its_word_along() -> None:
    scene = Scene()
    scene.to(S)
    scene.hear(scene.q0)
    scene.watch.gap(scene.q0)
    scene.watch.drop(scene.q0)
    assert scene.watch.feed.scopes == frozenset()
    assert [status for _, status, _ in scene.said()] == ["down"]


def test_time_stands_while_a_group_hands_out_partitions() -> None:
    scene = Scene()
    control = Part("control", "c", 0, since=0, end=0, position=0)
    scene.watch.parts = [control]
    assert scene.watch.live == (-1,)
    scene.to(5 * S)
    scene.watch.heard(control, EPOCH, EPOCH, (), 0)
    scene.to(6 * S)
    assert (scene.watch.live, scene.watch.idle_watermark) == ((-1,), None)
    assert scene.watch.watermark == BEFORE_ALL


def test_own_records_have_growing_offsets() -> None:
    writer = FeedWriter()
    writer.down(1, {"B", "A"}, 5, BEFORE_ALL, "why")
    first = writer.take()
    writer.up(1, 3)
    second = writer.take()
    assert first is not None
    assert second is not None
    assert [*first.rows["offset"].tolist(), *second.rows["offset"].tolist()] == [0, 1, 2, 3]
    assert second.rows["ts"].tolist() == [5, 5]  # never before its own `down`
    assert writer.take() is None


@pytest.mark.criterion("L5")
def test_what_is_down_stays_down_over_a_restart_and_is_up_when_heard_again() -> None:
    scene = Scene()
    scene.to(S)
    scene.hear(scene.q0, "K0")
    scene.hear(scene.q1, "K1")
    scene.watch.gap(scene.q0)
    assert [status for _, status, _ in scene.said()] == ["down"]
    state = unpack(pack([scene.watch.state(), [part.state() for part in scene.watch.parts]]))
    again = Scene()
    again.watch.restore(state[0])
    for part, kept in zip(again.watch.parts, state[1], strict=True):
        part.restore(kept)
    assert pack([again.watch.state(), [p.state() for p in again.watch.parts]]) == pack(state)
    assert again.watch.feed.scopes == {"K0"}
    again.wall = 5 * S
    up = again.hear(again.q0, "K0")
    scene.wall = 5 * S
    scene.hear(scene.q0, "K0")
    decoded, other = again.watch.feed.take(), scene.watch.feed.take()
    assert decoded is not None
    assert other is not None
    assert decoded.rows.tobytes() == other.rows.tobytes()  # with the offset that follows
    assert [(c.scope, c.status, c.ts) for c in decoded.controls if isinstance(c, FeedRecord)] == [
        ("K0", "up", up)
    ]


@pytest.mark.criterion("L5")
def test_the_watermark_does_not_go_back_over_a_restart() -> None:
    scene = Scene()
    scene.to(S)
    for part in scene.watch.parts:
        scene.hear(part)
    scene.to(4 * S)
    reached = scene.watch.watermark
    assert reached > BEFORE_ALL
    again = Scene()
    again.watch.restore(unpack(pack(scene.watch.state())))
    again.to(S // 10)
    assert again.watch.watermark >= reached


THEOS = TapeTimes(silent_after=30 * S, idle_after=S // 2, theo_silent_after=5 * S)


@pytest.mark.criterion("TAPE-06")
def test_a_class_whose_theos_have_stopped_is_down_alone() -> None:
    scene = Scene(THEOS)
    scene.to(S)
    last = scene.hear(scene.theo, "K0", "K1")
    for _ in range(3):
        scene.to(scene.wall + 3 * S)
        scene.hear(scene.q0)
        again = scene.hear(scene.theo, "K1")
    # The watermark has passed what was heard last: a record for a replay, and one that takes effect at once.
    assert [(scope, ts) for scope, _, ts in scene.said()][:1] == [("K0", last)]
    assert scene.watch.feed.causes["theo silent"] == 1
    assert scene.watch.feed.scopes == {"K0"}
    again = scene.hear(scene.theo, "K0")
    assert scene.said() == [("K0", "up", again)]


@pytest.mark.criterion("TAPE-06")
def test_theos_may_stop_where_no_rule_says_otherwise() -> None:
    scene = Scene()
    scene.to(S)
    scene.hear(scene.theo)
    for _ in range(40):
        scene.to(scene.wall + 3 * S)
        scene.hear(scene.q0)
    assert scene.said() == []


@pytest.mark.criterion("TAPE-06")
def test_a_stepped_clock_is_down_for_all_until_something_is_heard() -> None:
    scene = Scene()
    scene.to(S)
    scene.hear(scene.q0)
    last = scene.hear(scene.q1, "K1")
    scene.watch.clock_stepped(scene.wall)
    assert scene.watch.feed.causes["clock step"] == 1
    again = scene.hear(scene.q0)
    assert scene.said() == [("*", "down", last), ("*", "up", again)]
    assert scene.watch.feed.outages["clock step"] == 1


def test_who_keeps_what_down_outlives_a_restart() -> None:
    scene = Scene()
    scene.to(S)
    scene.hear(scene.q0)
    scene.watch.gap(scene.q0)
    scene.watch.clock_stepped(scene.wall)
    kept = unpack(pack(scene.watch.state()))
    fresh = Watch(TIMES, 50_000_000, 0, EPOCH)
    fresh.restore(kept)
    assert fresh.feed.causes == scene.watch.feed.causes
    assert fresh.state() == scene.watch.state()
