"""The commands that write scorecards and check a pack of them: report day, report check."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from mm_monitor.cli_words import Json, Rules, print_json
from mm_monitor.errors import MonitorError, unwritable

FORMATS = ("html", "pdf", "csv", "parquet", "json")
Formats = Annotated[
    str, typer.Option("--format", help="Of html, pdf, csv, parquet and json, with commas.")
]
Language = Annotated[str, typer.Option(help="Of html and pdf: en or zh.")]
Font = Annotated[
    Path | None, typer.Option("--pdf-font", help="TrueType font to set the pdf in, and to embed.")
]


def register(reports: typer.Typer) -> None:
    """Add the commands to the group `report`."""
    reports.command(
        epilog="Examples: mm-monitor report day captures/day1 --rulebook szse-2025 --out cards · "
        "... --pack day1.zip --language zh"
    )(day)
    reports.command(epilog="Example: mm-monitor report check day1.zip --capture captures/day1")(
        check
    )


def day(
    capture: Annotated[Path, typer.Argument(help="Capture directory (csv or parquet files).")],
    rulebook: Rules,
    out: Annotated[Path | None, typer.Option(help="Directory to write to.")] = None,
    pack: Annotated[
        Path | None, typer.Option(help="Write all of it as one archive, a zip.")
    ] = None,
    formats: Formats = "html,csv,json",
    language: Language = "en",
    maker: Annotated[str, typer.Option(help="Only this maker's scorecard.")] = "",
    with_inputs: Annotated[
        bool, typer.Option("--with-inputs", help="Put the capture itself into the pack too.")
    ] = False,
    pdf_font: Font = None,
    journal: Annotated[
        Path | None, typer.Option(help="Journal of a service: the theos that it computed.")
    ] = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Scorecards of a recorded period: of all makers, and of each, with every lapse and its reason."""
    from mm_monitor.reports.papers.pack import to_pack
    from mm_monitor.reports.report import to_bytes

    wanted = chosen(formats, language)
    if out is None and pack is None and not as_json:
        raise MonitorError("report day: --out DIRECTORY, --pack FILE.zip or --json, at least one")
    inputs = [*_inputs(capture), *_journal_files(journal)]
    card = _card(capture, rulebook, inputs, journal, quiet)
    if maker and maker not in {row["maker"] for row in card["makers"]}:
        known = ", ".join(row["maker"] for row in card["makers"][:10])
        raise MonitorError(f"--maker: one that is judged ({known}), got {maker!r}")
    files = day_files(card, wanted, language, maker, pdf_font)
    if out is not None:
        write_all(out, files, quiet)
    if pack is not None:
        files["rulebook.toml"] = _rulebook_bytes(rulebook)
        if with_inputs:
            files |= {f"inputs/{path.name}": path.read_bytes() for path in inputs}
        write_file(pack, to_pack(files, card))
        _tell(f"{pack}: {len(files)} files", quiet)
    if as_json:
        typer.echo(to_bytes(card), nl=False)


def check(
    pack: Annotated[Path, typer.Argument(help="The archive.")],
    capture: Annotated[
        Path | None, typer.Option(help="Are its inputs those of this capture directory?")
    ] = None,
    as_json: Json = False,
) -> None:
    """Is every file of a pack what its manifest says? Exit code 1 if not."""
    from mm_monitor.reports.papers.pack import faults_of

    faults = list(faults_of(pack, capture))
    if as_json:
        print_json({"pack": str(pack), "faults": faults})
    else:
        for line in faults or ["ok"]:
            typer.echo(line)
    if faults:
        raise typer.Exit(1)


def _card(
    capture: Path, rulebook: str, inputs: Sequence[Path], journal: Path | None, quiet: bool
) -> Any:
    from mm_monitor.replay import replay
    from mm_monitor.reports.scorecard import scorecard
    from mm_monitor.rulebooks import load
    from mm_monitor.screens import replay_progress
    from mm_monitor.studies.lapses import lapses_of

    book = load(rulebook)
    with replay_progress(quiet) as progress:
        done = asyncio.run(replay(capture, book, progress=progress, journal=journal))
    with replay_progress(quiet) as progress:
        found = asyncio.run(lapses_of(capture, book, progress, journal))
    return scorecard(done, found, book, inputs)


def _inputs(capture: Path) -> list[Path]:
    """The tables that a replay reads."""
    from mm_monitor.sources.files import find_table
    from mm_monitor.sources.table import REQUIRED

    found = (find_table(capture, name) for name in sorted(REQUIRED) if name != "vol")
    return [table.path for table in found if table is not None]


def _journal_files(journal: Path | None) -> list[Path]:
    from mm_monitor.journal import check_journal

    if journal is None:
        return []
    check_journal(journal)
    if not journal.is_dir():
        return [journal]
    return sorted(path for path in journal.iterdir() if path.is_file())


def _rulebook_bytes(rulebook: str) -> bytes:
    from mm_monitor.rulebooks.loader import source_bytes

    return source_bytes(rulebook)[0]


def chosen(formats: str, language: str) -> list[str]:
    """The formats that were asked for. MonitorError for one that there is not, or another language."""
    from mm_monitor.reports.papers.words import LANGUAGES

    wanted = [name.strip() for name in formats.split(",")]
    for name in wanted:
        if name not in FORMATS:
            raise MonitorError(f"--format: of {', '.join(FORMATS)}, got {name!r}")
    if language not in LANGUAGES:
        raise MonitorError(f"--language: {' or '.join(LANGUAGES)}, got {language!r}")
    return wanted


def day_files(
    card: Mapping[str, Any], wanted: Sequence[str], language: str, maker: str, font: Path | None
) -> dict[str, bytes]:
    """Every file of a scorecard by name. With `maker` only its document, and tables of its rows."""
    from mm_monitor.reports.papers import day as papers
    from mm_monitor.reports.papers import tables
    from mm_monitor.reports.report import to_bytes

    if maker:
        card = only(card, maker)
    documents = {} if maker else {"index": papers.overview(card, language)}
    names = [row["maker"] for row in card["makers"]]
    documents |= {
        f"maker-{quote(name, safe='')}": papers.of_maker(card, name, language) for name in names
    }
    files = written(documents, wanted, font)
    for ending in ("csv", "parquet"):
        if ending in wanted:
            files |= tables.tables_of(card, tables.DAY, ending)
    if "json" in wanted:
        files["scorecard.json"] = to_bytes(card)
    return files


def only(card: Mapping[str, Any], maker: str) -> dict[str, Any]:
    """What of a scorecard is one maker's."""
    mine = {
        name: [row for row in card[name] if row["maker"] == maker]
        for name in ("makers", "classes", "obligations", "lapses", "breaches")
    }
    exempted = [row for row in card["exemptions"] if row["maker"] in ("*", maker)]
    return {**card, **mine, "exemptions": exempted, "contracts": []}


def written(
    documents: Mapping[str, Any], wanted: Sequence[str], font: Path | None
) -> dict[str, bytes]:
    """Documents as html and pdf, as far as they are wanted."""
    from mm_monitor.reports.papers.page import to_html

    files: dict[str, bytes] = {}
    for name, document in documents.items():
        if "html" in wanted:
            files[f"{name}.html"] = to_html(document)
        if "pdf" in wanted:
            from mm_monitor.reports.papers.sheet import to_pdf

            files[f"{name}.pdf"] = to_pdf(document, font)
    return files


def month_files(
    report: Mapping[str, Any],
    days: Sequence[Path],
    wanted: Sequence[str],
    language: str,
    font: Path | None,
) -> dict[str, bytes]:
    """Every file of a month report by name; `days` are the files of the ledger."""
    from mm_monitor.hashes import file_hash
    from mm_monitor.reports.papers import month as papers
    from mm_monitor.reports.papers import tables
    from mm_monitor.reports.report import to_bytes
    from mm_monitor.reports.scorecard import ENGINE

    inputs, documents = [file_hash(path) for path in days], {}
    for one in report["months"]:
        head = f"{one['month']}.{one['rulebook']['id']}"
        args = (inputs, ENGINE, language)
        documents[head] = papers.overview(one, *args)
        for row in one["makers"]:
            name = quote(row["maker"], safe="")
            documents[f"{head}.{name}"] = papers.of_maker(one, row["maker"], *args)
    files = written(documents, wanted, font)
    rows = tables.month_rows(report, inputs)
    for ending in ("csv", "parquet"):
        if ending in wanted:
            files |= tables.tables_of(rows, tables.MONTH, ending)
    if "json" in wanted:
        files["months.json"] = to_bytes(report)
    return files


def write_all(directory: Path, files: Mapping[str, bytes], quiet: bool = False) -> None:
    """Put files into a directory, made if need be, and say so."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MonitorError(f"{directory}: cannot be written: {unwritable(error)}") from None
    for name, data in files.items():
        write_file(directory / name, data)
    _tell(f"{directory}: {len(files)} files", quiet)


def _tell(text: str, quiet: bool) -> None:
    if not quiet:
        typer.echo(text, err=True)


def write_file(path: Path, data: bytes) -> None:
    """MonitorError with the cause if it cannot be written."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise MonitorError(f"{path}: cannot be written: {error.strerror}") from None
