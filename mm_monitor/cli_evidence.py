"""The commands about the evidence log: verify, and evidence keygen, lapses, part and verifier."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mm_monitor.cli_words import Json, Rules, Silent, print_json
from mm_monitor.errors import InputError, MonitorError
from mm_monitor.tables import read_bytes


def register(app: typer.Typer, help_options: Mapping[str, Any]) -> None:
    """Add the commands to the program."""
    app.command(epilog="Examples: mm-monitor verify evidence · mm-monitor verify evidence-2025-08-01.log --key KEY")(
        verify
    )  # fmt: skip
    evidence = typer.Typer(help="The evidence log: its key, and what of it a maker may see.",
                           no_args_is_help=True, context_settings=dict(help_options))  # fmt: skip
    app.add_typer(evidence, name="evidence")
    evidence.command(epilog="Example: mm-monitor evidence keygen evidence.pem")(keygen)
    evidence.command(
        epilog="Example: mm-monitor evidence lapses journal/2025-08-01.tape --rulebook szse-2025 --directory evidence"
    )(lapses)
    evidence.command(
        epilog="Example: mm-monitor evidence part evidence-2025-08-01.log --maker M0 > m0.log"
    )(part)
    evidence.command(epilog="Example: mm-monitor evidence verifier > verifier.py")(verifier)


def verify(
    logs: Annotated[
        list[Path], typer.Argument(help="Logs in the order of their days, or their directory.")
    ],
    key: Annotated[
        str, typer.Option(help="Public key (hex) that must have sealed them, as keygen tells it.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Is every byte of these logs what was written and sealed? Exit code 1 if not."""
    from mm_monitor.evidence.verifier import Fault
    from mm_monitor.evidence.verifier import verify as run
    from mm_monitor.screens import counted

    paths, previous, told, fault = _paths(logs), None, [], ""
    with counted("verifying", len(paths), quiet=False) as step:
        for path in paths:
            try:
                found = run(read_bytes(path), key)
                if previous is not None and found.previous != previous.last:
                    raise Fault("line 1: does not follow the log before it")
                if previous is not None and not previous.key:
                    raise Fault("line 1: the log before it was never sealed")
            except ValueError as wrong:
                fault = f"{path}: {wrong}"
                break
            previous = found
            step()
            told.append({"log": str(path), "entries": found.entries, "withheld": found.withheld,
                         "sealed_by": found.key or None})  # fmt: skip
    _tell(told, fault, as_json)


def _tell(told: list[dict[str, Any]], fault: str, as_json: bool) -> None:
    if as_json:
        print_json({"logs": told, "fault": fault or None})
    for one in () if as_json else told:
        seal = f"sealed by {one['sealed_by']}" if one["sealed_by"] else "not sealed yet"
        typer.echo(f"{one['log']}: {one['entries']} entries, {one['withheld']} withheld, {seal}")
    if fault and not as_json:
        typer.echo(fault, err=True)
    if fault:
        raise typer.Exit(1)


def keygen(
    file: Annotated[Path, typer.Argument(help="Where to write the private key; must not exist.")],
    as_json: Json = False,
) -> None:
    """Make a key to seal evidence with; its public half, for those who verify, goes to standard output."""
    from mm_monitor.evidence.keys import SealingKey

    public = SealingKey.create(file).public
    if as_json:
        print_json({"file": str(file), "public": public})
    else:
        typer.echo(public)


def lapses(
    source: Annotated[Path, typer.Argument(help="A journal's DATE.tape, or a capture directory.")],
    rulebook: Rules,
    directory: Annotated[Path, typer.Option(help="The evidence log's directory.")],
    as_json: Json = False,
    quiet: Silent = False,
) -> None:
    """Have every lapse of a date that is over written into the log, with the records that it was judged by."""
    from mm_monitor.evidence.inbox import post
    from mm_monitor.evidence.lapses import lapse_entries_of
    from mm_monitor.rulebooks import load
    from mm_monitor.screens import replay_progress

    if not directory.is_dir():
        raise InputError("the directory of an evidence log", file=str(directory))
    book = load(rulebook)
    with replay_progress(quiet or as_json) as progress:
        entries = asyncio.run(lapse_entries_of(source, book, progress))
    told = [(entry, post(directory, entry)) for entry in entries]
    _tell_posted(told, as_json, quiet)


def _tell_posted(told: list[tuple[dict[str, Any], str]], as_json: bool, quiet: bool) -> None:
    if as_json:
        rows = [
            {"maker": entry["maker"], "lapses": len(entry["lapses"]), "id": id_}
            for entry, id_ in told
        ]
        print_json({"entries": rows})
    elif not quiet:
        count = sum(len(entry["lapses"]) for entry, _ in told)
        typer.echo(
            f"{count} lapses in {len(told)} entries wait for the service to take them into its log"
        )


def part(
    log: Annotated[Path, typer.Argument(help="A day's log.")],
    maker: Annotated[str, typer.Option(help="Whose entries to tell.")],
) -> None:
    """A log with what is not this maker's withheld, on standard output; it verifies as the whole does."""
    from mm_monitor.evidence.part import part_of
    from mm_monitor.evidence.verifier import Fault
    from mm_monitor.evidence.verifier import verify as check

    data = read_bytes(log)
    try:
        check(data)
    except Fault as fault:
        raise MonitorError(f"{log}: {fault}") from None
    typer.echo(part_of(data, maker), nl=False)


def verifier() -> None:
    """The stand-alone verifier, a Python file that needs nothing of us, on standard output."""
    from mm_monitor.evidence import verifier as module

    typer.echo(Path(module.__file__).read_text(encoding="utf-8"), nl=False)


def _paths(given: list[Path]) -> list[Path]:
    from mm_monitor.evidence.log import logs_of

    found = [path for one in given for path in (logs_of(one) if one.is_dir() else [one])]
    if not found:
        raise InputError("evidence logs (evidence-YYYY-MM-DD.log)", file=str(given[0]))
    return found
