"""A record as messages of a compacted topic: which keys and values it becomes, and the way back; nothing waits here.

Slots `a` and `b` hold whole records in turn, each with two for its differences. A slot is a head under its own name and
chunks under `NAME/0`, `NAME/1` and so on: what the topic keeps of a key is the newest, so a slot is overwritten whole.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.errors import CheckpointError

MAGIC = b"MMCT"
SCHEMA = 2
DIFFERENCES = 2  # kept beside their whole record
# magic, schema, 0, chunks, crc32 of all else here and of the record, serial, base, generation, length
_HEAD = struct.Struct("<4sHxxIIQQQQ")
_CRC = slice(struct.calcsize("<4sHxxI"), struct.calcsize("<4sHxxII"))  # of the head
_SERIAL = struct.Struct("<Q")  # before each chunk, so that none is taken for one of another record
Messages = Mapping[str, bytes | None]  # in the order in which they are sent; None: the key is to go
Log = Mapping[str, tuple[int, bytes]]  # the newest value of each key, and where it stands


@dataclass(frozen=True, slots=True)
class Head:
    """What a record's last message says of it."""

    chunks: int
    serial: int
    base: int
    generation: int
    size: int

    def packed(self, data: bytes) -> bytes:
        """The message's value, with the checksum of itself and of the record's bytes."""
        rest = (self.serial, self.base, self.generation, self.size)
        value = _HEAD.pack(MAGIC, SCHEMA, self.chunks, 0, *rest)
        return _HEAD.pack(MAGIC, SCHEMA, self.chunks, _checksum(value, data), *rest)


class Slots:
    """What is in the slots of one partition, and what a record to come has to change there.

    `generation` counts those who have read the partition in order to write there; 0 before `read`.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._held: dict[str, Head] = {}  # by slot
        self.generation = 0

    def messages(self, entry: Entry, chunk: int) -> Messages:
        """What to send, in chunks of so many bytes. CheckpointError (`storage`) for a difference whose base is gone."""
        slot = self._slot_of(entry)
        pieces = _pieces(entry.data, chunk)
        messages: dict[str, bytes | None] = {
            f"{slot}/{i}": _SERIAL.pack(entry.serial) + piece for i, piece in enumerate(pieces)
        }
        for name in self._ousted(slot, entry):
            messages |= dict.fromkeys(self._keys(name, 0))
        messages |= dict.fromkeys(self._keys(slot, len(pieces))[1:])
        messages[slot] = self._head(entry, len(pieces)).packed(entry.data)
        return messages

    def written(self, entry: Entry, chunk: int) -> None:
        """The brokers have what `messages` gave for the same."""
        slot = self._slot_of(entry)
        for name in self._ousted(slot, entry):
            del self._held[name]
        self._held[slot] = self._head(entry, len(_pieces(entry.data, chunk)))

    def read(self, log: Log) -> tuple[list[Entry], list[str]]:
        """The records of a partition that are sound, newest first, and what is wrong with the others."""
        found: list[Entry] = []
        problems: list[str] = []
        newest = 0
        self._held.clear()
        for slot in sorted((key for key in log if "/" not in key), key=lambda key: log[key][0]):
            try:
                head = _head_of(slot, log[slot][1])
                self._held[slot] = replace(head, serial=-1)  # no good: it is the next to go
                entry = _assembled(slot, head, log)
                if head.generation < newest:  # never, as long as the brokers keep their word
                    told = f"record {head.serial} was written by one that was deposed"
                    raise CheckpointError("damaged", told)
                newest = head.generation
                found.append(entry)
                self._held[slot] = head
            except CheckpointError as error:
                problems.append(f"{self._where}: {str(error).removeprefix('checkpoint: ')}")
        self.generation = newest + 1
        return found[::-1], problems

    def _head(self, entry: Entry, chunks: int) -> Head:
        return Head(chunks, entry.serial, entry.base, self.generation, len(entry.data))

    def _ousted(self, slot: str, entry: Entry) -> list[str]:
        """The differences that go with the whole record that was in the slot."""
        return [name for name in self._held if entry.serial == entry.base and name[:-1] == slot]

    def _slot_of(self, entry: Entry) -> str:
        """A whole record goes where the newest is not; a difference beside its whole record."""
        held = self._held
        if entry.serial == entry.base:
            return min("ab", key=lambda slot: held[slot].serial if slot in held else -1)
        for slot in "ab":
            if slot in held and held[slot].serial == entry.base:
                beside = [f"{slot}{i}" for i in range(DIFFERENCES)]
                return min(beside, key=lambda name: held[name].serial if name in held else -1)
        raise CheckpointError("storage", f"{self._where}: record {entry.base} is no longer there")

    def _keys(self, slot: str, first: int) -> list[str]:
        """The head's key, and those of the chunks from the given one on, as far as they are held."""
        held = self._held[slot].chunks if slot in self._held else 0
        return [slot, *(f"{slot}/{i}" for i in range(first, held))]


def _pieces(data: bytes, chunk: int) -> list[bytes]:
    return [data[at : at + chunk] for at in range(0, len(data), chunk)]


def _checksum(value: bytes, data: bytes) -> int:
    """Of a packed head but for the checksum in it, and of the record's bytes."""
    return zlib.crc32(data, zlib.crc32(value[: _CRC.start] + value[_CRC.stop :]))


def _head_of(slot: str, value: bytes) -> Head:
    if len(value) != _HEAD.size:
        told = f"slot {slot}: {_HEAD.size} bytes, there are {len(value)}"
        raise CheckpointError("damaged", told)
    magic, schema, chunks, _, *rest = _HEAD.unpack(value)
    if magic != MAGIC:
        raise CheckpointError("damaged", f"slot {slot} begins with {MAGIC!r}, not with {magic!r}")
    if schema != SCHEMA:
        raise CheckpointError("schema", f"slot {slot} is of schema {schema}, this is {SCHEMA}")
    return Head(chunks, *rest)


def _assembled(slot: str, head: Head, log: Log) -> Entry:
    """The whole record, once all has been checked."""
    pieces = []
    for i in range(head.chunks):
        _, value = log.get(f"{slot}/{i}", (0, b""))
        if len(value) < _SERIAL.size or _SERIAL.unpack_from(value)[0] != head.serial:
            missing = f"record {head.serial}: chunk {i} of {head.chunks} is missing"
            raise CheckpointError("damaged", missing)
        pieces.append(value[_SERIAL.size :])
    data, value = b"".join(pieces), log[slot][1]
    if len(data) != head.size or value[_CRC] != _checksum(value, data).to_bytes(4, "little"):
        raise CheckpointError("damaged", f"record {head.serial}: its length or checksum differs")
    return Entry(head.serial, head.base, data)
