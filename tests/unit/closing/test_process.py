"""The service's side of closing: which dates it has closed, what it does when that fails, and that it ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from mm_monitor.closing.marks import alone, attempts, is_closed
from mm_monitor.closing.process import ATTEMPTS, MOST, Closer, make_closer
from mm_monitor.closing.work import Wanted
from mm_monitor.cluster.share import share_of
from mm_monitor.config import parse_config
from mm_monitor.errors import MonitorError
from mm_monitor.health import CheckpointStats, HealthStats
from mm_monitor.journal import Journal
from tests.unit.closing.test_close import command, told, wanted
from tests.unit.evidence.test_log import NOON

__all__ = ["wanted"]  # a fixture
LONG_AFTER = "2025-08-08"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not condition():
            await asyncio.sleep(0.02)


def closer_of(wanted: Wanted, stats: HealthStats) -> Closer:
    words = command(wanted)
    words.remove(str(wanted.tape))
    stats.know_sink("journal")
    return Closer(words, wanted.tape.parent, stats, pause=0.0)


async def test_what_the_tape_has_left_is_closed_once_no_life_goes_back_to_it(
    wanted: Wanted,
) -> None:
    stats = HealthStats()
    stats.checkpoints = CheckpointStats(written=5)
    closer = closer_of(wanted, stats)
    closer.look("")
    closer.look("2025-08-05")
    stats.checkpoints.written = 6  # it was under way, maybe with where the tape stood before
    closer.look("2025-08-05")
    assert closer._task is None
    stats.checkpoints.written = 7
    closer.look("2025-08-05")
    await until(lambda: is_closed(wanted.tape))
    await closer.stop()
    assert len(told(wanted)) == 2
    assert not wanted.tape.with_name("2025-08-05.closed").exists()
    assert (stats.sink_failures["journal"], attempts(wanted.tape)) == (0, 0)


async def test_a_date_that_cannot_be_closed_is_tried_so_often_and_no_more(wanted: Wanted) -> None:
    data = bytearray(wanted.tape.read_bytes())
    data[len(data) // 2] ^= 1
    wanted.tape.write_bytes(bytes(data))
    wanted.tape.with_name("2025-08-05.tape").unlink()
    for life, (failed, begun) in enumerate([(ATTEMPTS, ATTEMPTS), (ATTEMPTS, MOST), (1, MOST)]):
        stats = HealthStats()
        closer = closer_of(wanted, stats)
        closer.look(LONG_AFTER)
        assert closer._task is not None
        await until(closer._task.done)
        assert (stats.sink_failures["journal"], attempts(wanted.tape)) == (failed, begun), life
    assert not is_closed(wanted.tape)


async def test_a_service_that_ends_ends_it_and_the_next_goes_on(wanted: Wanted) -> None:
    stats = HealthStats()
    with alone(wanted.tape.parent):  # as the process of a service that was killed
        closer = closer_of(wanted, stats)
        closer.look("2025-08-05")
        await until(lambda: attempts(wanted.tape) == 1)
        await asyncio.sleep(0.5)
        await closer.stop()
        closer.look("2025-08-06")
    assert (attempts(wanted.tape), is_closed(wanted.tape)) == (0, False)
    closer = closer_of(wanted, stats)
    closer.look("2025-08-05")
    await until(lambda: is_closed(wanted.tape))
    await closer.stop()
    assert stats.sink_failures["journal"] == 0


def test_nothing_is_closed_where_nothing_is_to_be_done() -> None:
    log = '[evidence]\ndirectory = "e"\nkey_file = "k"\n'
    for text, words in (
        ("", None),
        ('[journal]\ndirectory = "j"\n', None),
        (log, None),
        (log + 'lapses = false\n[journal]\ndirectory = "j"\n', None),
        (log + '[journal]\ndirectory = "j"\ntape = false\n', None),
        (log + '[journal]\ndirectory = "j"\n', "--evidence /e"),
        ('[journal]\ndirectory = "j"\ncaptures = "c"\n', "--captures /c"),
    ):
        config = parse_config(('[reference]\ndirectory = "r"\n' + text).encode(), base=Path("/"))
        closer = make_closer(config, HealthStats())
        assert (closer is None) == (words is None), text
        if closer is not None:
            assert words is not None
            assert " ".join(closer._command).endswith(f"close --rulebook szse-2025 {words}")


def test_a_share_that_moves_has_captures_of_its_own() -> None:
    text = b'[journal]\ndirectory = "j"\ncaptures = "c"\n[kafka]\nworker = "2/4"\n'
    share = share_of(parse_config(text, base=Path("/")), 2)
    assert (share.journal.directory, share.journal.captures) == ("/j/share-2", "/c/share-2")


def test_captures_want_the_tape_and_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MonitorError, match=r"journal\.captures: none without journal\.directory"):
        parse_config(b'[journal]\ncaptures = "c"\n')
    monkeypatch.setattr("mm_monitor.config.find_spec", lambda name: None)
    with pytest.raises(MonitorError, match=r"journal\.captures: .*mm-monitor\[parquet\]"):
        parse_config(b'[journal]\ndirectory = "j"\ncaptures = "c"\n')


def test_captures_that_are_too_old_are_removed(tmp_path: Path) -> None:
    old, new, other = (tmp_path / "c" / name for name in ("2025-07-25", "2025-07-31", "mine"))
    for place in (old, new, other, old.with_name("2025-07-25.partial")):
        place.mkdir(parents=True)
        (place / "quotes.parquet").touch()
    for name in ("2025-07-25.closed", "2025-07-31.closed"):
        (tmp_path / name).touch()
    Journal(str(tmp_path), keep_days=3, captures=str(tmp_path / "c")).forget(NOON)
    assert sorted((tmp_path / "c").iterdir()) == [new, other]
    assert [path.name for path in tmp_path.glob("*.closed")] == ["2025-07-31.closed"]
