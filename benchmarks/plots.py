"""`make bench-plots`: draws `plots/*.svg` from `results/*.json`; what was not measured is not drawn.

Plain SVG by hand, readable in light and dark: axes, lines with their names at the end, bars with their numbers.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.measure import HERE, RESULTS

PLOTS = HERE / "plots"
WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 50, 70
COLOURS = ("#3b7dd8", "#d8703b", "#3ba55d", "#a55dd8", "#c0392b", "#7f8c8d")
GREY = "#808080"

Points = Sequence[tuple[float, float]]
Result = Mapping[str, Any]


def main() -> int:
    """Draw all; 1 when a result is missing."""
    PLOTS.mkdir(exist_ok=True)
    missing = 0
    for name, (source, draw) in DRAWN.items():
        path = RESULTS / f"{source}.json"
        if not path.exists():
            sys.stdout.write(f"!! {name}.svg is not drawn: {path.name} is missing\n")
            missing += 1
            continue
        (PLOTS / f"{name}.svg").write_text(draw(json.loads(path.read_text())))
    return min(missing, 1)


def batch(result: Result) -> str:
    """ns a tick over batch size, by shape, without theos."""
    rows = [row for row in result["rows"] if row["theo"] == "0%"]
    lines = {
        f"{row['shape']}, {stage}": [
            (other["batch"], other[stage]) for other in rows if other["shape"] == row["shape"]
        ]
        for row in rows
        for stage in ("apply", "engine")
    }
    return chart(
        "ns a tick over ticks fetched at once", result, "ticks at once", "ns a tick", lines
    )


def theos(result: Result) -> str:
    """ns a tick over the share of theos, 10 000 ticks at once."""
    rows = [row for row in result["rows"] if row["batch"] == 10_000]
    lines = {
        f"{row['shape']}, {stage}": [
            (float(other["theo"].rstrip("%")), other[stage])
            for other in rows
            if other["shape"] == row["shape"]
        ]
        for row in rows
        for stage in ("apply", "engine")
    }
    return chart(
        "ns a tick over theo rate",
        result,
        "% of ticks that are theos",
        "ns a tick",
        lines,
        log=False,
    )


def obligations(result: Result) -> str:
    """ns a tick over obligations: more makers, more contracts."""
    usual = {"makers": 20, "contracts": 600, "theos": "1%", "timed": "no"}
    lines = {}
    for grown in ("contracts", "makers"):
        others = {key: value for key, value in usual.items() if key != grown}
        rows = [row for row in result["rows"] if all(row[key] == others[key] for key in others)]
        lines[f"more {grown}"] = sorted(
            (row["makers"] * row["contracts"], row["least"]) for row in rows
        )
    title = "ns a tick over obligations (1 % theos, each looks at every maker)"
    return chart(title, result, "obligations", "ns a tick", lines)


def peers(shape: str) -> Callable[[Result], str]:
    """Throughput of one shape, the fastest first."""

    def draw(result: Result) -> str:
        rows = [row for row in result["rows"] if row["shape"] == shape]
        bars = [(row["who"], row["M ticks/s"], row["ours is x faster"]) for row in rows]
        return chart_of_bars(f"M ticks/s, the same job side by side: {shape}", result, bars)

    return draw


DRAWN: dict[str, tuple[str, Callable[[Result], str]]] = {
    "batch": ("engine", batch),
    "theos": ("engine", theos),
    "obligations": ("scale", obligations),
    "peers-session": ("peers", peers("session")),
    "peers-random": ("peers", peers("random")),
}


class Scale:
    """Values of an axis to places on the picture; of a logarithmic one values are above 0."""

    def __init__(self, values: Sequence[float], places: tuple[float, float], *, log: bool) -> None:
        self.log, self.places = log, places
        self.least = min(values) if log else min(0.0, *values)
        self.most = max(values)

    def __call__(self, value: float) -> float:
        """The place of a value."""
        turn: Callable[[float], float] = math.log if self.log else float
        low, high = turn(self.least), turn(self.most)
        share = (turn(value) - low) / (high - low) if high > low else 0.5
        return self.places[0] + share * (self.places[1] - self.places[0])

    def ticks(self) -> list[float]:
        """Powers of ten, or four steps of a round length."""
        if self.log:
            first, last = (
                math.ceil(math.log10(self.least) - 1e-9),
                math.floor(math.log10(self.most) + 1e-9),
            )
            return [10.0**power for power in range(first, last + 1)]
        raw = (self.most - self.least) / 4
        unit = 10 ** math.floor(math.log10(raw))
        step = next(unit * k for k in (1, 2, 2.5, 5, 10) if unit * k >= raw)
        return [step * k for k in range(int(self.most / step) + 1)]


def chart(
    title: str,
    result: Result,
    across: str,
    up: str,
    lines: Mapping[str, Points],
    *,
    log: bool = True,
) -> str:
    """Lines; the upright axis begins at 0."""
    points = [point for line in lines.values() for point in line]
    x = Scale([p[0] for p in points], (LEFT, WIDTH - RIGHT), log=log)
    y = Scale([p[1] for p in points], (HEIGHT - BOTTOM, TOP), log=False)
    parts = []
    for value in y.ticks():
        parts += [
            _line(LEFT, y(value), WIDTH - RIGHT, y(value)),
            _text(LEFT - 8, y(value) + 4, _number(value), "end"),
        ]
    for value in x.ticks():
        parts += [_line(x(value), TOP, x(value), HEIGHT - BOTTOM),
                  _text(x(value), HEIGHT - BOTTOM + 18, _number(value), "middle")]  # fmt: skip
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 34, across, "middle"))
    parts.append(_text(LEFT - 8, TOP - 10, up, "end"))
    ends: list[float] = []
    for colour, (name, line) in zip(COLOURS, lines.items(), strict=False):
        places = [(x(a), y(b)) for a, b in sorted(line)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in places]
        ends.append(_free(places[-1][1], ends))
        parts.append(_text(WIDTH - RIGHT + 10, ends[-1] + 4, name, "start", colour))
    return _picture(title, result, parts, HEIGHT)


def chart_of_bars(title: str, result: Result, bars: Sequence[tuple[str, float, float]]) -> str:
    """One bar for each, on a logarithmic scale, with its number and how many times faster we are."""
    height = TOP + 30 * len(bars) + 60
    least = 10 ** math.floor(math.log10(min(value for _, value, _ in bars)) - 0.3)
    x = Scale([least, max(value for _, value, _ in bars)], (LEFT + 60, WIDTH - RIGHT), log=True)
    parts = [_line(x(value), TOP, x(value), height - 60) for value in x.ticks()]
    parts += [_text(x(value), height - 44, _number(value), "middle") for value in x.ticks()]
    for i, (name, value, ratio) in enumerate(bars):
        top, ours = TOP + 30 * i + 5, name == "mm-monitor"
        colour = COLOURS[1] if ours else COLOURS[0]
        parts.append(
            f'<rect x="{LEFT + 60}" y="{top}" width="{x(value) - LEFT - 60:.1f}" height="20" fill="{colour}"/>'
        )
        parts.append(_text(LEFT + 52, top + 15, name, "end"))
        told = f"{value:.3g}" + ("" if ours else f" (we: {ratio:.3g} times)")
        parts.append(_text(x(value) + 6, top + 15, told, "start"))
    return _picture(title, result, parts, height)


def _free(place: float, taken: Sequence[float]) -> float:
    """The nearest place for a name, below those that are taken."""
    while any(abs(place - other) < 14 for other in taken):
        place += 2
    return place


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {place} stroke="{GREY}" stroke-opacity="0.3"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = GREY) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if value >= 1 or value == 0 else f"{value:g}"


def _picture(title: str, result: Result, parts: Sequence[str], height: float) -> str:
    stamp = result["stamp"]
    measured = f"{stamp['commit']}, {stamp['cpu']}, {stamp['cores']} cores, load {stamp['load'][0]}"
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<text x="12" y="18" font-size="14" font-weight="bold" fill="{GREY}">{escape(title)}</text>',
        _text(WIDTH - 12, height - 12, measured, "end"),
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
