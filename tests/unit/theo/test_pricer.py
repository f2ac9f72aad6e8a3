"""A tape with the theos that it lacks: the same however it is cut, as `mm-monitor price` gives them, and once only."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mm_monitor.core.batch import COMPUTED_PART, Batch, Rows
from mm_monitor.core.model import Kind, UnderlyingRecord, VolRecord
from mm_monitor.core.pack import pack, unpack
from mm_monitor.core.reference import Reference
from mm_monitor.pricing import PriceOptions, price
from mm_monitor.sinks.theo_metrics import theo_samples
from mm_monitor.sources.capture import CaptureSource
from mm_monitor.sources.merge import Merge
from mm_monitor.sources.reference_files import load_reference
from mm_monitor.sources.theo_inputs import spot_rows, vol_rows
from mm_monitor.theo.cascade import Cascade, Settings, Theo
from mm_monitor.theo.models import MODELS, Market
from mm_monitor.theo.pricer import Hours, KeptLook, Pricer
from mm_monitor.theo.terms import ExpiryClock

DAY = Path(__file__).parents[2] / "data" / "priced" / "day"
S = 1_000_000_000
SETTINGS = Settings(Market(MODELS["bsm"], 0.02), max_age=3 * S, vol_max_age=100 * S)
CLOCK = ExpiryClock(15 * 3600, "Asia/Shanghai")


async def tape() -> tuple[Batch, Reference]:
    """The capture's quotes and theos, and its prices and vols as control records."""
    reference = load_reference(DAY)
    source = CaptureSource(DAY, reference)
    await source.start()
    merge = Merge()
    while not source.finished:
        for delivery in await source.poll():
            if delivery.part != Kind.UNDERLYING:
                merge.push(delivery)
    rows = merge.release(2**63 - 1).rows
    controls = {}
    spots, vols = list(spot_rows(DAY, reference)), list(vol_rows(DAY, reference))
    made = np.zeros(len(spots) + len(vols), rows.dtype)
    for i, spot in enumerate(spots):
        controls[i] = UnderlyingRecord(spot.ts, spot.klass, spot.price)
        made[i] = (spot.ts, spot.line, i, 0, 0, 0, -1, -1, 1, 0, Kind.UNDERLYING, 0, 0)
    for i, vol in enumerate(vols, len(spots)):
        name = reference.contracts[vol.contract].name if vol.contract >= 0 else ""
        units = None if vol.vol is None else round(vol.vol * 10**8)
        controls[i] = VolRecord(vol.ts, name, vol.klass, vol.expiry, units)  # type: ignore[assignment]
        made[i] = (vol.ts, vol.line, i, 0, 0, 0, -1, -1, 1, 0, Kind.VOL, 0, 0)
    rows = np.concatenate([rows, made])
    order = np.lexsort((rows["offset"], rows["part"], rows["kind"], rows["ts"]))
    return Batch(rows[order], controls), reference


class Notes:
    """Keeps looks, or refuses them."""

    def __init__(self, refuse: Sequence[int] = ()) -> None:
        self.looks: list[tuple[int, Sequence[Theo]]] = []
        self.refuse = refuse

    def keep(self, ts: int, theos: Sequence[Theo]) -> bool:
        self.looks.append((ts, theos))
        return len(self.looks) not in self.refuse


def pricer(
    reference: Reference, notes: Notes, kept: Sequence[KeptLook] = (), every: int = S
) -> Pricer:
    return Pricer(Cascade(SETTINGS), reference, Hours(CLOCK, every), notes.keep, kept)


def played(made: Pricer, batch: Batch, cuts: Sequence[int] = ()) -> Rows:
    """All rows that come out, of a tape cut at these rows; at the end time goes on for ten seconds."""
    rows, pieces = batch.rows, []
    for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        pieces.append(made.price(Batch(rows[start:end], batch.controls)).rows)
        watermark = int(rows["ts"][end]) if end < len(rows) else int(rows["ts"][-1]) + 10 * S
        pieces.append(made.until(watermark).rows)
    return np.concatenate(pieces)


async def test_it_gives_what_the_command_gives(tmp_path: Path) -> None:
    batch, reference = await tape()
    options = PriceOptions(SETTINGS, CLOCK, S)
    await price(DAY, tmp_path / "out", options)
    with (tmp_path / "out" / "theo.csv").open(encoding="utf-8", newline="") as file:
        wanted = [
            (int(row["ts_event"]), row["contract"], row["source"], row["theo"])
            for row in csv.DictReader(file)
            if row["source"] != "feed"
        ]
    rows = played(pricer(reference, Notes()), batch)
    rows = rows[rows["part"] == COMPUTED_PART]
    found = [
        (int(row["ts"]), reference.contracts[row["contract"]].name,
         reference.theo_vias[row["a_size"]][0], int(row["a"]))
        for row in rows
    ]  # fmt: skip
    assert len(found) > 10
    assert found == [(ts, c, s, round(float(theo or 0) * 1e8)) for ts, c, s, theo in wanted]


@pytest.mark.criterion("TAPE-02")
async def test_any_cut_gives_the_same_tape_in_its_order() -> None:
    batch, reference = await tape()
    whole = played(pricer(reference, Notes()), batch)
    n = len(batch.rows)
    for cuts in ([n // 2], range(1, n), [1, 2, n - 1]):
        assert played(pricer(reference, Notes()), batch, list(cuts)).tobytes() == whole.tobytes()
    order = np.lexsort((whole["offset"], whole["part"], whole["kind"], whole["ts"]))
    assert whole[order].tobytes() == whole.tobytes()


async def test_what_was_kept_is_never_computed_again() -> None:
    batch, reference = await tape()
    notes = Notes()
    whole = played(pricer(reference, notes), batch)
    kept = [KeptLook.of(ts, theos, reference) for ts, theos in notes.looks]
    for known in range(len(kept) + 1):
        again = Notes()
        rows = played(pricer(reference, again, kept[:known]), batch)
        assert rows.tobytes() == whole.tobytes()
        assert again.looks == notes.looks[known:]


async def test_a_look_that_could_not_be_kept_is_not_judged_by_and_tried_again() -> None:
    batch, reference = await tape()
    first = pricer(reference, Notes(refuse=[1]), every=S // 10)
    rows = played(first, batch)
    whole = played(pricer(reference, Notes(), every=S // 10), batch)
    ours, theirs = (r[r["part"] == COMPUTED_PART] for r in (rows, whole))
    start = int(theirs["ts"][0])
    assert int(ours["ts"][0]) == start + S // 10
    late = ours[ours["ts"] == start + S // 10]["contract"].tolist()
    assert set(late) >= set(theirs[theirs["ts"] == start]["contract"].tolist())


async def test_before_the_day_begins_nothing_is_looked_at() -> None:
    batch, reference = await tape()
    since = int(batch.rows["ts"][0]) + S + 1
    made = Pricer(Cascade(SETTINGS), reference, Hours(CLOCK, S, since), Notes().keep)
    rows = played(made, batch)
    assert int(rows[rows["part"] == COMPUTED_PART]["ts"].min()) == since - since % S + S


def test_metrics_of_sources() -> None:
    made = Cascade(replace(SETTINGS, sources=("feed", "vol"), disagreement=0.05))
    reference = load_reference(DAY)
    spare = Pricer(made, reference, Hours(CLOCK, S), Notes().keep)
    names = reference.contract_index
    one, other, klass = names["C2900"], names["C3100"], reference.contracts[0].klass
    start = 1754011800 * S
    made.underlying(start, klass, 300_000_000)
    for contract in (one, other):
        made.own_vol(start, contract, 0.2)
    made.look(start)
    made.feed(start + S, other, 1)
    made.underlying(start + S, klass, 300_000_000)
    made.look(start + S)
    made.own_vol(start + S, one, None)
    made.look(start + 2 * S)
    made.look(start + 4 * S)  # the feed is too old, and so is the underlying
    found = {
        metric.name.removeprefix("mm_monitor_theo_"): dict(samples)
        for metric, samples in theo_samples(spare, start + 5 * S)
    }
    listed = made.listed
    assert found["contracts"] == {("feed",): 0, ("vol",): 0, ("unknown",): listed}
    assert found["computed_total"] == {("vol",): 3}
    assert found["fallbacks_total"] == {("vol",): 0, ("unknown",): 2}
    assert found["disagreements_total"] == {("vol",): 1}
    assert found["input_age_seconds"] == {}
    made.underlying(start + 5 * S, klass, 300_000_000)
    made.look(start + 5 * S)
    found = {metric.name: dict(samples) for metric, samples in theo_samples(spare, start + 6 * S)}
    assert found["mm_monitor_theo_contracts"]["vol",] == 1
    assert found["mm_monitor_theo_input_age_seconds"] == {("vol",): 6.0}


@pytest.mark.criterion("L5")
async def test_a_restart_between_any_two_pieces_is_never_noticed() -> None:
    batch, reference = await tape()
    rows = batch.rows
    plain_notes = Notes()
    plain = played(pricer(reference, plain_notes), batch)
    for cut in range(1, len(rows), max(1, len(rows) // 23)):
        notes, again = Notes(), Notes()
        first = pricer(reference, notes)
        pieces = [
            first.price(Batch(rows[:cut], batch.controls)).rows,
            first.until(int(rows["ts"][cut])).rows,
        ]
        data = pack(first.state())
        second = pricer(reference, again)
        second.restore(unpack(data))
        assert pack(second.state()) == data
        pieces.append(played(second, Batch(rows[cut:], batch.controls)))
        assert np.concatenate(pieces).tobytes() == plain.tobytes()
        assert [*notes.looks, *again.looks] == plain_notes.looks
        assert second.cascade.figures == played_figures(reference, batch)


async def test_looks_that_were_kept_after_the_checkpoint_are_taken_as_they_were() -> None:
    batch, reference = await tape()
    rows, cut, notes = batch.rows, len(batch.rows) // 2, Notes()
    first = pricer(reference, notes)
    before = [
        first.price(Batch(rows[:cut], batch.controls)).rows,
        first.until(int(rows["ts"][cut])).rows,
    ]
    state = first.state()
    after = played(first, Batch(rows[cut:], batch.controls))
    kept = [KeptLook.of(ts, theos, reference) for ts, theos in notes.looks if theos]
    again = Notes()
    second = pricer(reference, again, kept)
    second.restore(state)
    assert played(second, Batch(rows[cut:], batch.controls)).tobytes() == after.tobytes()
    assert len(np.concatenate(before))
    assert all(not theos for ts, theos in again.looks if ts <= kept[-1].ts)


def played_figures(reference: Reference, batch: Batch) -> object:
    made = pricer(reference, Notes())
    played(made, batch)
    return made.cascade.figures
