"""The drawings of a scorecard: bars of shares with a requirement, bars of times by reason, and a day's lapses.

Every bar carries its number, so nothing hangs on colour; sums are integers, only places on the paper are floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from mm_monitor.reports.papers.document import Drawing, Label, Line, Mark, Rect
from mm_monitor.reports.papers.words import Say, instant, length, percent

WIDTH, ROW, LEFT, RIGHT = 700, 18, 150, 110
INK, SOFT, GOOD, BAD, OPEN = "#333333", "#dddddd", "#4a7fb5", "#c0504d", "#b8860b"
COLOURS = {"compliant": GOOD, "breached": BAD, "indeterminate": OPEN, "not_assessed": "#999999"}
BUCKETS = 240
MOST_BARS = 60


def shares(
    title: str,
    rows: Sequence[tuple[str, Fraction | None, str]],
    required: Fraction | None,
    say: Say,
) -> Drawing:
    """A bar from 0 to 100 % for each name with its verdict, and a line at what is required."""
    rows = rows[:MOST_BARS]
    room, height = WIDTH - LEFT - RIGHT, len(rows) * ROW + 24
    marks: list[Mark] = []
    for i, (name, value, verdict) in enumerate(rows):
        y = i * ROW + 4
        marks.append(Label(LEFT - 6, y + 10, _cut(name), "end"))
        marks.append(Rect(LEFT, y, room, ROW - 6, SOFT))
        if value:
            marks.append(Rect(LEFT, y, room * float(value), ROW - 6, COLOURS[verdict]))
        marks.append(Label(LEFT + room + 6, y + 10, f"{percent(value)} {say(verdict)}"))
    if required is not None:
        x = LEFT + room * float(required)
        marks.append(Line(x, 0, x, len(rows) * ROW + 4, INK, dashed=True))
        text = say("required {required}", required=percent(required))
        marks.append(Label(x, len(rows) * ROW + 16, text, "middle"))
    words = "; ".join(f"{name} {percent(value)}" for name, value, _ in rows)
    return Drawing(title, WIDTH, height, marks, f"{title}: {words}")


def reasons(title: str, times: Sequence[tuple[str, int]]) -> Drawing:
    """A bar for each reason, the longest the whole width. At least one time is not 0."""
    room, most = WIDTH - LEFT - RIGHT, max(ns for _, ns in times)
    marks: list[Mark] = []
    for i, (name, ns) in enumerate(times):
        y = i * ROW + 4
        marks.append(Label(LEFT - 6, y + 10, _cut(name), "end"))
        marks.append(Rect(LEFT, y, room * ns / most, ROW - 6, BAD))
        marks.append(Label(LEFT + room * ns / most + 6, y + 10, length(ns)))
    words = "; ".join(f"{name} {length(ns)}" for name, ns in times)
    return Drawing(title, WIDTH, len(times) * ROW + 8, marks, f"{title}: {words}")


def lapsed(
    title: str, spans: Sequence[tuple[int, int]], period: tuple[int, int], zone: str, words: str
) -> Drawing:
    """How many obligations were lapsed, on average, in each of 240 equal pieces of the period."""
    start, end = period
    heights = _filled(spans, start, end)
    most, tall, room = max(heights) or Fraction(1), 110, WIDTH - 60
    marks: list[Mark] = [Line(50, tall + 6, 50 + room, tall + 6, INK)]
    step = room / BUCKETS
    for i, value in enumerate(heights):
        if value:
            high = tall * float(value / most)
            marks.append(Rect(50 + i * step, tall + 6 - high, step, high, BAD))
    marks.append(Label(46, 16, f"{float(most):.4g}", "end"))
    marks.append(Label(46, tall + 8, "0", "end"))
    for i in range(5):
        at = start + (end - start) * i // 4
        anchor = ("start", "middle", "middle", "middle", "end")[i]
        marks.append(
            Label(
                50 + room * i / 4, tall + 22, instant(at // 10**9 * 10**9, zone, day=False), anchor
            )
        )
    return Drawing(title, WIDTH, tall + 30, marks, f"{title}: {words}")


def _filled(spans: Sequence[tuple[int, int]], start: int, end: int) -> list[Fraction]:
    """Mean number of spans over each bucket of [start, end)."""
    edges = [start + (end - start) * i // BUCKETS for i in range(BUCKETS + 1)]
    found = [0] * BUCKETS
    whole = max(end - start, 1)
    for a, b in spans:
        first = max((a - start) * BUCKETS // whole - 1, 0)
        for i in range(first, BUCKETS):
            if edges[i] >= b:
                break
            found[i] += max(0, min(b, edges[i + 1]) - max(a, edges[i]))
    widths = (max(edges[i + 1] - edges[i], 1) for i in range(BUCKETS))
    return [Fraction(ns, width) for ns, width in zip(found, widths, strict=True)]


def _cut(name: str) -> str:
    return name if len(name) <= 22 else name[:21] + "…"
