"""Where the whole service stands, as one value: the engine's state, the merge's, and each partition's next offset.

It is taken between two polls, when all that has been read is in the merge or in the engine, and packed by another
thread. Going on from it is the same as never having stopped (law L5).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mm_monitor.core.engine import Engine
from mm_monitor.core.freeze import frozen
from mm_monitor.core.model import BreachEvent
from mm_monitor.core.pack import SCHEMA, flatten, unflatten
from mm_monitor.core.snapshot import engine_state, fill_engine
from mm_monitor.errors import CheckpointError, SnapshotError
from mm_monitor.health import HealthStats
from mm_monitor.kernels import layout
from mm_monitor.recording.writer import TapeWriter
from mm_monitor.sources.merge import Merge
from mm_monitor.theo.pricer import Pricer

CHUNK = 256  # of what does not change once it is there, packed together and once
State = dict[str, Any]
Sections = Mapping[str, bytes]
_COUNTED = ("duplicates", "late", "no_obligation", "apply_rows")


class Resumable(Protocol):
    """What has a state that outlives the process."""

    def state(self) -> dict[str, Any]:
        """Plain values and arrays."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`, on a fresh object."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """All of a service that has a state."""

    engine: Engine
    merge: Merge
    source: Resumable
    agenda: Resumable
    stats: HealthStats
    pricer: Pricer | None = None
    tape: TapeWriter | None = None  # who writes down what is judged


# Changes with the layout of any array that is kept, and with the schema of snapshots.
_KEPT = (layout.SLOT, layout.PAST, layout.REST, layout.CON, layout.WIN, layout.APART, layout.REPLY)
LAYOUT = f"{SCHEMA}-{zlib.crc32(repr([kind.descr for kind in _KEPT]).encode()):08x}"


def standing(
    parts: Parts, settings: Mapping[str, str], pending: Mapping[str, Sequence[BreachEvent]]
) -> State:
    """A copy of all that decides what comes; `pending`: by sink, what it has not delivered yet."""
    stats = parts.stats
    return {
        "settings": {**settings, "layout": LAYOUT},
        "engine": frozen(engine_state(parts.engine)),
        "merge": parts.merge.state(),
        "source": parts.source.state(),
        "agenda": parts.agenda.state(),
        "pricer": None if parts.pricer is None else parts.pricer.state(),
        "tape": None if parts.tape is None else parts.tape.state(),
        "pending": {name: list(events) for name, events in pending.items()},
        "stats": {
            "records": dict(stats.records),
            "dead_letters": [(*key, n) for key, n in stats.dead_letters.items() if n],
            **{name: getattr(stats, name) for name in _COUNTED},
        },
    }


def resume(parts: Parts, state: State) -> None:
    """Put fresh parts, whose engine is made on the state's own reference, where `state` says.

    Raises CheckpointError if they are made for something else; then they are not to be used.
    """
    try:
        fill_engine(parts.engine, state["engine"])
    except SnapshotError as error:
        raise CheckpointError("settings", str(error)) from None
    parts.merge.restore(state["merge"])
    parts.source.restore(state["source"])
    parts.agenda.restore(state["agenda"])
    if parts.pricer is not None and state["pricer"] is not None:
        parts.pricer.restore(state["pricer"])
    if parts.tape is not None:
        if state.get("tape") is None:
            parts.tape.begin_midway()
        else:
            parts.tape.restore(state["tape"])
    stats, kept = parts.stats, state["stats"]
    stats.records.update(kept["records"])
    for reason, maker, n in kept["dead_letters"]:
        stats.dead_letters[reason, maker] = n
    for name in _COUNTED:
        setattr(stats, name, kept[name])


def check_settings(state: State, settings: Mapping[str, str]) -> None:
    """CheckpointError that names what the state was made with and is another now."""
    kept, now = state["settings"], {**settings, "layout": LAYOUT}
    other = sorted(name for name in {*kept, *now} if kept.get(name) != now.get(name))
    if other:
        raise CheckpointError("settings", f"it was made with other settings: {', '.join(other)}")


# -- bytes ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Packer:
    """States to sections; what is the same object as the last time is not packed again."""

    _known: dict[str, tuple[Sequence[object], bytes, bytes]] = field(default_factory=dict)

    def pack(self, state: State) -> Sections:
        """Sections of a state that nobody else uses any more: it is taken apart."""
        found: dict[str, bytes] = {}
        known = {}
        for name, holder, key in _settled(state):
            items = holder[key]
            for at in range(0, len(items), CHUNK):
                chunk, place = items[at : at + CHUNK], f"{name}/{at // CHUNK}"
                known[place] = self._packed(place, chunk)
                found[f"{place}.text"], found[f"{place}.blob"] = known[place][1:]
            holder[key] = len(items)
        self._known = known
        engine = state.pop("engine")
        found["engine.text"], found["engine.blob"] = flatten(engine)
        found["rest.text"], found["rest.blob"] = flatten(state)
        return found

    def _packed(self, place: str, chunk: Sequence[object]) -> tuple[Sequence[object], bytes, bytes]:
        before = self._known.get(place)
        if before is not None and _same(before[0], chunk):
            return before
        return (chunk, *flatten(chunk))

    def later(self, state: State) -> Callable[[], Sections]:
        """For whoever packs in another thread."""
        return lambda: self.pack(state)


def _same(before: Sequence[object], now: Sequence[object]) -> bool:
    """Are they the very same objects?"""
    return len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))


def unpacked(sections: Sections) -> State:
    """Inverse of `Packer.pack`. CheckpointError if a section is missing or is not what it should be."""
    try:
        state: State = unflatten(sections["rest.text"], sections["rest.blob"])
        state["engine"] = unflatten(sections["engine.text"], sections["engine.blob"])
        for name, holder, key in _settled(state):
            items: list[object] = []
            for at in range(0, holder[key], CHUNK):
                place = f"{name}/{at // CHUNK}"
                items += unflatten(sections[f"{place}.text"], sections[f"{place}.blob"])
            holder[key] = items
    except (KeyError, TypeError, ValueError) as error:
        detail = f"a state that cannot be read: {type(error).__name__}: {error}"
        raise CheckpointError("damaged", detail) from None
    return state


def _settled(state: State) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Lists of objects that never change, which may be long: a name, and where they are."""
    engine = state["engine"]
    yield "contracts", engine["reference"], "contracts"
    for i, evaluator in enumerate(engine["evaluators"]):
        for key in ("ledger", "breaches"):
            yield f"{key}-{i}", evaluator, key
