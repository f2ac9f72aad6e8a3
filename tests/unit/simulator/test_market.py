"""Contracts, prices and the rules a scenario has to keep."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from mm_monitor.errors import MonitorError
from mm_monitor.simulator import Scenario, Session, random_session, szse_day
from mm_monitor.simulator.market import ETFS, TICK, Pricing, expiries, list_contracts
from mm_monitor.simulator.scenario import Behaviour, FeedOutage, Maker, starting_at
from mm_monitor.simulator.truth import truth


def test_the_day_has_600_contracts_of_4_classes_with_4_expiries() -> None:
    scenario = szse_day()
    names = {contract.name for contract in scenario.contracts}
    assert len(names) == len(scenario.contracts) == 600
    assert {contract.klass for contract in scenario.contracts} == {
        "159901",
        "159915",
        "159919",
        "159922",
    }
    assert len({contract.expiry for contract in scenario.contracts}) == 4
    assert [contract.number for contract in scenario.contracts] == list(range(1, 601))


def test_expiries_are_this_month_the_next_and_two_quarter_ends() -> None:
    assert expiries(date(2025, 9, 1)) == [
        date(2025, 9, 24),
        date(2025, 10, 22),
        date(2025, 12, 24),
        date(2026, 3, 25),
    ]
    assert expiries(date(2025, 9, 24))[0] == date(2025, 10, 22)


def test_theos_are_plausible_and_reach_below_a_tick() -> None:
    today = date(2025, 9, 1)
    for underlying in ETFS:
        contracts = list_contracts(underlying, today, 150, 1)
        theos = Pricing(underlying, contracts, today).theos(underlying.spot)
        assert theos.min() >= 0
        assert (theos < TICK).sum() >= 2
        assert (3 * theos > 100 * TICK).mean() > 0.3  # where 3 % is more than a tick
        calls = np.array([contract.kind == "call" for contract in contracts])
        higher = Pricing(underlying, contracts, today).theos(underlying.spot + 100_000)
        assert (higher[calls] >= theos[calls]).mean() > 0.9


def test_spreads_reach_their_limit_exactly() -> None:
    theo: dict[int, int] = {}
    exact = one_tick = 0
    for batch in Session(szse_day(contracts=48, records=50_000)).batches(1):
        theo.update(
            zip(batch.theos["contract"].tolist(), batch.theos["theo"].tolist(), strict=True)
        )
        both = batch.quotes[(batch.quotes["bid_size"] > 0) & (batch.quotes["ask_size"] > 0)]
        spreads = (both["ask_price"] - both["bid_price"]).tolist()
        for spread, contract in zip(spreads, both["contract"].tolist(), strict=True):
            exact += spread > TICK and spread * 100 == 3 * theo[contract]
            one_tick += spread == TICK and 3 * theo[contract] < 100 * TICK
    assert exact > 10
    assert one_tick > 100


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"makers": ()}, "distinct names"),
        ({"contracts_per_class": 0}, "contracts_per_class"),
        ({"records_per_second": 0}, "records_per_second"),
        ({"requote_share": 0.0}, "requote_share"),
        ({"phases": ()}, "no continuous trading"),
        ({"makers": (Maker("a", Behaviour.HONEST, latency_ns=10**12),)}, "latency"),
        (
            {"feed_outages": (FeedOutage("*", "*", 1, 5, None), FeedOutage("*", "*", 4, 6, None))},
            "overlap",
        ),
    ],
)
def test_a_scenario_without_a_defined_truth_is_refused(
    change: dict[str, object], says: str
) -> None:
    good = replace(random_session(1), poison=0, feed_outages=())
    with pytest.raises(MonitorError, match=says):
        replace(good, **change)  # type: ignore[arg-type]


def test_a_session_can_start_at_any_instant() -> None:
    scenario = replace(random_session(8, seconds=2), poison=0)
    moved = starting_at(scenario, scenario.start + 10**15 + 7)
    told = []
    for each in (scenario, moved):
        session = Session(each)
        for _ in session.batches():
            pass
        told.append(truth(session))
    assert told[1]["period"]["start"] == scenario.start + 10**15 + 7
    assert told[0]["obligations"] == told[1]["obligations"]


def test_every_behaviour_can_be_played() -> None:
    names = [behaviour.value for behaviour in Behaviour]
    makers = tuple(Maker(name, Behaviour(name)) for name in names)
    scenario: Scenario = replace(szse_day(contracts=8, records=30_000), makers=makers)
    session = Session(scenario)
    seen = {int(i) for batch in session.batches() for i in np.unique(batch.quotes["maker"])}
    assert {names[i - 1] for i in seen} == set(names) - {"absent"}
