"""The commands that make capture directories of what venues and vendors have: import fix, taq, databento, orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from mm_monitor.cli_words import Json, print_json
from mm_monitor.errors import MonitorError

Files = Annotated[list[Path], typer.Argument(help="Files, in the order of time.")]
Out = Annotated[Path, typer.Option(help="Directory to write the capture to.")]
Tick = Annotated[str, typer.Option(help="Of every contract, where no file lists them.")]
Contracts = Annotated[
    Path | None, typer.Option(help="A contracts.csv: contract, class and tick of each.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]
Zone = Annotated[str, typer.Option(help="Whose times of day.")]


def register(app: typer.Typer, help_options: Mapping[str, Any]) -> None:
    """Add the commands to the program."""
    imports = typer.Typer(help="Capture directories out of FIX logs, order drop copies and public quote files.",
                          no_args_is_help=True, context_settings=dict(help_options))  # fmt: skip
    app.add_typer(imports, name="import")
    imports.command("fix", epilog="Example: mm-monitor import fix session.log --out day1 --contracts contracts.csv")(
        fix
    )  # fmt: skip
    imports.command(
        "taq", epilog="Example: mm-monitor import taq EQY_US_ALL_BBO --date 2025-08-01 --out day1"
    )(taq)
    imports.command(
        "databento", epilog="Example: mm-monitor import databento mbp-1.csv --out day1"
    )(databento)
    imports.command(
        "orders",
        epilog="Example: mm-monitor import orders drop.csv --min-size 10 --times szse --out day1",
    )(orders)


def fix(
    logs: Files,
    out: Out,
    maker: Annotated[str, typer.Option(help="Tag that names the maker: 49, 50, 115, 1, 448/66 or 448/1.")] = "49",
    contract: Annotated[str, typer.Option(help="Tag that names the contract: 55 or 48.")] = "55",
    contracts: Contracts = None,
    tick: Tick = "0.0001",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """A FIX session's log: quotes, requests for quotes, logons."""
    from mm_monitor.codecs.fix_quotes import MAKER_TAGS, FixTags
    from mm_monitor.imports.fix import import_fix

    if maker not in MAKER_TAGS:
        raise MonitorError(f"--maker: one of {', '.join(MAKER_TAGS)}, got {maker!r}")
    if contract not in ("55", "48"):
        raise MonitorError(f"--contract: 55 or 48, got {contract!r}")
    tags = FixTags.of(maker, contract)
    _run(partial(import_fix, logs, _target(out, tick, contracts), tags), out, as_json, quiet)


def taq(
    files: Files,
    out: Out,
    day: Annotated[str, typer.Option("--date", help="Of files whose lines have no date, YYYY-MM-DD.")] = "",
    timezone: Zone = "America/New_York",
    contracts: Contracts = None,
    tick: Tick = "0.01",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """NYSE Daily TAQ quotes, as the exchange or WRDS lays them out; an exchange takes the maker's place."""
    from mm_monitor.imports.public import import_taq

    target = _target(out, tick, contracts)
    _run(partial(import_taq, files, target, day, _zone(timezone)), out, as_json, quiet)


def databento(
    files: Files,
    out: Out,
    contracts: Contracts = None,
    tick: Tick = "0.01",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Databento csv with a top of book (mbp-1, tbbo, bbo-1s ...); a publisher takes the maker's place."""
    from mm_monitor.imports.public import import_databento

    _run(partial(import_databento, files, _target(out, tick, contracts)), out, as_json, quiet)


def orders(
    files: Files,
    out: Out,
    min_size: Annotated[int, typer.Option(help="Size for which the effective bid and ask are wanted.")] = 1,
    times: Annotated[str, typer.Option(help="ns since the epoch, or szse: 17 digits YYYYMMDDHHMMSSmmm.")] = "ns",
    timezone: Zone = "Asia/Shanghai",
    contracts: Contracts = None,
    tick: Tick = "0.0001",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """A drop copy of orders: a maker's several orders become its effective bid and ask for a size."""
    from mm_monitor.imports.orders import import_orders
    from mm_monitor.imports.times import integer_ns, szse_ns

    if times not in ("ns", "szse") or min_size < 1:
        raise MonitorError(
            f"--times: ns or szse; --min-size: at least 1, got {times!r}, {min_size}"
        )
    read = integer_ns if times == "ns" else partial(szse_ns, zone=_zone(timezone))
    target = _target(out, tick, contracts)
    _run(partial(import_orders, files, target, min_size, read), out, as_json, quiet)


def _run(work: Callable[[Any], Any], out: Path, as_json: bool, quiet: bool) -> None:
    """Do it under a bar, and say what became of the lines."""
    from mm_monitor.screens import replay_progress

    with replay_progress(quiet or as_json) as progress:
        counted = work(progress)
    if as_json:
        print_json({"out": str(out), **counted.plain()})
    elif not quiet:
        written = ", ".join(f"{count:,} {name}" for name, count in sorted(counted.written.items()))
        typer.echo(f"{out}: {written}", err=True)
        for one in counted.plain()["left_out"]:
            typer.echo(
                f"left out {one['lines']:,}, the first at {one['first']}: {one['why']}", err=True
            )


def _target(out: Path, tick: str, contracts: Path | None) -> Any:
    from mm_monitor.imports.writing import Target
    from mm_monitor.units import UnitError, price

    try:
        if price(tick) <= 0:
            raise UnitError("more than 0")
    except UnitError as error:
        raise MonitorError(f"--tick: {error}, got {tick!r}") from None
    return Target(out, tick, contracts)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise MonitorError(
            f"--timezone: an IANA zone such as Asia/Shanghai, got {name!r}"
        ) from None
    return name
