"""The twenty ways to game a monitor: each gets its true presence, to the nanosecond, through the capture door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mm_monitor.errors import MonitorError
from mm_monitor.simulator import Disorder
from mm_monitor.simulator.games import STRATEGIES, Stage, chosen, perform, write_games
from mm_monitor.simulator.games.stage import REST
from mm_monitor.simulator.scenario import SECOND
from tests.acceptance.judging import TRUTH_KEYS, differences, judged, replayed

MINUTES = 4


def played(names: str, directory: Path, seed: int = 1, **how: Any) -> dict[str, Any]:
    """The truth of these strategies, written as a capture."""
    return write_games(perform(chosen(names), Stage(seed, minutes=MINUTES)), directory, **how)


def test_there_are_twenty() -> None:
    assert len(STRATEGIES) == 20
    assert all(strategy.what for strategy in STRATEGIES.values())


@pytest.mark.criterion("NUM-04")
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_gets_its_true_presence(name: str, tmp_path: Path) -> None:
    truth = played(name, tmp_path)
    got = judged(tmp_path, tmp_path / "rulebook.toml")
    assert differences(got["obligations"], truth["obligations"], TRUTH_KEYS) == []
    assert got["records"]["dead_letter"] == truth["records"]["dead_letter"]
    verdicts = {row["maker"]: row["verdict"] for row in got["makers"]}
    assert verdicts == {row["maker"]: row["verdict"] for row in truth["makers"]}
    assert verdicts[name] == STRATEGIES[name].verdict
    honest = [verdicts[row["maker"]] for row in truth["makers"] if row["label"] == "honest"]
    assert set(honest) <= {"compliant"}


@pytest.mark.parametrize("fmt", ["csv", "parquet"])
def test_all_at_once_in_any_order_of_lines(fmt: str, tmp_path: Path) -> None:
    truth = played("all", tmp_path, seed=5, fmt=fmt, disorder=Disorder(5, 2**62))
    got = judged(tmp_path, tmp_path / "rulebook.toml")
    assert differences(got["obligations"], truth["obligations"], TRUTH_KEYS) == []


def test_a_maker_who_backdates_was_there_less_than_it_claims(tmp_path: Path) -> None:
    rows = {row["maker"]: row for row in played("backdate", tmp_path)["makers"]}
    gamer, honest = rows["backdate"], rows["honest-backdate"]
    assert honest["arrived_quoted_ns"] == honest["quoted_ns"]
    rests = 2 * 10 * REST  # on two contracts ten returns
    assert (gamer["arrived_quoted_ns"] + rests) * 100 == 85 * gamer["required_ns"]
    assert gamer["quoted_ns"] * 1000 > 999 * gamer["required_ns"]


def test_who_rotate_leave_holes_in_the_market(tmp_path: Path) -> None:
    """Each is compliant; ten holes, each 15 s after the pair has left, are the market's breach."""
    played("rotation", tmp_path)
    got = judged(tmp_path, tmp_path / "rulebook.toml")
    holes = [breach for breach in got["breaches"] if breach["kind"] == "market_hole"]
    assert [hole["contract"] for hole in holes] == [f"ROTATION-{k}" for k in range(10)]
    clock = Stage(minutes=MINUTES).clock
    tenth = clock.total // 10
    assert [hole["start"] for hole in holes] == [
        clock.at(k * tenth + 1 + 15 * SECOND) for k in range(10)
    ]
    assert {hole["maker"] for hole in holes} == {""}


def test_requests_of_a_friend_keep_the_rate_up(tmp_path: Path) -> None:
    """30 of 40 answered are the 70 % that are asked for; none of the ten that others asked."""
    truth = played("friendly-rfq", tmp_path)
    want = {row["maker"]: row["rfq"] for row in truth["makers"]}
    assert want["friendly-rfq"] == {"asked": 40, "answered": 30}
    done = replayed(tmp_path, tmp_path / "rulebook.toml")
    rows = {row["maker"]: row["rfq"] for row in done.details["makers"]}  # type: ignore[attr-defined]
    got = {m: {"asked": row["asked"], "answered": row["answered"]} for m, row in rows.items()}
    assert got == want
    assert [b for b in done.report["breaches"] if b["kind"] == "rfq"] == []  # type: ignore[attr-defined]


@pytest.mark.criterion("HEDG-01")
@pytest.mark.criterion("HEDG-02")
@pytest.mark.criterion("STAB-01")
def test_what_is_told_beside_the_quotes_is_found(tmp_path: Path) -> None:
    """The colleagues' sessions and trades; of who games nothing is told."""
    truth = {row["maker"]: row["beside"] for row in played("far,fade", tmp_path)["makers"]}
    assert truth["far"] is truth["fade"] is None
    done = replayed(tmp_path, tmp_path / "rulebook.toml")
    found = {row["maker"]: row for row in done.details["makers"]}  # type: ignore[attr-defined]
    assert found["far"]["sessions"] == found["fade"]["hedging"] == "not_assessed"
    for maker in ("honest-far", "honest-fade"):
        (session,), (desk,) = found[maker]["sessions"], found[maker]["hedging"]
        delay = desk["hedge_delay"]
        assert truth[maker] == {
            "on_ns": session["on_ns"], "off_ns": session["off_ns"], "fills": desk["fills"],
            "above_ns": desk["above_ns"], "hedge_delay_ns": delay["total_ns"],
        }  # fmt: skip
        assert len(session["disconnects"]) == 1
        assert delay["count"] == desk["excursions"] == desk["fills"] > 2


def test_a_name_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(MonitorError, match=r"sampled, flicker.*got 'sampled, nonsense'"):
        chosen("sampled, nonsense")
    assert [one.name for one in chosen("far, ioc,far")] == ["far", "ioc"]
