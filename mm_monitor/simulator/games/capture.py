"""Writes a stage as a capture directory with its truth, in the formats of every other simulated session."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mm_monitor.errors import MonitorError, unwritable
from mm_monitor.simulator.capture import (
    CONTROL_FILES,
    FORMATS,
    CsvTable,
    ParquetTable,
    spare_recording,
    write_csv,
)
from mm_monitor.simulator.disorder import Disorder, delays
from mm_monitor.simulator.games.catalogue import STRATEGIES
from mm_monitor.simulator.games.rulebook import NAME, RULEBOOK
from mm_monitor.simulator.games.stage import MILLISECOND, Player, Stage
from mm_monitor.simulator.market import MICRO, MULTIPLIER, TICK, Contract
from mm_monitor.simulator.reference import CONTRACT_COLUMNS, MAKER_COLUMNS
from mm_monitor.simulator.rows import QUOTE, THEO, Names, Rows, decimal_text
from mm_monitor.simulator.truth import (
    SCHEMA,
    Interval,
    Totals,
    integrate,
    obliged_intervals,
    verdict,
    without,
)

STAY = 200 * MILLISECOND  # how long an answer has to stand; see `rulebook.py`
FILES = {
    **CONTROL_FILES,
    "rfq": ("rfqs", ("ts_event", "rfq_id", "contract", "makers")),
    "session": ("sessions", ("ts_event", "maker", "account", "status")),
    "fill": ("fills", ("ts_event", "maker", "contract", "side", "price", "size")),
    "position": ("positions", ("ts_event", "maker", "class", "net_delta", "limit")),
}


def write_games(
    stage: Stage, directory: Path, fmt: str = "csv", *, disorder: Disorder | None = None
) -> dict[str, Any]:
    """Write the capture into `directory` (made if need be); returns what stands in its truth.json.

    Lines are in the order of arrival, unless `disorder` shuffles those of quotes and theo. Raises MonitorError for an
    unknown format, for parquet without pyarrow, for a directory with a recording that nobody simulated, and when it
    cannot be written.
    """
    if fmt not in FORMATS:
        raise MonitorError(f"capture format must be one of {', '.join(FORMATS)}, got {fmt!r}")
    spare_recording(directory)
    told = truth(stage)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write_small(stage, directory)
        _write_rows(stage, directory, fmt, disorder)
        (directory / "rulebook.toml").write_text(RULEBOOK, encoding="utf-8")
        text = json.dumps(told, indent=2, sort_keys=True) + "\n"
        (directory / "truth.json").write_text(text, encoding="utf-8")
    except OSError as error:
        raise MonitorError(f"{directory}: cannot be written: {unwritable(error)}") from error
    return told


def _write_small(stage: Stage, directory: Path) -> None:
    contracts = [_contract_row(contract) for contract in stage.contracts]
    makers = [
        {"maker": p.name, "class": p.klass, "id": str(i)} for i, p in enumerate(stage.players, 1)
    ]
    write_csv(directory / "contracts.csv", CONTRACT_COLUMNS, contracts)
    write_csv(directory / "makers.csv", MAKER_COLUMNS, makers)
    if stage.accounts:
        rows = [{"account": account, "maker": maker} for account, maker in stage.accounts]
        write_csv(directory / "accounts.csv", ("account", "maker"), rows)
    records: dict[str, list[dict[str, str]]] = defaultdict(list)
    for control in sorted(stage.controls, key=lambda c: c.ts):
        records[control.record].append({"ts_event": str(control.ts), **control.fields})
    records["phase"] = [
        {"ts_event": str(p.ts), "scope": p.scope, "phase": p.phase} for p in stage.clock.phases()
    ]
    for record, rows in records.items():
        name, columns = FILES[record]
        write_csv(directory / f"{name}.csv", columns, rows)


def _contract_row(contract: Contract) -> dict[str, str]:
    return {
        "contract": contract.name,
        "class": contract.klass,
        "tick": decimal_text(TICK),
        "kind": contract.kind,
        "strike": decimal_text(contract.strike * MICRO),
        "expiry": contract.expiry.isoformat(),
        "multiplier": str(MULTIPLIER),
        "id": str(contract.number),
    }


def _write_rows(stage: Stage, directory: Path, fmt: str, disorder: Disorder | None) -> None:
    table = CsvTable if fmt == "csv" else ParquetTable
    names = Names(stage.names, [contract.name for contract in stage.contracts])
    for name, rows in (("quotes", quote_rows(stage)), ("theo", theo_rows(stage))):
        if disorder is not None:
            due = rows["ts_event"] + delays(rows["ts_event"], disorder)
            rows = rows[np.argsort(due, kind="stable")]
        file = table(directory / f"{name}.{fmt}", rows.dtype, names)
        try:
            file.write(rows)
        finally:
            file.close()


def quote_rows(stage: Stage) -> Rows:
    """All quotes in the order in which they arrive."""
    lines = sorted(stage.quotes, key=lambda line: line.arrives)
    rows = np.zeros(len(lines), dtype=QUOTE)
    names = ("ts_event", "maker", "contract", "bid_price", "bid_size", "ask_price", "ask_size")
    for name, column in zip(names, list(zip(*lines, strict=True))[1:], strict=True):
        rows[name] = column
    return rows


def theo_rows(stage: Stage) -> Rows:
    """All theos in tape order."""
    rows = np.zeros(len(stage.theos), dtype=THEO)
    lines = sorted(stage.theos)
    for name, column in zip(
        ("ts_event", "theo", "contract"), zip(*lines, strict=True), strict=True
    ):
        rows[name] = column
    return rows


# -- truth ----------------------------------------------------------------------------------


def truth(stage: Stage) -> dict[str, Any]:
    """The content of truth.json: what each maker's script says, added up over the time it was obliged."""
    phases = stage.clock.phases()
    obliged = {c.name: obliged_intervals(phases, c) for c in stage.contracts}
    obligations: list[dict[str, Any]] = []
    makers = []
    for player in sorted(stage.players):
        mine = [c for c in stage.contracts if c.klass == player.klass]
        rows = [_obligation(stage, player, c, obliged[c.name]) for c in mine]
        makers.append(_maker(stage, player, rows, obliged))
        obligations += rows
    return {
        "schema": SCHEMA,
        "rulebook": NAME,
        "seed": stage.seed,
        "period": {"start": phases[0].ts, "end": phases[-1].ts},
        "records": {
            "quotes": len(stage.quotes),
            "theos": len(stage.theos),
            "controls": len(stage.controls) + len(phases),
            "dead_letter": stage.bad,
        },
        "obligations": sorted(obligations, key=lambda row: (row["maker"], row["contract"])),
        "makers": makers,
    }


def _totals(
    stage: Stage, player: Player, contract: Contract, obliged: list[Interval], *, by_arrival: bool
) -> Totals:
    holes = [
        (e.start, e.end)
        for e in stage.exemptions
        if e.maker == player.name and e.scope == player.klass
    ]
    owed = without(obliged, holes)
    exempt = sum(b - a for a, b in obliged) - sum(b - a for a, b in owed)
    return integrate(stage.edges(player.name, contract.name, by_arrival=by_arrival), owed, exempt)


def _obligation(
    stage: Stage, player: Player, contract: Contract, obliged: list[Interval]
) -> dict[str, Any]:
    totals = _totals(stage, player, contract, obliged, by_arrival=False)
    judged = verdict(totals.quoted_ns, totals.lapsed_ns, totals.unknown_ns)
    names = {"maker": player.name, "contract": contract.name, "class": contract.klass}
    return {**names, **asdict(totals), "verdict": judged}


def _maker(
    stage: Stage, player: Player, rows: list[dict[str, Any]], obliged: dict[str, list[Interval]]
) -> dict[str, Any]:
    """Sums, the verdict by coverage, and what was there by the time of arrival."""
    strategy = STRATEGIES.get(player.strategy)
    arrived = sum(
        _totals(stage, player, c, obliged[c.name], by_arrival=True).quoted_ns
        for c in stage.contracts
        if c.klass == player.klass
    )
    return {
        "maker": player.name,
        "label": player.strategy or "honest",
        "misbehaves": bool(strategy and strategy.verdict != "compliant"),
        "signals": list(strategy.signals) if strategy else [],
        "quoted_ns": sum(row["quoted_ns"] for row in rows),
        "arrived_quoted_ns": arrived,
        "required_ns": sum(row["quoted_ns"] + row["lapsed_ns"] + row["unknown_ns"] for row in rows),
        "verdict": _covered([row["verdict"] for row in rows]),
        "rfq": _requests(stage, player),
        "beside": stage.beside.get(player.name),
    }


def _requests(stage: Stage, player: Player) -> dict[str, int]:
    """Requests for quotes: asked, and answered by a quote that stood before and for long enough after."""
    mine = {c.name for c in stage.contracts if c.klass == player.klass}
    asked = [
        (control.ts, control.fields["contract"])
        for control in stage.controls
        if control.record == "rfq"
        and control.fields["contract"] in mine
        and player.name in (control.fields.get("makers") or player.name).split("|")
    ]
    answered = [stage.stands(player.name, contract, ts, ts + STAY) for ts, contract in asked]
    return {"asked": len(asked), "answered": sum(answered)}


def _covered(verdicts: list[str]) -> str:
    """Every contract has to pass."""
    for worst in ("breached", "indeterminate"):
        if worst in verdicts:
            return worst
    return "compliant"
