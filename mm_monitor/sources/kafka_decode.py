"""Kafka records to rows: the codec of each feed, and what only a live feed needs checked.

A record from the future is refused (TAPE-05), a reference row of a later trading date waits, and an
account takes effect when it is read, for it is needed to decode.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

import msgspec
import numpy as np

from mm_monitor import kernels
from mm_monitor.codecs import codec_for
from mm_monitor.codecs.control import KeyedRecord
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.codecs.values import Values
from mm_monitor.core.batch import Decoded
from mm_monitor.core.model import (
    BadReason,
    Control,
    DeadLetter,
    ExemptionRecord,
    FeedRecord,
    RawRecord,
    ReferenceRecord,
)
from mm_monitor.core.reference import Reference
from mm_monitor.core.reference_rows import BadRow, announce
from mm_monitor.sources.ahead import refuse_far_ahead
from mm_monitor.sources.kafka_batches import Fetched
from mm_monitor.sources.kafka_options import MS, KafkaFeeds
from mm_monitor.sources.kafka_parts import DATA, Part
from mm_monitor.sources.kafka_watch import Watch
from mm_monitor.sources.protocol import Delivery

Survey = tuple[int, int, int]
_NO_COUNTS = np.empty(0, np.int64)


class KafkaDecoder:
    """Decodes against one directory of names."""

    def __init__(self, feeds: KafkaFeeds, reference: Reference, max_ahead: int) -> None:
        self._reference, self._max_ahead = reference, max_ahead
        self._codecs = {
            "quotes": codec_for("quotes", feeds.quotes_codec, feeds.fix, feeds.registry),
            "theo": codec_for("theo", feeds.theo_codec, registry=feeds.registry),
            "control": codec_for("control", "json"),
            "reference": codec_for("reference", "json"),
        }
        topics = {
            feeds.quotes: "quotes",
            feeds.theo: "theo",
            feeds.control: "control",
            feeds.reference: "reference",
        }
        self.feed_of = {topic: feed for topic, feed in topics.items() if topic}
        self._held: list[RawRecord] = []

    def decode(self, part: Part, fetched: Fetched, now: int) -> tuple[Decoded, Survey | None]:
        """Rows of what was fetched, and their survey if there are any; `now` is when it was received."""
        values = fetched.values(part.topic, part.partition, now)
        raws = values if part.feed != "reference" else _keyed(values, fetched)
        codec = self._codecs[part.feed]
        decoded = codec.decode(Chunk(part.feed, part.number, raws), self._reference)
        if part.feed == "reference":
            decoded = self._without_accounts(self._without_held(decoded, now))
        elif part.feed == "control":
            decoded = self._without_planned(decoded, now)
        found, limit = _survey(decoded), now + self._max_ahead
        if found is not None and found[2] > limit:
            decoded = refuse_far_ahead(decoded, raws, codec, limit)
            found = _survey(decoded)
        return decoded, found

    def note(self, watch: Watch, part: Part, heard: Delivery, fetched: Fetched, shift: int) -> None:
        """Tell what was heard; `shift` is our clock less wall time."""
        if heard.survey is None:
            return
        _, first, last = heard.survey
        classes: list[str] = []
        lag = 0
        if part.feed in DATA:
            contracts = self._reference.contracts
            named = heard.decoded.named
            if named is None:
                named = np.zeros(len(contracts), np.uint8)
                kernels.tell(heard.decoded.rows, _NO_COUNTS, named)
            if (told := named.tobytes()) != part.named:
                part.named = told
                classes = [contracts[i].klass for i in np.flatnonzero(named)]
            logged = int(fetched.stamps[-1]) * MS
            lag = logged + shift - last if logged > 0 else 0
        watch.heard(part, first, last, classes, lag)

    def announce(self, deliveries: Iterable[Delivery]) -> None:
        """Take in the names that these carry, so that what is decoded next may use them."""
        controls = [c for delivery in deliveries for c in delivery.decoded.controls]
        for record in controls:
            if isinstance(record, ReferenceRecord):
                with suppress(BadRow):  # the engine says so at the record's own instant
                    announce(self._reference, record)
                    self._reference.version += 1  # numbers of makers are cached

    def release_held(self, parts: Iterable[Part], now: int) -> list[Delivery]:
        """Reference rows and planned records whose time has come."""
        if not self._held:
            return []
        held, self._held = self._held, []
        deliveries = []
        for part in parts:
            raws = [r for r in held if (r.topic, r.partition) == (part.topic, part.partition)]
            chunk = Chunk(part.feed, part.number, raws)
            if raws:
                decoded = self._codecs[part.feed].decode(chunk, self._reference)
                hold = self._without_held if part.feed == "reference" else self._without_planned
                decoded = hold(decoded, now)
                if len(decoded.rows):
                    deliveries.append(Delivery(part.number, decoded, 0, ts_recv=now))
        return deliveries

    @property
    def held(self) -> Sequence[RawRecord]:
        """Reference rows and planned records whose time has not come, for a checkpoint."""
        return tuple(self._held)

    def hold(self, records: Iterable[RawRecord]) -> None:
        """Those that a checkpoint had."""
        self._held += records

    def _without_held(self, decoded: Decoded, now: int) -> Decoded:
        """Rows of a later trading date wait here: they are no mistake, only early."""
        limit = now + self._max_ahead
        self._held += [
            control.raw
            for control in decoded.controls
            if isinstance(control, ReferenceRecord)
            and isinstance(control.raw, KeyedRecord)
            and control.ts > limit
        ]
        return _keep(decoded, [control.ts <= limit for control in decoded.controls])

    def _without_planned(self, decoded: Decoded, now: int) -> Decoded:
        """What is planned for later waits here, where its record says so: all else from the future is a mistake."""
        limit = now + self._max_ahead
        early = [control.ts > limit and _planned(control) for control in decoded.controls]
        self._held += [
            control.raw
            for control, waits in zip(decoded.controls, early, strict=True)
            if waits and isinstance(control, ExemptionRecord | FeedRecord) and control.raw
        ]
        return _keep(decoded, [not waits for waits in early])

    def _without_accounts(self, decoded: Decoded) -> Decoded:
        dead: list[DeadLetter] = []
        for control in decoded.controls:
            if isinstance(control, ReferenceRecord) and control.table == "accounts":
                if control.action == "remove":
                    self._reference.close_account(control.row["account"])
                    continue
                try:
                    self._reference.open_account(control.row["account"], control.row["maker"])
                except ValueError as error:
                    assert control.raw is not None
                    detail = f"column account: {error}"
                    dead.append(DeadLetter(control.raw, BadReason.BAD_REFERENCE, detail))
        kept = _keep(decoded, [getattr(c, "table", "") != "accounts" for c in decoded.controls])
        return Decoded(kept.rows, kept.controls, [*kept.dead, *dead])


def _planned(control: Control) -> bool:
    """Is it an order of the desk, a record of its own with `"planned": "yes"`?"""
    if not isinstance(control, ExemptionRecord | FeedRecord) or control.raw is None:
        return False
    value = control.raw.value.strip()
    return value.startswith(b"{") and bool(msgspec.json.decode(value).get("planned") == "yes")


def _survey(decoded: Decoded) -> Survey | None:
    if decoded.survey is not None or not len(decoded.rows):
        return decoded.survey
    return kernels.survey(decoded.rows)


def _keep(decoded: Decoded, keep: Sequence[bool]) -> Decoded:
    """Only the controls to keep, with their rows."""
    if all(keep):
        return decoded
    rows = decoded.rows[np.array(keep, np.bool_)].copy()
    rows["a"] = np.arange(len(rows))
    kept = [c for c, wanted in zip(decoded.controls, keep, strict=True) if wanted]
    return Decoded(rows, kept, decoded.dead)


def _keyed(values: Values, fetched: Fetched) -> list[RawRecord]:
    """Records of a topic whose keys and time stamps say something."""
    rest = zip(values, fetched.keys, fetched.stamps.tolist(), strict=True)
    return [
        KeyedRecord(r.topic, r.partition, r.offset, r.value, r.ts_recv, key or b"", stamp * MS)
        for r, key, stamp in rest
    ]
