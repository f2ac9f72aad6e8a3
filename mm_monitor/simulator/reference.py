"""The reference tables of a session: contracts and appointments, with the ids of `packed`."""

from __future__ import annotations

from mm_monitor.simulator.market import MICRO, MULTIPLIER, TICK
from mm_monitor.simulator.rows import Names, decimal_text
from mm_monitor.simulator.scenario import Scenario

Row = dict[str, str]

CONTRACT_COLUMNS = ("contract", "class", "tick", "kind", "strike", "expiry", "multiplier", "id")
MAKER_COLUMNS = ("maker", "class", "id")


def contract_rows(scenario: Scenario) -> list[Row]:
    """The rows of contracts.csv."""
    return [
        {
            "contract": contract.name,
            "class": contract.klass,
            "tick": decimal_text(TICK),
            "kind": contract.kind,
            "strike": decimal_text(contract.strike * MICRO),
            "expiry": contract.expiry.isoformat(),
            "multiplier": str(MULTIPLIER),
            "id": str(contract.number),
        }
        for contract in scenario.contracts
    ]


def maker_rows(scenario: Scenario) -> list[Row]:
    """The rows of makers.csv: one for each appointment."""
    return [
        {"maker": maker.name, "class": klass, "id": str(number)}
        for number, maker in enumerate(scenario.makers, 1)
        for klass in maker.classes
    ]


def names_of(scenario: Scenario) -> Names:
    """Names behind the numbers in the rows of a session."""
    return Names([m.name for m in scenario.makers], [c.name for c in scenario.contracts])
