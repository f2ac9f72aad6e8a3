"""The commands that ask questions of a recorded day: explain, whatif, rules compare."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from mm_monitor.cli_words import Json, Rules, print_json
from mm_monitor.errors import ConfigError, MonitorError

Capture = Annotated[Path, typer.Argument(help="Capture directory (csv or parquet files).")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


def register(app: typer.Typer, rules_app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog="Examples: mm-monitor explain captures/day1 HONEST-01 C0001 --rulebook szse-2025 · "
                "... --at 2025-08-01T09:31:00")(explain)  # fmt: skip
    app.command(epilog="Examples: mm-monitor whatif captures/day1 --rulebook szse-2025 "
                "--set 'spread.terms[0].relative=2.5%' · ... --theo +1%")(whatif)  # fmt: skip
    rules_app.command(
        "compare", epilog="Example: mm-monitor rules compare captures/day1 szse-2025 mifid2-rts8"
    )(compare)


def explain(
    capture: Capture,
    maker: Annotated[str, typer.Argument(help="Maker.")],
    contract: Annotated[str, typer.Argument(help="Contract.")],
    rulebook: Rules,
    at: Annotated[str, typer.Option(help="Only the interval of this instant.")] = "",
    since: Annotated[str, typer.Option("--from", help="Only what lasts beyond this instant.")] = "",
    until: Annotated[str, typer.Option("--to", help="Only what begins before this instant.")] = "",
    as_json: Json = False,
) -> None:
    """Why an obligation counted as it did: every interval, its failing tests, its records, and what would be valid."""
    from mm_monitor.rulebooks import load
    from mm_monitor.screens import replay_progress
    from mm_monitor.studies import timeline_text as texts
    from mm_monitor.studies.timeline import timeline

    book = load(rulebook)
    with replay_progress(as_json) as progress:
        line = asyncio.run(timeline(capture, book, maker, contract, progress))
    zone = book.calendar.timezone if book.calendar else ""
    if at and (since or until):
        raise MonitorError("explain: either --at or --from and --to")
    start = texts.instant(at or since, zone) if at or since else line.period[0]
    end = start + 1 if at else texts.instant(until, zone) if until else line.period[1]
    chosen = texts.within(line, start, end)
    if not chosen:
        first, last = (texts.clock(line, ts) for ts in line.period)
        raise MonitorError(f"explain: nothing there; the period is from {first} to before {last}")
    if at:
        chosen = [entry for entry in line.intervals() if entry[2] is chosen[0][2]]
    if as_json:
        print_json(texts.as_json(line, chosen))
        return
    for text in texts.as_text(line, chosen):
        typer.echo(text)


def whatif(
    capture: Capture,
    rulebook: Rules,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="PATH=VALUE in the rulebook; may be given often."),
    ] = None,
    theo: Annotated[str, typer.Option(help="Every theo moved by so much: +1%, -0.5%.")] = "",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Which verdicts flip under other numbers, by whom, and which contracts lose their liquidity."""
    from mm_monitor.rulebooks import load
    from mm_monitor.studies.settings import changed
    from mm_monitor.studies.whatif import difference, whatif_tables

    if not settings and not theo:
        raise MonitorError("whatif: at least one --set PATH=VALUE, or --theo +1%")
    before = load(rulebook)
    after = changed(rulebook, settings or [])
    factor = 1 + _share(theo) if theo else Fraction(1)
    was = _report(capture, before, quiet)
    now = _report(capture, after, quiet, factor)
    found = difference(was, now, [*(settings or []), *([f"theo {theo}"] if theo else [])])
    if as_json:
        print_json(found)
    else:
        Console(highlight=False).print(whatif_tables(found))


def compare(
    capture: Capture,
    rulebooks: Annotated[list[str], typer.Argument(help="Rulebooks by name, or TOML files.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """One recorded day under several rulebooks, side by side."""
    from mm_monitor.rulebooks import load
    from mm_monitor.studies.compare import compare as put_together
    from mm_monitor.studies.compare import compare_table

    books = [load(name) for name in rulebooks]
    found = put_together([_report(capture, book, quiet) for book in books])
    if as_json:
        print_json(found)
    else:
        Console(highlight=False).print(compare_table(found))


def _report(capture: Path, book: Any, quiet: bool, factor: Fraction = Fraction(1)) -> Any:
    from mm_monitor.replay import replay
    from mm_monitor.screens import replay_progress
    from mm_monitor.studies.scaled import ScaledTheo

    with replay_progress(quiet) as progress:
        wrap = (lambda source: ScaledTheo(source, factor)) if factor != 1 else None
        return asyncio.run(replay(capture, book, progress=progress, wrap=wrap)).report


def _share(text: str) -> Fraction:
    """`+1%` as 1/100."""
    from mm_monitor.units import UnitError, percent

    try:
        ratio = percent(text.lstrip("+-"))
    except UnitError as error:
        raise ConfigError("--theo", str(error), text) from None
    share = Fraction(ratio.num, ratio.den)
    if text.startswith("-") and share > 1:
        raise ConfigError("--theo", "no less than -100%", text)
    return -share if text.startswith("-") else share
