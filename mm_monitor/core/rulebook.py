"""A rulebook as the engine wants it: every number exact, nothing to parse.

Durations are ns, prices and absolute terms int64 10^-8, percentages exact fractions. What a rulebook leaves
out is None and is not tested. Loading and linting TOML is `mm_monitor.rulebooks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_RATIO_PART = 2**33  # keeps every product of the kernels inside 128 bits


@dataclass(frozen=True, slots=True)
class Ratio:
    """An exact fraction `num / den`, reduced, both parts at most `MAX_RATIO_PART`, den > 0."""

    num: int
    den: int


@dataclass(frozen=True, slots=True)
class SpreadTerm:
    """One term of the spread limit (VAL-10). `kind`: relative | ticks | absolute."""

    kind: str
    of: str = ""  # theo | bid | ask | mid, for relative
    ratio: Ratio | None = None
    ticks: int = 0
    absolute: int = 0  # 10^-8


@dataclass(frozen=True, slots=True)
class Band:
    """VAL-07: how far from theo a side may be: `absolute` (10^-8), or `ratio` of theo."""

    absolute: int | None = None
    ratio: Ratio | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """OBL-02: what an exemption kind does: exclude | deem | relax | one_side."""

    effect: str
    relax: Ratio | None = None


@dataclass(frozen=True, slots=True)
class PhaseAt:
    """A phase that begins at local wall time `at` (seconds after midnight) of trading date + `day` days."""

    at: int
    phase: str
    day: int = 0


@dataclass(frozen=True, slots=True)
class Calendar:
    """Trading days and their phases in the venue's IANA zone. Dates are ISO text."""

    timezone: str
    days: tuple[int, ...]  # Monday = 0
    holidays: frozenset[str]
    phases: tuple[PhaseAt, ...]
    special: Mapping[str, tuple[PhaseAt, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Every number by which one scheme judges."""

    id: str
    version: int
    sha256: str  # of the file's bytes
    title: str = ""
    effective: str = ""
    verified: bool = False
    source: str = ""
    calendar: Calendar | None = None
    min_size: int | None = None
    size_difference: Ratio | None = None
    size_difference_of: str = ""  # smaller | larger | mean
    max_age: int | None = None
    zero_bid_below: int | None = None
    combine: str = "max"  # max | min
    terms: tuple[SpreadTerm, ...] = ()
    grace: int | None = None
    off_theo: Band | None = None
    theo_max_age: int | None = None
    when_missing: str = "unknown"  # unknown | skip_spread | exclude | hold
    required: Ratio | None = None
    judged_by: str = "ratio_of_sums"  # ratio_of_sums | coverage | mean_of_ratios
    coverage_required: Ratio | None = None
    longest_permitted: int | None = None
    stress_relief: Ratio | None = None
    exemptions: Mapping[str, Meaning] = field(default_factory=dict)

    @property
    def reads_theo(self) -> bool:
        """Does any quote test read theo (VAL-12, policy `exclude`)?"""
        spread = any(term.kind == "relative" and term.of == "theo" for term in self.terms)
        return spread or self.off_theo is not None or self.zero_bid_below is not None
