"""A rulebook as the small tables that the kernels read: one PARAM row, the spread terms per relief, cells of tables.

A relief is a multiplier of the limit: relax exemptions (the largest one that is on counts) times stress relief, times
what the rulebook gives on the trading date. Row `(relax * 2 + stress) * terms + k` of the term table is term `k` under
that relief, as `num * base / den`; the cells of a table are laid out once for each such row.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.rulebook import MAX_RATIO_PART, Cell, Ratio, Rulebook, SpreadTerm
from mm_monitor.errors import ConfigError
from mm_monitor.kernels import layout

Row = tuple[int, int, int, int]
_BASES = {"theo": layout.THEO, "bid": layout.BID, "ask": layout.ASK, "mid": layout.MID}
_SIZE_OF = {"smaller": 0, "larger": 1, "mean": 2}
_TABLES = {"theo": layout.TABLE_THEO, "bid": layout.TABLE_BID}
_RESTS = {"from_then": layout.RESTS_THEN, "retroactive": layout.RESTS_FLAGGED}
_MISSING = {
    "unknown": layout.MISSING_UNKNOWN,
    "skip_spread": layout.MISSING_SKIP,
    "exclude": layout.MISSING_EXCLUDE,
    "hold": layout.MISSING_HOLD,
}
MOST_RELIEFS = 256  # a slot keeps the number of its relief in a byte


@dataclass(frozen=True, slots=True)
class Params:
    """Kernel tables of one rulebook. `reliefs` are 1, for no exemption, and then the relax multipliers, ascending."""

    param: NDArray[np.void]
    terms: NDArray[np.void]
    cells: NDArray[np.void]
    reliefs: tuple[Fraction, ...]
    widths: NDArray[
        np.int64
    ]  # of windows (PRES-06); none without a requirement that they could meet


def fraction(ratio: Ratio) -> Fraction:
    """A ratio as an exact fraction."""
    return Fraction(ratio.num, ratio.den)


def build_params(rulebook: Rulebook, makers: int, dated: Fraction = Fraction(1)) -> Params:
    """Tables for `rulebook` with a rank table of `makers` columns; `dated` is the relief of the trading date.

    ConfigError when a relief makes a term too fine for the kernels' 128 bits.
    """
    relaxes = {fraction(m.relax) for m in rulebook.exemptions.values() if m.relax is not None}
    reliefs = (Fraction(1), *sorted(relaxes))
    if len(reliefs) > MOST_RELIEFS:
        raise ConfigError("exemptions", f"at most {MOST_RELIEFS - 1} different values of relax")
    stress = fraction(rulebook.stress_relief) if rulebook.stress_relief else Fraction(1)
    breaks = day_breaks(rulebook)
    rows, cells = list[Row](), list[tuple[int, *Row]]()
    for relax in reliefs:
        for in_stress in (Fraction(1), stress):
            relief = relax * in_stress * dated
            for k, term in enumerate(rulebook.terms):
                path = f"spread.terms[{k}]"
                if term.kind != "table":
                    rows.append(_term(term, relief, path))
                    continue
                bands = price_breaks(term)
                rows.append((_TABLES[term.of], len(bands), len(breaks) + 1, len(cells)))
                for day in (-1, *breaks):
                    cells += _bands(term, bands, day, relief, path)
    widths = np.array(rulebook.windows if rulebook.required else (), dtype=np.int64)
    param = _param(rulebook, makers)
    param["widths"] = len(widths)
    return Params(
        param,
        np.array(rows, dtype=layout.TERM),
        np.array(cells, dtype=layout.CELL),
        reliefs,
        widths,
    )


def day_breaks(rulebook: Rulebook) -> list[int]:
    """Days to expiry at which the tables' limits change: bucket b holds the days from breaks[b - 1] up to breaks[b]."""
    cells = [cell for term in rulebook.terms for cell in term.table]
    ends = {cell.days_to for cell in cells if cell.days_to is not None}
    return sorted(ends | {cell.days_from for cell in cells})


def bucket_of(breaks: list[int], days: int | None) -> int:
    """The bucket of a contract with so many days to expiry; None = without end, as open as the last one."""
    return len(breaks) if days is None else bisect_right(breaks, days)


def price_breaks(term: SpreadTerm) -> list[int]:
    """Where each of the price bands of a table ends; the last one never does."""
    ends = {cell.price_to for cell in term.table if cell.price_to is not None}
    return [*sorted((ends | {cell.price_from for cell in term.table}) - {0}), layout.NEVER]


def find_cell(term: SpreadTerm, price: int, days: int | None) -> Cell | None:
    """The first cell of a table that holds this price and so many days to expiry, None if there is none."""
    for cell in term.table:
        far = cell.days_to is None or (days is not None and days < cell.days_to)
        dear = cell.price_to is not None and price >= cell.price_to
        if (
            far
            and not dear
            and price >= cell.price_from
            and (days is None or days >= cell.days_from)
        ):
            return cell
    return None


def _bands(
    term: SpreadTerm, untils: list[int], day: int, relief: Fraction, path: str
) -> Iterator[tuple[int, *Row]]:
    for since, until in zip((0, *untils), untils, strict=False):
        cell = find_cell(term, since, day)
        if cell is None:
            yield until, layout.ABSOLUTE, 0, 1, 0
        elif cell.ratio is not None:
            yield until, _BASES[term.of], *_exact(fraction(cell.ratio) * relief, relief, path), 0
        else:
            assert cell.absolute is not None
            yield until, layout.ABSOLUTE, *_exact(relief, relief, path), cell.absolute


def _term(term: SpreadTerm, relief: Fraction, path: str) -> Row:
    value = 0
    if term.kind == "underlying":
        assert term.ratio is not None
        base, factor = layout.UNDERLYING, fraction(term.ratio)
    elif term.kind == "relative":
        assert term.ratio is not None
        base, factor = _BASES[term.of], fraction(term.ratio)
        if term.of == "mid":  # the kernel's base is bid + ask
            factor /= 2
    elif term.kind == "ticks":
        base, factor = layout.TICKS, Fraction(term.ticks)
    else:
        base, factor, value = layout.ABSOLUTE, Fraction(1), term.absolute
    num, den = _exact(factor * relief, relief, path)
    return base, num, den, value


def _exact(factor: Fraction, relief: Fraction, path: str) -> tuple[int, int]:
    if max(factor.numerator, factor.denominator) > 2 * MAX_RATIO_PART:
        raise ConfigError(
            path, f"times a relief of {relief} must stay a fraction of at most {2 * MAX_RATIO_PART}"
        )
    return factor.numerator, factor.denominator


def _param(rulebook: Rulebook, makers: int) -> NDArray[np.void]:
    param = np.zeros(1, dtype=layout.PARAM)
    row = param[0]
    for name in (
        "size_num",
        "max_age",
        "zero_bid",
        "band_abs",
        "band_num",
        "theo_age",
        "longest",
        "grace",
        "longest_hole",
        "min_rest",
    ):
        row[name] = -1
    if rulebook.size_difference is not None:
        row["size_num"], row["size_den"] = (
            rulebook.size_difference.num,
            rulebook.size_difference.den,
        )
        row["size_of"] = _SIZE_OF[rulebook.size_difference_of]
    if rulebook.off_theo is not None and rulebook.off_theo.absolute is not None:
        row["band_abs"] = rulebook.off_theo.absolute
    elif rulebook.off_theo is not None and rulebook.off_theo.ratio is not None:
        row["band_num"], row["band_den"] = rulebook.off_theo.ratio.num, rulebook.off_theo.ratio.den
    optional = {
        "max_age": rulebook.max_age,
        "zero_bid": rulebook.zero_bid_below,
        "theo_age": rulebook.theo_max_age,
        "longest": rulebook.longest_permitted,
        "grace": rulebook.grace,
        "longest_hole": rulebook.longest_hole,
        "min_rest": rulebook.min_rest,
    }
    for name, value in optional.items():
        if value is not None:
            row[name] = value
    row["missing"] = _MISSING[rulebook.when_missing]
    row["reads_theo"] = rulebook.reads_theo
    row["combine_min"] = rulebook.combine == "min"
    row["terms"] = len(rulebook.terms)
    row["makers"] = makers
    required = rulebook.required or Ratio(0, 1)
    row["req_num"], row["req_den"] = required.num, required.den
    row["apart"] = rulebook.stress_weight is not None or rulebook.stress_required is not None
    row["rests"] = _RESTS[rulebook.rest_counts]
    row["buckets"] = len(day_breaks(rulebook)) + 1
    return param
