"""Every lapse of a date that is over, for the evidence log: what it was judged by, and where those records stand.

The service logs breaches as they happen; lapses that a rulebook permits are no breaches, and are found afterwards, in
the journal or a capture. Each maker has entries of its own, one without lapses too: then there was none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from mm_monitor.evidence.inbox import Entry
from mm_monitor.studies.lapses import Lapse, Lapses

PER_ENTRY = 4_000  # an entry stays well below what the log takes


def lapse_entries(found: Lapses, about: Mapping[str, Any]) -> Iterator[Entry]:
    """Entries of `found`, which has the evidence; `about` says the same in each: date, rulebook, inputs."""
    of_maker: defaultdict[str, list[Lapse]] = defaultdict(list)
    for lapse in found.lapses:
        of_maker[lapse.maker].append(lapse)
    for maker in sorted(found.judged.reference.makers):
        mine = of_maker[maker]
        parts = max(1, -(-len(mine) // PER_ENTRY))
        for part in range(parts):
            rows = [_row(lapse) for lapse in mine[part * PER_ENTRY : (part + 1) * PER_ENTRY]]
            yield {
                "entry": "lapses",
                "maker": maker,
                **about,
                "part": part + 1,
                "parts": parts,
                "lapses": rows,
            }


def _row(lapse: Lapse) -> dict[str, Any]:
    return {
        "contract": lapse.contract, "class": lapse.klass, "start": lapse.start, "end": lapse.end,
        "counted_ns": lapse.counted, "reason": lapse.reason, "evidence": dict(lapse.evidence),
    }  # fmt: skip
