"""The one command: parse, hand over, and turn errors into one sentence and an exit code.

Exit codes: 0 it worked, 1 the answer is no (a lint error), 2 bad input or configuration, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from mm_monitor import (
    __version__,
    cli_access,
    cli_desk,
    cli_doctor,
    cli_evidence,
    cli_imports,
    cli_journal,
    cli_pricing,
    cli_reports,
    cli_revisions,
    cli_studies,
    cli_top,
)
from mm_monitor.cli_words import FirstThingsFirst, Json, Rules, RulesArgument, Silent, print_json
from mm_monitor.errors import ConfigError, MonitorError, unwritable
from mm_monitor.screens import capture_progress, doubts, replay_progress, summary_table

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
app = typer.Typer(
    name="mm-monitor",
    cls=FirstThingsFirst,
    help="Who keeps the quoting obligation: exact presence of every market maker, live or from a capture.",
    no_args_is_help=True,
    context_settings=HELP,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
rules_app = typer.Typer(help="Rulebooks: the numbers by which makers are judged.", no_args_is_help=True,
                        context_settings=HELP)  # fmt: skip
app.add_typer(rules_app, name="rules")
cli_studies.register(app, rules_app)
cli_reports.register(app, HELP)
cli_pricing.register(app)
cli_evidence.register(app, HELP)
cli_journal.register(app, HELP)
cli_access.register(app)
cli_doctor.register(app)
cli_top.register(app)
cli_imports.register(app, HELP)
cli_revisions.register(app)
cli_desk.register(app)
UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> None:
    """Entry point of `mm-monitor`."""
    try:
        app()
    except MonitorError as error:
        errors.print(f"mm-monitor: {error}", markup=False)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        _cannot_write(error)


def _cannot_write(error: OSError) -> NoReturn:
    """Standard output, or a file while it is written: a full disk, a reader that has gone."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, sys.stdout.fileno())  # what is still buffered goes nowhere
    if error.errno == errno.EPIPE:  # as of `| head`: whoever read has had enough
        sys.exit(141)
    errors.print(
        f"mm-monitor: {error.filename or 'output'}: cannot be written: {error.strerror}",
        markup=False,
    )
    sys.exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"mm-monitor {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def _resolution(text: str) -> int:
    """A positive duration in ns."""
    from mm_monitor.units import UnitError, duration

    try:
        ns = duration(text)
    except UnitError:
        ns = 0
    if ns <= 0:
        raise ConfigError("--clock-resolution", 'a duration such as "1ms"', text)
    return ns


# -- replay -----------------------------------------------------------------------------------


@app.command(
    epilog="Example: mm-monitor replay captures/2025-08-01 --rulebook szse-2025 --report out.json"
)
def replay(
    capture: Annotated[Path, typer.Argument(help="Capture directory (csv or parquet files).")],
    rulebook: Rules,
    report: Annotated[
        Path | None, typer.Option(help="Where to write the report; - for standard output.")
    ] = None,
    details: Annotated[
        Path | None, typer.Option(help="Where to write every number beside the verdicts.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Directory that keeps each finished trading date.")
    ] = None,
    clock_resolution: Annotated[
        str,
        typer.Option(help="Of the clock that wrote ts_event; no latency is told finer than this."),
    ] = "1ns",
    journal: Annotated[
        Path | None,
        typer.Option(help="Journal of a service, or one file of it: the theos that it computed."),
    ] = None,
    dead_letters: Annotated[
        Path | None,
        typer.Option(help="Write each line that could not be used here, as JSON lines."),
    ] = None,
    shard: Annotated[
        str, typer.Option(help="K/N: judge the K-th of N shares of the classes, and no maker.")
    ] = "",
    accruals: Annotated[
        Path | None,
        typer.Option(help="Where to write what the classes came to, for report merge."),
    ] = None,
    as_json: Json = False,
    quiet: Silent = False,
) -> None:
    """Judge a recorded capture and write the report."""
    from mm_monitor.replay import replay as run_replay
    from mm_monitor.rulebooks import load
    from mm_monitor.studies.sensitivity import add_sensitivity

    book, resolution = load(rulebook), _resolution(clock_resolution)
    report = Path("-") if as_json else report
    worker = _worker(shard, {"--report": report, "--details": details, "--ledger": ledger})
    _spare_inputs(capture, rulebook, report, details, dead_letters, accruals)
    with ExitStack() as stack:
        letters = stack.enter_context(_open(dead_letters)) if dead_letters else None
        progress = stack.enter_context(replay_progress(quiet))
        work = run_replay(
            capture, book, dead_letters=letters, progress=progress, watch=details is not None,
            resolution=resolution, journal=_checked(journal), share=_share_of(worker),
        )  # fmt: skip
        done = _run(work)
        if details is not None:
            _run(add_sensitivity(capture, book, done.report, done.details, progress, journal))
    _write_reports(done, report, details)
    if ledger is not None:
        _keep_days(ledger, done, book)
    if accruals is not None:
        _keep_accruals(accruals, done, book, worker)
    if not quiet and worker[1] == 1:
        _summary(done, report, told=dead_letters is not None)


def _checked(journal: Path | None) -> Path | None:
    from mm_monitor.journal import check_journal

    if journal is not None:
        check_journal(journal)
    return journal


def _write_reports(done: Any, report: Path | None, details: Path | None) -> None:
    from mm_monitor.reports.report import to_bytes

    data = to_bytes(done.report)
    if report is not None and str(report) == "-":
        sys.stdout.buffer.write(data)
    elif report is not None:
        _write(report, data)
    if details is not None:
        _write(details, to_bytes(done.details))


def _summary(done: Any, report: Path | None, told: bool) -> None:
    for name in done.ignored_files:
        errors.print(f"not read: {name}", markup=False)
    errors.print(summary_table(done.report))
    for line in doubts(done.report, told):
        errors.print(line, markup=False)
    if report is not None and str(report) != "-":
        errors.print(f"report: {report}", markup=False)


def _spare_inputs(capture: Path, rulebook: str, *outputs: Path | None) -> None:
    """Nothing is written over what is read."""
    inputs = {path.resolve() for path in [Path(rulebook), *_tables(capture)]}
    for output in outputs:
        if output is not None and output.resolve() in inputs:
            raise MonitorError(f"{output}: is an input of this replay and would be overwritten")


def _tables(capture: Path) -> list[Path]:
    endings = (".csv", ".parquet")
    return [p for p in capture.iterdir() if p.suffix in endings] if capture.is_dir() else []


def _worker(shard: str, outputs: dict[str, Path | None]) -> tuple[int, int]:
    """Which of how many. MonitorError for text that says nothing of the kind, and for what a share cannot write."""
    from mm_monitor.config_values import worker_of
    from mm_monitor.tables import Place
    from mm_monitor.units import UnitError

    try:
        worker = worker_of(shard, Place("", []))
    except UnitError as error:
        raise ConfigError("--shard", str(error), shard) from None
    if worker is None:
        return 1, 1
    for name, path in outputs.items():
        if path is not None:
            raise MonitorError(
                f"{name}: not of a share, for makers are judged by all classes; see report merge"
            )
    return worker


def _share_of(worker: tuple[int, int]) -> Any:
    from mm_monitor.core.share import Share

    k, n = worker
    return Share(n, frozenset([k - 1])) if n > 1 else None


def _keep_accruals(path: Path, done: Any, rulebook: Any, worker: tuple[int, int]) -> None:
    from mm_monitor.formats import json_bytes
    from mm_monitor.reports.accruals import messages

    lines = []
    for view in done.days:
        told = messages(view, rulebook, done.reference, worker, final=True)
        lines += [b'{"key":%b,"value":%b}\n' % (key, json_bytes(value)) for key, value in told]
    _write(path, b"".join(lines))


def _keep_days(ledger: Path, done: Any, rulebook: Any) -> None:
    from mm_monitor.ledger import write_day
    from mm_monitor.reports.day import day_record

    try:
        for view in done.days:
            write_day(ledger, day_record(view, done.judging, rulebook))
    except OSError as error:
        raise MonitorError(f"{ledger}: cannot be written: {unwritable(error)}") from None


def _open(path: Path) -> Any:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise MonitorError(f"{path}: cannot be written: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise MonitorError(f"{path}: cannot be written: {error.strerror}") from None


# -- service ----------------------------------------------------------------------------------


@app.command(epilog="Example: mm-monitor run --config monitor.toml")
def run(config: Annotated[Path, typer.Option(help="The service's TOML file.")]) -> None:
    """Watch a real Kafka, until SIGTERM or Ctrl-C; SIGHUP reads the file again."""
    from mm_monitor.app import serve
    from mm_monitor.cluster import keeper
    from mm_monitor.config import load_config

    read = load_config(config)
    shared = read.kafka.worker is not None and read.kafka.worker[0] == 0
    _run(keeper.serve(config) if shared else serve(read, config))


@app.command("check-config", epilog="Example: mm-monitor check-config monitor.toml")
def check_config(
    file: Annotated[Path, typer.Argument(help="The service's TOML file.")], as_json: Json = False
) -> None:
    """Say what is wrong with a configuration, with path, requirement and value."""
    from mm_monitor.config import check_config as check

    wrong = check(file)
    if as_json:
        print_json({"file": str(file), "wrong": wrong})
        raise typer.Exit(2 if wrong else 0)
    for line in wrong:
        errors.print(line, markup=False)
    if wrong:
        raise typer.Exit(2)
    print(f"{file}: ok")


@app.command(epilog="Example: mm-monitor demo --seconds 30")
def demo(
    seconds: Annotated[
        float | None, typer.Option(help="End after so long; without it, at the end of the day.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Session seconds per second of the clock.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another day.")] = 1,
    rate: Annotated[int, typer.Option(help="Ticks a second.")] = 50_000,
    makers: Annotated[int, typer.Option(help="How many makers.")] = 20,
    contracts: Annotated[int, typer.Option(help="How many contracts, over four classes.")] = 600,
    port: Annotated[int, typer.Option(help="HTTP port; 0 for any free one.")] = 8088,
    plain: Annotated[
        bool, typer.Option("--plain", help="Lines instead of a table that refreshes.")
    ] = False,
) -> None:
    """A simulated trading day on an embedded broker, watched live: nothing else is needed."""
    from mm_monitor.demo import DemoOptions, run_demo

    options = DemoOptions(seconds, speed, seed, rate, makers, contracts, port, plain)
    _run(run_demo(options))


# -- simulator --------------------------------------------------------------------------------


@app.command(
    epilog="Examples: mm-monitor simulate --out day1 --seed 7 · "
    "mm-monitor simulate --bootstrap 127.0.0.1:9092 --codec packed · "
    "mm-monitor simulate --strategies all --out games"
)
def simulate(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option(help="Write a capture directory with truth.json.")
    ] = None,
    bootstrap: Annotated[str, typer.Option(help="Send to this Kafka instead.")] = "",
    seed: Annotated[int, typer.Option(help="Another seed, another day.")] = 1,
    makers: Annotated[int, typer.Option(help="How many makers.")] = 20,
    contracts: Annotated[int, typer.Option(help="How many contracts, over the classes.")] = 600,
    classes: Annotated[int, typer.Option(help="How many classes (underlyings), 1 to 4.")] = 4,
    rate: Annotated[
        int | None,
        typer.Option(help="Ticks a second of the clock [50000 to Kafka, 2000 to a directory]."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="Play the whole day in so many seconds; 14220 is real time.")
    ] = 300,
    day: Annotated[str, typer.Option(help="Trading date, YYYY-MM-DD.")] = "",
    strategies: Annotated[
        str,
        typer.Option(help="Play these ways to game a monitor instead: all, or names with commas."),
    ] = "",
    minutes: Annotated[int, typer.Option(help="Minutes of trading with --strategies.")] = 20,
    listing: Annotated[bool, typer.Option("--list", help="Name the strategies and end.")] = False,
    fmt: Annotated[str, typer.Option("--format", help="csv or parquet.")] = "csv",
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Lines of quotes and theo in any order.")
    ] = False,
    codec: Annotated[str, typer.Option(help="packed or json.")] = "packed",
    rows_per_record: Annotated[int, typer.Option(help="Ticks in one Kafka record.")] = 256,
    fast: Annotated[bool, typer.Option("--fast", help="Ignore the clock.")] = False,
    now: Annotated[
        bool,
        typer.Option("--now", help="A session of --seconds that begins now, with its rulebook."),
    ] = False,
    group: Annotated[str, typer.Option(help="Keep pace with this consumer group.")] = "",
    reference: Annotated[
        Path | None, typer.Option(help="Write contracts.csv and makers.csv here.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Write truth.json here.")] = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Makers whose presence is known to the nanosecond, into a capture directory or a Kafka."""
    _refuse_unused(context, "strategies" if strategies else "bootstrap" if bootstrap else "out")
    if listing or strategies:
        said = "json" if as_json else "" if quiet else "text"
        _games(listing, strategies, out, seed, day, minutes, fmt, shuffle, said)
        return
    rate = rate if rate is not None else (2_000 if out is not None else 50_000)
    today = _day(day, seed, makers, classes, contracts, rate, seconds)
    if now and (reference is None or not bootstrap or fast or day):
        raise MonitorError(
            "simulate: --now needs --bootstrap and --reference, and no --fast or --day"
        )
    kafka = {"now": now, "codec": codec, "rows_per_record": rows_per_record, "fast": fast, "group": group,
             "reference_dir": reference, "truth": truth}  # fmt: skip
    done = _simulate(today, out, bootstrap, {"fmt": fmt, "shuffle": shuffle}, kafka, quiet)
    where = str(out if out is not None else bootstrap)
    _simulated(done, where, "json" if as_json else "" if quiet else "text")


# What `simulate` cannot heed beside an option, by parameter.
_KAFKAS = ("codec", "rows_per_record", "fast", "now", "group", "reference", "truth")
_UNUSED = {
    "out": _KAFKAS,
    "bootstrap": ("fmt", "shuffle"),
    "strategies": ("bootstrap", "makers", "contracts", "classes", "rate", "seconds", *_KAFKAS),
}


def _refuse_unused(context: typer.Context, chosen: str) -> None:
    """Raises MonitorError for an option that was given and would be ignored beside the chosen one."""
    flags = {str(one.name): one.opts[0] for one in context.command.params}
    sources = {name: context.get_parameter_source(name) for name in _UNUSED[chosen]}
    given = [
        flags[name] for name, source in sources.items() if source and source.name == "COMMANDLINE"
    ]
    if given:
        raise MonitorError(f"simulate: {', '.join(given)} would be ignored with {flags[chosen]}")


def _games(
    listing: bool,
    strategies: str,
    out: Path | None,
    seed: int,
    day: str,
    minutes: int,
    fmt: str,
    shuffle: bool,
    said: str,
) -> None:
    from mm_monitor.simulator.days import DEMO_DATE
    from mm_monitor.simulator.games.commands import GameOptions, listed, simulate_games

    if listing:
        lines = list(listed())
        print_json({"strategies": lines}) if said == "json" else print("\n".join(lines))
        return
    if out is None:
        raise MonitorError("simulate: --strategies needs --out DIRECTORY")
    today = _date(day) if day else DEMO_DATE
    done = simulate_games(GameOptions(strategies, out, seed, today, minutes, fmt, shuffle))
    _simulated(done, str(out), said)


def _simulated(done: Any, where: str, said: str) -> None:
    if said == "json":
        print_json({"records": done.records, "seconds": round(done.wall_seconds, 3), "to": where})
    elif said:
        print(f"{done.records:,} records in {done.wall_seconds:.1f} s to {where}")


def _day(day: str, *numbers: Any) -> Any:
    from mm_monitor.simulator.commands import DayOptions

    chosen: dict[str, Any] = {"day": _date(day)} if day else {}
    return DayOptions(*numbers, **chosen)


def _simulate(
    day: Any,
    out: Path | None,
    bootstrap: str,
    capture: dict[str, Any],
    kafka: dict[str, Any],
    quiet: bool,
) -> Any:
    from mm_monitor.simulator import commands

    if (out is None) == (not bootstrap):
        raise MonitorError("simulate: either --out DIRECTORY or --bootstrap HOST:PORT")
    with capture_progress(quiet) as progress:
        if out is not None:
            return commands.simulate_to_capture(
                commands.CaptureOptions(out, day, **capture), progress
            )
        options = commands.KafkaOptions(bootstrap, day, **kafka)
        return _run(commands.simulate_to_kafka(options, progress=progress))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise MonitorError(f"--day: a date YYYY-MM-DD, got {text!r}") from None


# -- rulebooks --------------------------------------------------------------------------------


@rules_app.command("list", epilog="Example: mm-monitor rules list")
def rules_list(as_json: Json = False) -> None:
    """The shipped rulebooks."""
    from mm_monitor.rulebooks import load, names

    if as_json:
        print_json({"rulebooks": [_shipped(name) for name in names()]})
        return
    for name in names():
        try:
            book = load(name)
        except MonitorError:
            print(
                f"{name:24} (has keys that are not implemented yet: mm-monitor rules lint {name})"
            )
            continue
        checked = "verified" if book.verified else "unverified"
        print(
            f"{name:24} version {book.version}, effective {book.effective or 'since unknown'}, {checked}: {book.title}"
        )


@rules_app.command("show", epilog="Example: mm-monitor rules show szse-2025")
def rules_show(rulebook: RulesArgument, as_json: Json = False) -> None:
    """Every number of a rulebook, in words."""
    from mm_monitor.rulebooks import describe, load

    book = load(rulebook)
    if as_json:
        print_json({**_head_of(book, rulebook), "words": describe(book).splitlines()})
    else:
        print(describe(book))


def _shipped(name: str) -> dict[str, Any]:
    from mm_monitor.rulebooks import load

    try:
        return _head_of(load(name), name)
    except MonitorError as error:
        return {"name": name, "error": str(error)}


def _head_of(book: Any, name: str) -> dict[str, Any]:
    told = ("id", "version", "sha256", "title", "verified", "source")
    found = {key: getattr(book, key) for key in told}
    return {"name": name, **found, "effective": str(book.effective)}


@rules_app.command("lint", epilog="Example: mm-monitor rules lint my-venue.toml")
def rules_lint(rulebook: RulesArgument, as_json: Json = False) -> None:
    """What is wrong with a rulebook; exit code 1 for rules that nobody can keep, 2 if it does not load."""
    from mm_monitor.rulebooks import lint, load

    findings = lint(load(rulebook))
    if as_json:
        print_json({"rulebook": rulebook, "findings": [asdict(one) for one in findings]})
    for finding in () if as_json else findings:
        print(finding)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)
    if not findings and not as_json:
        print("ok")
