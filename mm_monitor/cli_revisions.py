"""The commands about what was known when: revise, report known, journal export."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from mm_monitor.cli_words import Json, Rules
from mm_monitor.errors import MonitorError


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog="Examples: mm-monitor revise journal/2025-08-01.tape --rulebook szse-2025 --reports reports "
        '--reason "quotes of gateway 2 came late" · '
        'mm-monitor revise captures/2025-08-01 --rulebook szse-2025 --reports reports --add fixes --reason "wrong tick"'
    )(revise)


def register_report(reports: typer.Typer) -> None:
    """Add the command to the group `report`."""
    reports.command(
        epilog="Example: mm-monitor report known journal/2025-08-01.tape --rulebook szse-2025 --as-of 14:05"
    )(known)


def revise(
    source: Annotated[
        Path, typer.Argument(help="A journal's DATE.tape, or a capture directory of one date.")
    ],
    rulebook: Rules,
    reports: Annotated[Path, typer.Option(help="Directory of published reports.")],
    reason: Annotated[str, typer.Option(help="Why it is revised, in words.")],
    author: Annotated[str, typer.Option(help="Who revises it; without it, who is logged in.")] = "",
    add: Annotated[
        Path | None, typer.Option(help="Directory with tables of records to add.")
    ] = None,
    remove: Annotated[
        Path | None, typer.Option(help="Directory with tables of records to take out.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Ledger of days in which the date is to be replaced.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="The service's TOML file: tell its breaches topic and evidence log."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge a date again with what came too late and with corrections; publish what that changes."""
    from mm_monitor.reports.report import to_bytes
    from mm_monitor.revisions.revise import Wanted
    from mm_monitor.revisions.revise import revise as run
    from mm_monitor.rulebooks import load
    from mm_monitor.screens import replay_progress

    book = load(rulebook)
    with replay_progress(as_json) as progress:
        wanted = Wanted(source, book, reports, reason, author, (add, remove), progress)
        done = asyncio.run(run(wanted, time.time_ns()))
    if done.revision is None:
        typer.echo(f"{done.date} {book.id}: nothing has changed, no revision", err=True)
        return
    if ledger is not None:
        _replace_day(ledger, done.judged, book)
    if config is not None:
        _announce(config, done)
    if as_json:
        typer.echo(to_bytes(done.revision.about), nl=False)
    else:
        typer.echo(summary(done.revision.about))


def summary(about: Any) -> str:
    """A revision in a few lines for a person."""
    found = about["difference"]
    lines = [
        f"{about['date']} {about['rulebook']['id']}: revision {about['revision']}, {about['reason']}"
    ]
    for row in found["makers"]:
        was, now = row["was"], row["is"]
        changed = [
            f"{key} {was.get(key)} -> {now.get(key)}"
            for key in ("presence", "verdict")
            if key in now
        ]
        lines.append(f"  {row['maker']}: " + (", ".join(changed) or "times alone"))
    lines += [f"  breach {row['action']}: {row['breach']['kind']} {row['breach']['maker']} "
              f"{row['breach']['contract']} {row['breach']['id']}" for row in found["breaches"]]  # fmt: skip
    lines.append(
        f"  {len(found['obligations'])} obligations changed, {len(about['changes'])} reasons"
    )
    return "\n".join(lines)


def _replace_day(ledger: Path, judged: Any, rulebook: Any) -> None:
    from mm_monitor.ledger import write_day
    from mm_monitor.reports.day import day_record

    try:
        for view in judged.days:
            write_day(ledger, day_record(view, judged.judging, rulebook))
    except OSError as error:
        raise MonitorError(f"{ledger}: cannot be written: {error.strerror}") from None


def _announce(path: Path, done: Any) -> None:
    from mm_monitor.assembly import kafka_options
    from mm_monitor.config import load_config
    from mm_monitor.revisions import announce
    from mm_monitor.sources.kafka_options import client_settings

    config = load_config(path)
    if config.evidence.directory:
        announce.note(Path(config.evidence.directory), done.revision, done.events)
    if config.breaches.enabled:
        client = client_settings(kafka_options(config))
        told = announce.publish(
            client, config.topics.breaches, done.revision, done.events, config.service.id
        )
        asyncio.run(told)


def known(
    source: Annotated[Path, typer.Argument(help="A journal's DATE.tape.")],
    rulebook: Rules,
    as_of: Annotated[
        str,
        typer.Option(
            help="Instant of the monitor's clock: 14:05 or 14:05:30 on that date, a date and time, or ns."
        ),
    ],
    reports: Annotated[
        Path | None, typer.Option(help="Directory of published reports: revisions count too.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Where to write it.")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """What did we know then? The report of all that had been judged, or revised, by an instant."""
    from mm_monitor.reports.report import to_bytes
    from mm_monitor.revisions.revise import known as run
    from mm_monitor.revisions.store import Revisions
    from mm_monitor.rulebooks import load
    from mm_monitor.screens import replay_progress, summary_table

    book = load(rulebook)
    instant = _instant(as_of, source.stem, book.calendar.timezone if book.calendar else "")
    revision = Revisions(reports, source.stem, book.id).known_at(instant) if reports else None
    if revision is not None and revision.number > 0:
        found = {**revision.report, "as_of": {"instant": instant, "revision": revision.number}}
    else:
        with replay_progress(as_json) as progress:
            found = asyncio.run(run(source, book, instant, progress))
    if report is not None:
        _write(report, to_bytes(found))
    if as_json:
        typer.echo(to_bytes(found), nl=False)
    else:
        Console(stderr=True).print(summary_table(found))
        typer.echo(f"as of {found['as_of']}")


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise MonitorError(f"{path}: cannot be written: {error.strerror}") from None


def _instant(text: str, date: str, zone: str) -> int:
    from mm_monitor.studies.timeline_text import instant

    return instant(
        f"{date}T{text}" if re.fullmatch(r"\d\d:\d\d(:\d\d(\.\d+)?)?", text) else text, zone
    )
