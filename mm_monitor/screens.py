"""What a person sees in the terminal: progress bars, the summary of a report, the live table of makers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mm_monitor.core.model import Verdict
from mm_monitor.core.view import PresenceRow, StatusView
from mm_monitor.formats import ratio_text, rfc3339

NANOSECONDS_SINCE = 10**17  # March 1973: what is earlier was written in a coarser unit

COLOURS = {
    "compliant": "green",
    "breached": "red",
    "indeterminate": "yellow",
    "not_assessed": "dim",
}
NS = 1_000_000_000


@contextmanager
def _bar(quiet: bool) -> Iterator[Progress]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:>10}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
               TextColumn("{task.fields[detail]}"), TimeElapsedColumn())  # fmt: skip
    with Progress(
        *columns, console=console, disable=quiet or not console.is_terminal, transient=True
    ) as bar:
        yield bar


@contextmanager
def replay_progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each stage of a replay; silent when told so or not on a terminal."""
    with _bar(quiet) as bar:
        tasks: dict[str, Any] = {}

        def tell(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=of, detail="")
            unit = "MB" if stage == "reading" else "M rows"
            detail = f"{done / 1e6:.1f} of {of / 1e6:.1f} {unit}"
            bar.update(tasks[stage], completed=done, total=of, detail=detail)

        yield tell


@contextmanager
def capture_progress(quiet: bool, what: str = "simulating") -> Iterator[Callable[..., None]]:
    """A bar for work that is told as so much, or as so much of so much."""
    with _bar(quiet) as bar:
        task = bar.add_task(what, total=None, detail="")

        def tell(*numbers: int) -> None:
            done, of = (numbers[0], numbers[1]) if len(numbers) > 1 else (numbers[0], 0)
            bar.update(task, completed=done, total=of or None)

        yield tell


@contextmanager
def counted(what: str, of: int, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """A bar of `of` steps; what it gives is to be called after each."""
    with _bar(quiet) as bar:
        task = bar.add_task(what, total=of, detail="")
        yield lambda: bar.advance(task)


def percent(text: str | None) -> str:
    """`0.900000000` as `90.0000 %`, by moving the point."""
    if text is None:
        return "-"
    whole, _, rest = text.partition(".")
    digits = whole + rest
    return f"{int(digits[: len(whole) + 2])}.{digits[len(whole) + 2 : len(whole) + 6]} %"


def summary_table(report: Mapping[str, Any]) -> Table:
    """Makers of a report, worst first."""
    table = Table(
        title=f"{report['rulebook']['id']}: {len(report['obligations'])} obligations", expand=False
    )
    for name, justify in (
        ("maker", "left"),
        ("presence", "right"),
        ("coverage", "right"),
        ("verdict", "left"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in sorted(
        report["makers"], key=lambda r: (r["presence"] is None, r["presence"] or "", r["maker"])
    ):
        colour = COLOURS[row["verdict"]]
        verdict = f"[{colour}]{row['verdict']}[/]"
        table.add_row(row["maker"], percent(row["presence"]), percent(row["coverage"]), verdict)
    records = report["records"]
    table.caption = (
        ", ".join(f"{records[k]:,} {k.replace('_', ' ')}" for k in records if records[k])
        or "no records"
    )
    return table


def doubts(report: Mapping[str, Any], told: bool) -> Iterator[str]:
    """What in a report says that the recording may not be what was meant; `told`: dead letters are in a file."""
    if report["period"]["end"] < NANOSECONDS_SINCE:
        day = rfc3339(report["period"]["start"])[:10]
        yield f"judged as {day}: are the times nanoseconds since 1970, not seconds, milliseconds or microseconds?"
    if (dead := report["records"].get("dead_letter", 0)) and not told:
        yield f"lines that could not be used: {dead:,}; --dead-letters FILE writes which, and why"


def month_tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """A table for each month and rulebook of a month report, worst makers first."""
    for month in report["months"]:
        book = month["rulebook"]
        title = (
            f"{month['month']} by {book['id']} version {book['version']}: {len(month['days'])} days"
        )
        table = Table(title=title, caption=f"judged by {month['judged_by']}", expand=False)
        for name in ("maker", "presence", "weighted", "mean of days", "days passed", "verdict"):
            table.add_column(name, justify="left" if name in ("maker", "verdict") else "right")
        rows = month["makers"]
        for row in sorted(
            rows, key=lambda r: (r["presence"] is None, r["presence"] or "", r["maker"])
        ):
            days = row["days"]
            assessed = sum(days.values()) - days["not_assessed"]
            shares = [
                percent(row[key]) for key in ("presence", "weighted_presence", "mean_over_days")
            ]
            verdict = f"[{COLOURS[row['verdict']]}]{row['verdict']}[/]"
            table.add_row(row["maker"], *shares, f"{days['compliant']} of {assessed}", verdict)
        yield table


def duration(ns: int | None) -> str:
    """ns as minutes and seconds, with its sign."""
    if ns is None:
        return "-"
    sign, seconds = ("-" if ns < 0 else ""), abs(ns) // NS
    return f"{sign}{seconds // 60}:{seconds % 60:02d}"


def state_of(row: PresenceRow) -> tuple[str, str]:
    """What a maker is doing now, in a word, and its colour."""
    if row.unreachable:
        return "out of reach", "red"
    if row.verdict is Verdict.NOT_ASSESSED:
        return "not assessed", "dim"
    if row.unknown_slots:
        return f"unknown on {row.unknown_slots}", "yellow"
    if row.lapsed_slots:
        return f"lapsed on {row.lapsed_slots}", "yellow"
    return "quoting", "green"


def makers_table(view: StatusView, caption: str) -> Table:
    """The live table: who is present how much, what is required, how much slack per contract is left, and what now."""
    required = "-" if view.required is None else f"{float(view.required) * 100:.4g} %"
    table = Table(title=f"{view.rulebook_id}  {view.trading_date}", caption=caption, expand=False)
    columns = ("maker", "presence", "required", "slack (min)", "so far", "state", "mostly")
    for name in columns:
        table.add_column(
            name, justify="right" if name in ("presence", "required", "slack (min)") else "left"
        )
    for row in worst_first(view.maker_rows):
        word, colour = state_of(row)
        presence = percent(None if row.presence is None else ratio_text(row.presence))
        slack = None if row.slack is None or not row.obligations else row.slack // row.obligations
        verdict = f"[{COLOURS[row.verdict.value]}]{row.verdict.value}[/]"
        table.add_row(row.maker, presence, required, duration(slack), verdict, f"[{colour}]{word}[/]",
                      row.dominant_reason)  # fmt: skip
    return table


def worst_first(rows: Sequence[PresenceRow]) -> list[PresenceRow]:
    """By presence, the undefined last."""
    return sorted(rows, key=lambda r: (r.presence is None, r.presence or 0, r.maker))
