"""The commands of operations: exempt, maintenance, acknowledge, reconcile."""

from __future__ import annotations

import asyncio
import csv
import getpass
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mm_monitor.cli_words import Json, print_json
from mm_monitor.errors import InputError, MonitorError

Config = Annotated[
    Path | None,
    typer.Option(help="The service's TOML file: its rulebooks, control topic and evidence log."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Write a table of corrections into this directory instead, for revise --add."
    ),
]
Reason = Annotated[str, typer.Option(help="Why, in words.")]
Author = Annotated[str, typer.Option(help="Who orders it; without it, who is logged in.")]
Approver = Annotated[
    str, typer.Option("--approved-by", help="The second person, for what reaches back in time.")
]
Start = Annotated[str, typer.Option("--from", help="When it begins; without it, in two seconds.")]
Until = Annotated[
    str,
    typer.Option(
        "--until", help="When it ends: 15:00 today, a date and time, or ns since the epoch."
    ),
]
Scope = Annotated[str, typer.Option(help="* for all, a class or a contract.")]
Maker = Annotated[str, typer.Option(help="Whom it is for; * for all.")]
Zone = Annotated[str, typer.Option(help="Time zone of times without one.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog='Example: mm-monitor exempt technical --maker M0 --scope 159915 --until 15:00 --reason "line cut" '
        "--config monitor.toml"
    )(exempt)
    app.command(
        epilog='Example: mm-monitor maintenance --from 12:00 --until 12:30 --reason "gateway 2 is replaced" '
        "--config monitor.toml"
    )(maintenance)
    app.command(
        epilog='Example: mm-monitor acknowledge 8c7e0f4b1f0b6d9c5a3e2d1c0b9a8f7e --evidence evidence --note "called M0"'
    )(acknowledge)
    app.command(epilog="Example: mm-monitor reconcile report.json venue.csv --within 1000000")(
        reconcile
    )


def exempt(
    kind: Annotated[str, typer.Argument(help="Kind of exemption, as the rulebooks name it.")],
    until: Until,
    reason: Reason,
    scope: Scope = "*",
    maker: Maker = "*",
    start: Start = "",
    author: Author = "",
    approver: Approver = "",
    zone: Zone = "",
    config: Config = None,
    rulebook: Annotated[
        str, typer.Option(help="Without --config: the rulebook that names the kind.")
    ] = "",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Exempt a maker, a class or a contract from its duty until an instant. What reaches back needs a second person."""
    from mm_monitor.desk.orders import exemption

    now = time.time_ns()
    books = _rulebooks(config, rulebook)
    kinds = {kind for book in books for kind in book.exemptions}
    order = _order(books, zone, now, start, until, author, reason, scope, maker, approver)
    _send(exemption(order, kind, kinds, now), "exemptions", config, out, as_json)


def maintenance(
    until: Until,
    reason: Reason,
    scope: Scope = "*",
    maker: Maker = "*",
    start: Start = "",
    author: Author = "",
    approver: Approver = "",
    zone: Zone = "",
    config: Config = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Say that nothing can be known for a while: that time counts neither for nor against anybody."""
    from mm_monitor.desk.orders import maintenance as order_of

    now = time.time_ns()
    books = _rulebooks(config, "") if config is not None else []
    order = _order(books, zone, now, start, until, author, reason, scope, maker, approver)
    _send(order_of(order, now), "feed", config, out, as_json)


def _rulebooks(config: Path | None, rulebook: str) -> list[Any]:
    from mm_monitor.config import load_config, load_rulebooks
    from mm_monitor.rulebooks import load

    if config is not None:
        return load_rulebooks(load_config(config))
    if not rulebook:
        raise MonitorError("--config or --rulebook: one of them is required")
    return [load(rulebook)]


def _order(
    books: Sequence[Any], zone: str, now: int, start: str, until: str, author: str, *rest: str
) -> Any:
    from mm_monitor.desk.orders import SOON, Order

    zone = zone or next((b.calendar.timezone for b in books if b.calendar), "UTC")
    begins = _instant(start, zone, now) if start else now + SOON
    return Order(begins, _instant(until, zone, now), author or getpass.getuser(), *rest)


def _instant(text: str, zone: str, now: int) -> int:
    """Also a time of day, of today in that zone."""
    import re
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from mm_monitor.studies.timeline_text import instant

    if re.fullmatch(r"\d\d:\d\d(:\d\d(\.\d+)?)?", text):
        try:
            today = datetime.fromtimestamp(now // 10**9, ZoneInfo(zone)).date()
        except (ValueError, KeyError):
            raise InputError("--zone: a time zone", value=zone) from None
        text = f"{today.isoformat()}T{text}"
    return instant(text, zone)


def _send(
    records: list[dict[str, Any]], table: str, config: Path | None, out: Path | None, as_json: bool
) -> None:
    if config is None and out is None:
        raise MonitorError(
            "--config (its control topic) or --out (a directory): one of them is required"
        )
    if out is not None:
        _append(out / f"{table}.csv", records)
    elif config is not None:
        from mm_monitor.assembly import kafka_options
        from mm_monitor.config import load_config
        from mm_monitor.desk.sending import send
        from mm_monitor.sources.kafka_options import client_settings

        read = load_config(config)
        client = client_settings(kafka_options(read))
        asyncio.run(send(client, read.topics.control, records))
    if as_json:
        print_json(records)
    else:
        for record in records:
            typer.echo(json.dumps(record, sort_keys=True, ensure_ascii=False))


def _append(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Lines of a table; the first writer writes its header."""
    key = "action" if path.stem == "exemptions" else "status"
    columns = ["ts_event", "scope", "maker", "kind", key, "author", "reason", "approver"]
    columns = [name for name in columns if name != "kind" or key == "action"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", newline="") as file:
            lines = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
            if not file.tell():
                lines.writeheader()
            lines.writerows({name: str(value).replace("\n", " ") for name, value in record.items()}
                            for record in records)  # fmt: skip
    except OSError as error:
        raise MonitorError(f"{path}: cannot be written: {error.strerror}") from None


def acknowledge(
    breach: Annotated[str, typer.Argument(help="Id of the breach.")],
    evidence: Annotated[Path, typer.Option(help="Directory of the evidence log.")],
    note: Annotated[str, typer.Option(help="What is being done about it.")] = "",
    author: Author = "",
    as_json: Json = False,
) -> None:
    """Say that you have seen a breach; it is written into the evidence log."""
    from mm_monitor.desk.acknowledged import acknowledge as run

    entry = run(evidence, breach, author or getpass.getuser(), note, time.time_ns())
    if as_json:
        print_json(entry)
    else:
        typer.echo(f"{breach}: acknowledged by {entry['author']}")


def reconcile(
    report: Annotated[Path, typer.Argument(help="Our report, as replay writes it.")],
    venue: Annotated[Path, typer.Argument(help="The venue's figures, csv.")],
    within: Annotated[int, typer.Option(help="ns by which times may differ.")] = 0,
    source: Annotated[
        Path | None, typer.Option(help="Capture or DATE.tape of the report, for intervals.")
    ] = None,
    rulebook: Annotated[
        str, typer.Option(help="Rulebook of the report, for intervals: a name or a TOML file.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Where a venue's figures and ours differ, obligation by obligation; exit code 1 if they do."""
    from mm_monitor.desk.reconcile import read_venue
    from mm_monitor.desk.reconcile import reconcile as run
    from mm_monitor.tables import read_bytes

    try:
        ours = json.loads(read_bytes(report))
    except (ValueError, RecursionError) as error:
        raise InputError(f"a report ({error})", file=str(report)) from None
    if not isinstance(ours, dict) or "obligations" not in ours:
        raise InputError("a report, with obligations", file=str(report))
    intervals = _intervals(source, rulebook) if source is not None and rulebook else None
    found = run(ours, read_venue(venue), within=within, file=str(venue), intervals=intervals)
    if as_json:
        print_json(found)
    else:
        for row in found:
            where = f"[{row['start']}, {row['end']}) " if "start" in row else ""
            typer.echo(f"{row['maker']} {row['contract']}: {where}{row['what']}: "
                       f"venue {row['venue']}, ours {row['ours']}")  # fmt: skip
    if found:
        raise typer.Exit(1)


def _intervals(source: Path, rulebook: str) -> Any:
    from functools import cache

    from mm_monitor.rulebooks import load
    from mm_monitor.studies.timeline import SUMS, timeline

    book = load(rulebook)

    @cache
    def ours(maker: str, contract: str) -> list[tuple[int, int, str]]:
        line = asyncio.run(timeline(source, book, maker, contract))
        return [(a, b, SUMS.get(moment.state, moment.state)) for a, b, moment in line.intervals()]

    return ours
