"""RESP-03: presence in the first moments after each start of stress and each resumption of continuous trading.

Sums at a start and so long after it are given; this keeps what has begun and adds up the differences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any

US = 1_000
FIRST = (50 * US, 100 * US, 250 * US, 1_000 * US, 10_000 * US, 100_000 * US, 1_000_000 * US)
_CODES = 8  # probes of start i have codes from i * _CODES

Sums = Mapping[int, tuple[int, int, int]]  # by maker: quoted, required, unknown ns


@dataclass(frozen=True, slots=True)
class Change:
    """What was on just before instant `t`: the phases by scope, the contracts in stress."""

    t: int
    phases: dict[str, str]
    stressed: list[int]


@dataclass(slots=True)
class Start:
    """A start of `kind` (stress | resumption) on some contracts, with the sums at it."""

    kind: str
    contracts: list[int]
    base: dict[int, tuple[int, int, int]]


class Profile:
    """Starts of one period. `found`: by (kind, probe, maker) the number of starts and the three sums."""

    def __init__(self) -> None:
        self._change: Change | None = None
        self._starts: dict[int, Start] = {}
        self._next = 0
        self._found: dict[tuple[str, int, int], list[int]] = {}
        self.changes = 0  # of what `rows` says

    def clear(self) -> None:
        """Another period."""
        self._change = None
        self._starts.clear()
        self._found.clear()
        self.changes += 1

    def before(self, t: int, phases: Mapping[str, str], stressed: list[int]) -> bool:
        """Note what is on before the changes of instant `t`; False if it was noted."""
        if self._change is not None and self._change.t == t:
            return False
        self._change = Change(t, dict(phases), stressed)
        return True

    def take_change(self) -> Change | None:
        """What was noted; it is over."""
        change, self._change = self._change, None
        return change

    def start(
        self, kind: str, t: int, contracts: list[int], sums: Sums
    ) -> Iterator[tuple[int, int]]:
        """A start at `t`; yields the instants of its probes and their codes."""
        number, self._next = self._next, self._next + 1
        self._starts[number] = Start(kind, contracts, dict(sums))
        for k, first in enumerate(FIRST):
            yield t + first, number * _CODES + k

    def contracts(self, code: int) -> list[int] | None:
        """Contracts of the start that a probe is of; None if it is forgotten."""
        start = self._starts.get(code // _CODES)
        return None if start is None else start.contracts

    def probe(self, code: int, sums: Sums | None) -> None:
        """Sums at a probe; None if the period was over before it: then the start is forgotten."""
        number, k = divmod(code, _CODES)
        start = self._starts[number]
        self.changes += 1
        for maker, now in (sums or {}).items():
            base = start.base.get(maker, (0, 0, 0))
            row = self._found.setdefault((start.kind, k, maker), [0, 0, 0, 0])
            row[0] += 1
            for i in range(3):
                row[i + 1] += now[i] - base[i]
        if sums is None or k == len(FIRST) - 1:
            del self._starts[number]

    def rows(self) -> Iterator[tuple[int, tuple[str, int, int, int, int, int]]]:
        """Maker, and kind, ns after the start, starts, quoted, required, unknown."""
        for (kind, k, maker), (starts, quoted, required, unknown) in self._found.items():
            yield maker, (kind, FIRST[k], starts, quoted, required, unknown)

    def state(self) -> tuple[Any, ...]:
        """All of it as plain values."""
        change = None if self._change is None else astuple(self._change)
        starts = [
            (i, s.kind, s.contracts, [(m, *sums) for m, sums in sorted(s.base.items())])
            for i, s in sorted(self._starts.items())
        ]
        found = [(*key, *row) for key, row in sorted(self._found.items())]
        return change, starts, self._next, found

    def restore(self, state: tuple[Any, ...]) -> None:
        """Inverse of `state`."""
        change, starts, self._next, found = state
        self.changes += 1
        self._change = None if change is None else Change(change[0], change[1], change[2])
        for i, kind, contracts, base in starts:
            self._starts[i] = Start(kind, contracts, {m: (q, r, u) for m, q, r, u in base})
        self._found = {(kind, k, maker): list(row) for kind, k, maker, *row in found}
