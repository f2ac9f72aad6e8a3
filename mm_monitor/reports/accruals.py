"""One worker's picture as messages of the accruals topic, and the day that the messages of all workers make.

Every message is a piece of a day's record (reports/day.py) under a key of its own, so that saying it again changes
nothing. A maker is judged here alone: over the sums of all its classes, whoever judged these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mm_monitor.core.model import REASONS, Breach, BreachKind, Verdict, breach_id
from mm_monitor.core.params import fraction
from mm_monitor.core.reference import Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.rules.judging import Judging
from mm_monitor.core.rules.presence import slack
from mm_monitor.core.rules.rfq import Requests, Tally
from mm_monitor.core.times import Times
from mm_monitor.core.view import StatusView
from mm_monitor.formats import json_bytes
from mm_monitor.reports.day import day_record, read_day
from mm_monitor.reports.report import judge_rows, row_verdict
from mm_monitor.reports.sums import Row

SCHEMA = "mm-monitor/accruals/1"

Value = dict[str, Any]
Worker = tuple[int, int]  # which, of how many


def messages(
    view: StatusView, rulebook: Rulebook, reference: Reference, worker: Worker, *, final: bool
) -> Iterator[tuple[bytes, Value]]:
    """Keys and values of what a worker's picture says; the last one is the worker's own, and vouches for the others.

    `final`: the date is over. Costs O(obligations).
    """
    day: Value = day_record(view, Judging.of(rulebook, reference.contracts), rulebook)
    groups = _by_group(day["obligations"])
    base = {"schema": SCHEMA, "worker": list(worker), "at": view.at, "final": final}
    sent = 0
    for what, value in (
        *_classes(view, day, reference),
        *_makers(view, day, groups),
    ):
        yield _key(day, *what), base | value
        sent += 1
    header = {
        name: day[name] for name in ("schema", "trading_date", "rulebook", "period", "judging")
    }
    rfq = [[r.maker, r.asked, r.answered, r.undecided] for r in view.rfq]
    own = {"day": header, "makers": list(view.makers), "rfq": rfq, "pieces": sent}
    yield _key(day, "worker", str(worker[0])), base | own


def _key(day: Mapping[str, Any], *what: str) -> bytes:
    return json_bytes([day["rulebook"]["id"], day["trading_date"], *what])


def _by_group(rows: Sequence[Value]) -> dict[tuple[str, str], list[int]]:
    groups: dict[tuple[str, str], list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault((row["maker"], row["class"]), []).append(i)
    return groups


def _classes(
    view: StatusView, day: Value, reference: Reference
) -> Iterator[tuple[tuple[str, str], Value]]:
    """Contracts of every class that is judged here, and the breaches that are of no maker."""
    share = reference.share
    class_of = {contract.name: contract.klass for contract in reference.contracts}
    held: dict[str, list[Value]] = {}
    for row in day["contracts"]:
        held.setdefault(class_of[row["contract"]], []).append(row)
    for klass in sorted(held):
        if share is None or share.has(klass):
            breaches = _breaches(view, day, "", klass)
            yield ("class", klass), {"class": klass, "contracts": held[klass], "breaches": breaches}


def _makers(
    view: StatusView, day: Value, groups: Mapping[tuple[str, str], Sequence[int]]
) -> Iterator[tuple[tuple[str, str, str], Value]]:
    """Every maker in every class: its sums, and those of its contracts."""
    o = view.obligations
    for sums in day["classes"]:
        maker, klass = sums["maker"], sums["class"]
        at = groups[maker, klass]
        value = {
            "maker": maker, "class": klass, "sums": sums,
            "obligations": [day["obligations"][i] for i in at],
            "breaches": _breaches(view, day, maker, klass),
        }  # fmt: skip
        if o.stress is not None:
            columns = (o.stress.quoted, o.stress.lapsed, o.stress.unknown)
            value["stress_ns"] = [int(column[at].sum()) for column in columns]
        if view.judged_by == "stretches":
            value["stretches_ns"] = [
                [s.start, [[int(c[i]) for c in (s.quoted, s.unknown, s.lapsed)] for i in at]]
                for s in o.stretches
            ]
        yield ("maker", maker, klass), value


def _breaches(view: StatusView, day: Value, maker: str, klass: str) -> list[Value]:
    pairs = zip(view.breaches, day["breaches"], strict=True)
    return [row for breach, row in pairs if (breach.maker, breach.klass) == (maker, klass)]


# And back -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Accruals:
    """The newest value of every key of the topic."""

    values: dict[bytes, Value] = field(default_factory=dict)

    def take(self, key: bytes, value: bytes | None) -> None:
        """One record of the topic, in its order. ValueError or KeyError for what is none."""
        if value is None:
            self.values.pop(key, None)
            return
        said, read = json.loads(key), json.loads(value)
        if read["schema"] != SCHEMA:
            raise ValueError(f"schema: {SCHEMA}, got {read['schema']!r}")
        if not isinstance(said, list) or len(said) < 3 or not all(isinstance(x, str) for x in said):
            raise ValueError(f"a key of rulebook, date and what it is, got {said!r}"[:200])
        self.values.pop(key, None)  # what was said last stands last
        self.values[key] = read

    def days(self) -> list[tuple[str, str]]:
        """Rulebook and trading date of all that some worker speaks of, sorted."""
        keys = (json.loads(key) for key in self.values)
        return sorted({(key[0], key[1]) for key in keys if key[2] == "worker"})

    def pieces(self, rulebook: str, date: str) -> tuple[list[Value], list[Value], str]:
        """Values of the workers and of all else of a date; and what is still missing, "" for nothing.

        How many workers there are is said by whoever spoke last.
        """
        mine = [(json.loads(k), v) for k, v in self.values.items()]
        mine = [(k, v) for k, v in mine if (k[0], k[1]) == (rulebook, date)]
        said = [v for k, v in mine if k[2] == "worker"]
        of = said[-1]["worker"][1]
        heads = {v["worker"][0]: v for v in said if v["worker"][1] == of}
        for k in range(1, of + 1):
            if k not in heads:
                return [], [], f"worker {k} of {of} has said nothing"
            if not heads[k]["final"]:
                return [], [], f"for worker {k} of {of} it is not over"
        stamps = {(k, of): head["at"] for k, head in heads.items()}
        rest = [
            v for k, v in mine if k[2] != "worker" and stamps.get(tuple(v["worker"])) == v["at"]
        ]
        wanted = sum(head["pieces"] for head in heads.values())
        missing = "" if len(rest) == wanted else f"{len(rest)} of {wanted} pieces are there"
        return [heads[k] for k in sorted(heads)], rest, missing


def roll_up(heads: Sequence[Value], pieces: Sequence[Value], rulebook: Rulebook) -> Value:
    """The record of a date that is over for every worker, as a single one would have written it.

    ValueError where the workers judged by something else than `rulebook`, or not the same period.
    """
    _agree(heads, rulebook)
    groups = [piece for piece in pieces if "sums" in piece]
    day: Value = dict(heads[0]["day"])
    contracts = [row for piece in pieces for row in piece.get("contracts", ())]
    day["contracts"] = sorted(contracts, key=lambda row: row["contract"])
    rows = [row for group in groups for row in group["obligations"]]
    day["obligations"] = sorted(rows, key=lambda row: (row["maker"], row["contract"]))
    day["classes"] = sorted((g["sums"] for g in groups), key=lambda s: (s["maker"], s["class"]))
    makers = sorted({maker for head in heads for maker in head["makers"]})
    day["makers"], day["breaches"] = [], []
    judging = read_day(day).judging
    day["makers"] = [_maker(maker, _rows(maker, groups), judging) for maker in makers]
    breaches = [row for piece in pieces for row in piece["breaches"]]
    breaches += [_row(breach) for breach in maker_breaches(day, heads, pieces, rulebook)]
    day["breaches"] = sorted(
        breaches, key=lambda b: (b["start"], b["kind"], b["maker"], b["contract"])
    )
    return day


def _row(breach: Breach) -> Value:
    names = ("id", "kind", "maker", "contract", "start", "end", "reason")
    return {name: getattr(breach, name) for name in names}


def _agree(heads: Sequence[Value], rulebook: Rulebook) -> None:
    for head in heads:
        day = head["day"]
        if day["rulebook"]["sha256"] != rulebook.sha256:
            k, n = head["worker"]
            raise ValueError(
                f"worker {k} of {n} judged by {rulebook.id} version {day['rulebook']['version']} "
                f"({day['rulebook']['sha256']}), not version {rulebook.version} ({rulebook.sha256})"
            )
        if day["rulebook"]["id"] != rulebook.id:
            raise ValueError(f"a day of {rulebook.id}, got one of {day['rulebook']['id']!r}")
        if day != heads[0]["day"]:
            raise ValueError(f"workers differ: {day['period']} and {heads[0]['day']['period']}")


def _rows(maker: str, groups: Sequence[Value]) -> list[Row]:
    found = []
    for group in groups:
        if group["maker"] != maker:
            continue
        for i, o in enumerate(group["obligations"]):
            row = Row(o["quoted_ns"], o["exempt_ns"], o["unknown_ns"], contract=o["contract"],
                      klass=o["class"], other_lapsed=sum(o["lapsed_by_reason_ns"].values()))  # fmt: skip
            for start, each in group.get("stretches_ns", ()):
                quoted, unknown, lapsed = each[i]
                row.stretches[start] = (quoted, unknown, quoted + unknown + lapsed)
            found.append(row)
    return found


def _maker(maker: str, rows: Sequence[Row], judging: Judging) -> Value:
    """Sums first, and the verdict of them."""
    assessed = [row for row in rows if row.required]
    verdicts = [row_verdict(row, judging) for row in assessed]
    return {
        "maker": maker, "verdict": judge_rows(assessed, judging).value,
        "quoted_ns": sum(row.quoted for row in rows), "lapsed_ns": sum(row.lapsed for row in rows),
        "exempt_ns": sum(row.exempt for row in rows), "unknown_ns": sum(row.unknown for row in rows),
        "contracts_required": len(assessed), "contracts_passed": verdicts.count(Verdict.COMPLIANT),
        "contracts_open": verdicts.count(Verdict.INDETERMINATE),
    }  # fmt: skip


def maker_breaches(
    day: Value, heads: Sequence[Value], pieces: Sequence[Value], rulebook: Rulebook
) -> list[Breach]:
    """What makers broke by the end of the period of a `roll_up`, as sums over all classes say it."""
    groups = [piece for piece in pieces if "sums" in piece]
    broken = [
        (BreachKind.PRESENCE, row["maker"], _presence(row, groups, rulebook))
        for row in day["makers"]
        if row["verdict"] == Verdict.BREACHED.value
    ]
    broken += [(BreachKind.STRESS_PRESENCE, *found) for found in _stressed(groups, rulebook)]
    broken += [(BreachKind.RFQ, *found) for found in _unanswered(heads, rulebook)]
    end, version = day["period"]["end"], rulebook.version
    return [
        Breach(
            breach_id(rulebook.id, version, kind, maker, "", end), rulebook.id, version, kind,
            maker, "", "", end, end, "", evidence,
        )
        for kind, maker, evidence in broken
    ]  # fmt: skip


def _presence(row: Value, groups: Sequence[Value], rulebook: Rulebook) -> dict[str, object]:
    held = [o for g in groups if g["maker"] == row["maker"] for o in g["obligations"]]
    lapsed = {name: sum(o["lapsed_by_reason_ns"][name] for o in held) for name in REASONS}
    most = max(REASONS, key=lambda name: lapsed[name])  # the earlier test on a tie
    whole, required = row["quoted_ns"] + row["lapsed_ns"] + row["unknown_ns"], rulebook.required
    return {
        "quoted_ns": row["quoted_ns"],
        "unknown_ns": row["unknown_ns"],
        "required_ns": whole,
        "remaining_ns": 0,
        "slack_ns": slack(row["quoted_ns"], whole, 0, required, len(held) * rulebook.required_time),
        "contracts_required": row["contracts_required"],
        "contracts_passed": row["contracts_passed"],
        "required": str(fraction(required)) if required else None,
        "judged_by": rulebook.judged_by,
        "dominant_reason": most if lapsed[most] else "",
    }


def _stressed(
    groups: Sequence[Value], rulebook: Rulebook
) -> Iterator[tuple[str, dict[str, object]]]:
    if rulebook.stress_required is None:
        return
    required = fraction(rulebook.stress_required)
    sums: dict[str, Times] = {}
    for group in groups:
        quoted, lapsed, unknown = group["stress_ns"]
        maker = group["maker"]
        sums[maker] = sums.get(maker, Times()) + Times(quoted, lapsed, 0, unknown)
    for maker, times in sums.items():
        if times.verdict(required) is Verdict.BREACHED:
            yield maker, {
                "quoted_ns": times.quoted, "unknown_ns": times.unknown, "required_ns": times.required,
                "required": str(required),
            }  # fmt: skip


def _unanswered(
    heads: Sequence[Value], rulebook: Rulebook
) -> Iterator[tuple[str, dict[str, object]]]:
    if rulebook.rfq is None:
        return
    requests = Requests(rulebook.rfq, lambda t, contract: None)
    tallies: dict[str, Tally] = {}
    for head in heads:
        for maker, asked, answered, undecided in head["rfq"]:
            tally = tallies.setdefault(maker, Tally())
            tally.asked += asked
            tally.answered += answered
            tally.undecided += undecided
    for maker, tally in tallies.items():
        if requests.fails(tally):
            yield maker, {name: getattr(tally, name) for name in ("asked", "answered", "undecided")}
