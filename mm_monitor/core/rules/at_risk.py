"""`presence_at_risk`: the budget of lost time burns too fast, over a long and a short span alike (PRES-04).

Looked at whole multiples of `every` since the period's start, so that any cutting of the tape finds the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from mm_monitor.core.params import fraction
from mm_monitor.core.rulebook import Burn, Ratio

Sums = tuple[int, int]  # lapsed and required ns since the period's start


class Budget:
    """Sums of every maker at instants of one period, as far back as the longest span reaches."""

    def __init__(self, pairs: Sequence[Burn], every: int, required: Ratio | None) -> None:
        self.every = every
        self.pairs = tuple(pairs) if required is not None else ()
        self.spare = Fraction(0) if required is None else 1 - fraction(required)
        spans = (span for pair in self.pairs for span in (pair.long, pair.short))
        self._phases = sorted({0, *(-span % every for span in spans)})  # where sums are needed
        self._start = 0
        self._looks: dict[int, dict[int, Sums]] = {}  # instant -> by maker; none before the period

    def begin(self, t: int) -> None:
        """A period begins at `t`."""
        self._start, self._looks = t, {}

    def next_sums(self, t: int) -> int:
        """The first instant after `t` at which the sums are needed: for a look, or as the begin of a span."""
        whole = t - (t - self._start) % self.every
        later = (whole + k * self.every + phase for k in (0, 1) for phase in self._phases)
        return min(at for at in later if at > t)

    def looks(self, t: int) -> bool:
        """Is `t` a look, and not only the begin of a span?"""
        return (t - self._start) % self.every == 0

    def burning(self, t: int, maker: int, now: Sums) -> dict[str, object] | None:
        """Does a maker's budget burn too fast at look `t`? Then the numbers of the first pair that says so."""
        for pair in self.pairs:
            long, short = (
                self._span(t, pair.long, maker, now),
                self._span(t, pair.short, maker, now),
            )
            burn = fraction(pair.burn)
            if self._over(long, burn) and self._over(short, burn):
                spans = {"long": _told(pair.long, long), "short": _told(pair.short, short)}
                return {"burn": str(burn), **spans}
        return None

    def _span(self, t: int, span: int, maker: int, now: Sums) -> Sums:
        lapsed, required = self._looks.get(t - span, {}).get(maker, (0, 0))
        return now[0] - lapsed, now[1] - required

    def _over(self, sums: Sums, burn: Fraction) -> bool:
        """lapsed / required / (1 - r) >= burn."""
        return sums[0] > 0 and sums[0] >= burn * self.spare * sums[1]

    def looked(self, t: int, sums: Mapping[int, Sums]) -> None:
        """Remember the sums at `t`, and forget those that no later look needs."""
        self._looks[t] = dict(sums)
        oldest = t - max(pair.long for pair in self.pairs)
        self._looks = {at: kept for at, kept in self._looks.items() if at >= oldest}

    def state(self) -> tuple[int, list[Any]]:
        """All of it as plain values."""
        looks = [
            (t, [(m, *sums) for m, sums in sorted(kept.items())])
            for t, kept in sorted(self._looks.items())
        ]
        return self._start, looks

    def restore(self, state: tuple[int, list[Any]]) -> None:
        """Inverse of `state`."""
        self._start, looks = state
        self._looks = {t: {m: (a, b) for m, a, b in kept} for t, kept in looks}


def _told(span: int, sums: Sums) -> dict[str, object]:
    return {"span_ns": span, "lapsed_ns": sums[0], "required_ns": sums[1]}
