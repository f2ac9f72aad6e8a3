"""The command that computes theos: price."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from mm_monitor.cli_words import Json, Silent, print_json
from mm_monitor.errors import MonitorError
from mm_monitor.units import UnitError, clock, duration
from mm_monitor.units import rate as read_rate

DAY = 86_400


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog="Examples: mm-monitor price captures/day1 --model bsm --rate 2% --out priced · "
                "... --leave-out MAKER-03")(price)  # fmt: skip


def price(
    capture: Annotated[Path, typer.Argument(help="Capture directory (csv or parquet files).")],
    model: Annotated[str, typer.Option(help="black76, bsm or bjs2002.")] = "black76",
    rate: Annotated[str, typer.Option(help="Interest a year, continuous.")] = "0%",
    dividend: Annotated[str, typer.Option(help="Dividend yield a year, continuous.")] = "0%",
    out: Annotated[
        Path | None, typer.Option(help="Write a capture with the theos here, not into CAPTURE.")
    ] = None,
    sources: Annotated[
        str, typer.Option(help="Which sources, the first that is fresh wins.")
    ] = "feed,vol,surface,fit",
    leave_out: Annotated[
        str, typer.Option(help="Maker whose quotes the fit does not see: the one to be judged.")
    ] = "",
    every: Annotated[str, typer.Option(help="Event time between two computed theos.")] = "1s",
    max_age: Annotated[str, typer.Option(help="Of a feed's theo and of an underlying.")] = "1m",
    vol_max_age: Annotated[str, typer.Option(help="Of a vol.")] = "24h",
    expires_at: Annotated[str, typer.Option(help="Time of day of expiry.")] = "24:00",
    timezone: Annotated[str, typer.Option(help="Whose time of day.")] = "UTC",
    journal: Annotated[
        Path | None,
        typer.Option(help="Journal of a service: take the theos that it computed, compute none."),
    ] = None,
    as_json: Json = False,
    quiet: Silent = False,
) -> None:
    """Compute the theos that a capture lacks, and write them for a replay to read."""
    from mm_monitor.journal import check_journal
    from mm_monitor.pricing import PriceOptions, take_kept
    from mm_monitor.pricing import price as run
    from mm_monitor.screens import replay_progress
    from mm_monitor.theo.cascade import Settings
    from mm_monitor.theo.models import Market
    from mm_monitor.theo.terms import ExpiryClock

    market = Market(_model(model), _rate("--rate", rate), _rate("--dividend", dividend))
    settings = Settings(
        market, _sources(sources), _time("--max-age", max_age), _time("--vol-max-age", vol_max_age)
    )
    seconds: int = _read("--expires-at", clock, expires_at)
    if seconds > DAY:
        raise MonitorError(f"--expires-at: at most 24:00, got {expires_at!r}")
    options = PriceOptions(
        settings, ExpiryClock(seconds, _zone(timezone)), _time("--every", every), leave_out
    )
    if journal is not None:
        check_journal(journal)
    with replay_progress(quiet) as progress:
        if journal is not None:
            done = asyncio.run(take_kept(capture, out, journal, progress))
        else:
            done = asyncio.run(run(capture, out, options, progress))
    if as_json:
        print_json({"file": str(done.path), "theos": done.by_source})
    elif not quiet:
        given = ", ".join(f"{count:,} {source}" for source, count in done.by_source.items())
        typer.echo(f"{done.path}: {given or 'no theos'}", err=True)


def _model(name: str) -> Any:
    from mm_monitor.theo.models import MODELS

    if name not in MODELS:
        raise MonitorError(f"--model: one of {', '.join(MODELS)}, got {name!r}")
    return MODELS[name]


def _sources(text: str) -> tuple[str, ...]:
    from mm_monitor.theo.cascade import known_sources

    try:
        return known_sources(text.split(","))
    except ValueError as error:
        raise MonitorError(f"--sources: {error}") from None


def _read(option: str, parse: Any, text: str) -> Any:
    try:
        return parse(text)
    except UnitError as error:
        raise MonitorError(f"{option}: {error}, got {text!r}") from None


def _rate(option: str, text: str) -> float:
    return float(_read(option, read_rate, text))


def _time(option: str, text: str) -> int:
    ns: int = _read(option, duration, text)
    if ns == 0:
        raise MonitorError(f"{option}: more than nothing, got {text!r}")
    return ns


def _zone(name: str) -> str:
    try:
        datetime.now(ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        raise MonitorError(
            f"--timezone: an IANA zone such as Asia/Shanghai, got {name!r}"
        ) from None
    return name
