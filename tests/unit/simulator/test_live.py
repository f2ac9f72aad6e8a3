"""A session that begins now has its hours in its rulebook, meets no midnight, and refuses what cannot be played."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_monitor.errors import MonitorError
from mm_monitor.rulebooks import lint, load
from mm_monitor.simulator.live import live_rulebook, live_session, longest_lapse
from mm_monitor.simulator.scenario import SECOND

HOUR = 3_600


@pytest.mark.parametrize("hour", range(24))
def test_the_rulebook_has_the_hours_of_the_session(hour: int, tmp_path: Path) -> None:
    start = (20_000 * 86_400 + hour * HOUR + 59 * 60 + 59) * SECOND
    scenario = live_session(start, 600, makers=8, contracts=16, classes=2)
    path = tmp_path / "rulebook.toml"
    path.write_text(live_rulebook(scenario))
    book = load(str(path))
    assert [finding for finding in lint(book) if finding.level == "error"] == []
    assert scenario.start == start
    assert scenario.end == start + 600 * SECOND
    assert scenario.open_intervals == [
        (start + 48 * SECOND, start + 300 * SECOND),
        (start + 348 * SECOND, start + 600 * SECOND),
    ]
    assert 'at = "12:59:59", phase = "opening_auction"' in path.read_text()
    assert 'at = "13:09:59", phase = "closed"' in path.read_text()
    assert longest_lapse(scenario) == 10


@pytest.mark.parametrize("seconds", [19, 6 * HOUR + 1])
def test_a_session_too_short_or_too_long_is_refused(seconds: int) -> None:
    with pytest.raises(MonitorError, match=f"seconds must be 20 to 21600 of .* got {seconds}"):
        live_session(0, seconds)
