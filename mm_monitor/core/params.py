"""A rulebook as the two small tables that the kernels read: one PARAM row and the spread terms per relief.

A relief is a multiplier of the limit: relax exemptions (the largest one that is on counts) times stress relief. Row
`(relax * 2 + stress) * terms + k` of the term table is term `k` under that relief, as `num * base / den`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.rulebook import MAX_RATIO_PART, Ratio, Rulebook, SpreadTerm
from mm_monitor.errors import ConfigError
from mm_monitor.kernels import layout

_BASES = {"theo": layout.THEO, "bid": layout.BID, "ask": layout.ASK, "mid": layout.MID}
_SIZE_OF = {"smaller": 0, "larger": 1, "mean": 2}
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
    reliefs: tuple[Fraction, ...]
    widths: NDArray[
        np.int64
    ]  # of windows (PRES-06); none without a requirement that they could meet


def fraction(ratio: Ratio) -> Fraction:
    """A ratio as an exact fraction."""
    return Fraction(ratio.num, ratio.den)


def build_params(rulebook: Rulebook, makers: int) -> Params:
    """Tables for `rulebook` with a rank table of `makers` columns.

    ConfigError when a relief makes a term too fine for the kernels' 128 bits.
    """
    relaxes = {fraction(m.relax) for m in rulebook.exemptions.values() if m.relax is not None}
    reliefs = (Fraction(1), *sorted(relaxes))
    if len(reliefs) > MOST_RELIEFS:
        raise ConfigError("exemptions", f"at most {MOST_RELIEFS - 1} different values of relax")
    stress = fraction(rulebook.stress_relief) if rulebook.stress_relief else Fraction(1)
    rows = [
        _term(term, relax * in_stress, f"spread.terms[{k}]")
        for relax in reliefs
        for in_stress in (Fraction(1), stress)
        for k, term in enumerate(rulebook.terms)
    ]
    widths = np.array(rulebook.windows if rulebook.required else (), dtype=np.int64)
    param = _param(rulebook, makers)
    param["widths"] = len(widths)
    return Params(param, np.array(rows, dtype=layout.TERM), reliefs, widths)


def _term(term: SpreadTerm, relief: Fraction, path: str) -> tuple[int, int, int, int]:
    value = 0
    if term.kind == "relative":
        assert term.ratio is not None
        base, factor = _BASES[term.of], fraction(term.ratio)
        if term.of == "mid":  # the kernel's base is bid + ask
            factor /= 2
    elif term.kind == "ticks":
        base, factor = layout.TICKS, Fraction(term.ticks)
    else:
        base, factor, value = layout.ABSOLUTE, Fraction(1), term.absolute
    factor *= relief
    if max(factor.numerator, factor.denominator) > 2 * MAX_RATIO_PART:
        raise ConfigError(
            path, f"times a relief of {relief} must stay a fraction of at most {2 * MAX_RATIO_PART}"
        )
    return base, factor.numerator, factor.denominator, value


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
    ):
        row[name] = -1
    row["min_size"] = 1 if rulebook.min_size is None else rulebook.min_size
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
    return param
