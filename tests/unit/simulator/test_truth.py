"""truth.json against a literal re-integration of the capture, and against the labels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mm_monitor.simulator import random_session, szse_day, truth, write_capture
from mm_monitor.simulator.disorder import Disorder
from mm_monitor.simulator.session import Session
from mm_monitor.simulator.truth import integrate, without
from tests.unit.simulator import brute


def played(session: Session) -> Session:
    for _ in session.batches():
        pass
    return session


@pytest.mark.parametrize("seed", range(24))
def test_truth_equals_a_brute_force_reading_of_the_capture(seed: int, tmp_path: Path) -> None:
    scenario = random_session(
        seed, seconds=2, makers=4, contracts=4, records_per_second=300, exempt=seed % 3 == 0
    )
    write_capture(scenario, tmp_path, disorder=Disorder(seed, 10**18, 0.05) if seed % 2 else None)
    told = json.loads((tmp_path / "truth.json").read_text())
    capture = brute.Capture(tmp_path)
    rows = {(row["maker"], row["contract"]): row for row in told["obligations"]}
    assert len(rows) == len(told["obligations"]) == len(capture.obligations())
    for maker, contract in capture.obligations():
        expected = brute.integrate(capture, maker, contract)
        row = rows[maker, contract["contract"]]
        assert {key: row[key] for key in brute.TOTALS} == expected, (maker, contract["contract"])


def test_random_sessions_reach_every_kind_of_time() -> None:
    seen: dict[str, int] = dict.fromkeys(brute.TOTALS, 0)
    verdicts = set()
    for seed in range(12):
        session = played(Session(random_session(seed, seconds=3, exempt=seed % 3 == 0)))
        for row in truth(session)["obligations"]:
            verdicts.add(row["verdict"])
            for key in brute.TOTALS:
                seen[key] += row[key]
    assert all(seen.values()), seen
    assert {"compliant", "breached", "indeterminate"} <= verdicts


@pytest.mark.parametrize("seed", [1, 2])
def test_on_the_demo_day_exactly_the_misbehaving_are_breached(seed: int) -> None:
    session = played(Session(szse_day(seed, contracts=48, records=300_000)))
    makers = truth(session)["makers"]
    verdicts = {row["maker"]: (row["misbehaves"], row["verdict"]) for row in makers}
    assert len(verdicts) == 20
    assert sum(bad for bad, _ in verdicts.values()) == 8
    for maker, (bad, verdict) in verdicts.items():
        assert verdict == ("breached" if bad else "compliant"), maker


def test_the_truth_does_not_depend_on_the_windows() -> None:
    scenario = random_session(5, seconds=2)
    tellings = []
    for window in (None, 1_000_003, 10**12):
        session = Session(scenario)
        batches = list(session.batches(window))
        quotes = b"".join(batch.quotes.tobytes() for batch in batches)
        theos = b"".join(batch.theos.tobytes() for batch in batches)
        tellings.append((truth(session), quotes, theos))
    assert tellings[0] == tellings[1] == tellings[2]


def test_quoted_time_is_counted_over_owed_intervals_only() -> None:
    edges = [(5, 1), (20, 0), (30, 2), (40, 0)]
    totals = integrate(edges, [(0, 10), (15, 50)], exempt_ns=0)
    assert (totals.quoted_ns, totals.lapsed_ns, totals.unknown_ns) == (10, 25, 10)
    assert (totals.lapses, totals.longest_lapse_ns) == (3, 10)


@pytest.mark.criterion("PRES-07")
def test_time_not_owed_pauses_a_lapse() -> None:
    totals = integrate([(0, 0)], [(0, 10), (15, 20)], exempt_ns=0)
    assert (totals.lapses, totals.longest_lapse_ns) == (1, 15)


def test_holes_may_touch_cover_and_split() -> None:
    assert without([(0, 10), (20, 30)], [(0, 2), (5, 6), (9, 25), (30, 40)]) == [
        (2, 5),
        (6, 9),
        (25, 30),
    ]
