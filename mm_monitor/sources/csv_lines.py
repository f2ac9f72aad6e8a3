"""Strict csv in bulk: a block of plain lines splits into columns at once, any other line by line.

A line is a record whatever its quotes say, so that a damaged one cannot swallow the rest of the
file; its number (the header is line 1) is its offset.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mm_monitor.codecs.columns import Ints
from mm_monitor.codecs.fields import NumberCache, size_cache, time_or_bad
from mm_monitor.errors import InputError
from mm_monitor.sources.table import OddLine, check_header

BLOCK = 4 << 20  # bytes: some 75 000 quotes
_BOM = b"\xef\xbb\xbf"
_COMMA, _NEWLINE = 44, 10
_sizes = size_cache()


@dataclass(slots=True)
class CsvChunk:
    """Lines of one block."""

    header: Sequence[str]
    columns: list[list[str]]
    numbers: Ints
    block: bytes
    first: int  # number of the block's first line
    odd: list[OddLine] = field(default_factory=list)
    _lines: list[bytes] | None = None

    @property
    def size(self) -> int:
        """Bytes of the block."""
        return len(self.block)

    def has(self, column: str) -> bool:
        """Is there such a column?"""
        return column in self.header

    def times(self, column: str) -> Ints:
        """Times in ns, -1 where the text is none."""
        texts = self.names(column)
        joined = "".join(texts)
        if joined.isascii() and joined.isdigit():
            try:
                return np.array(list(map(int, texts)), np.int64)
            except (ValueError, OverflowError):  # an empty one, or one beyond int64
                pass
        return np.array(list(map(time_or_bad, texts)), np.int64)

    def names(self, column: str) -> list[str]:
        """The texts of a column."""
        return self.columns[self.header.index(column)]

    def prices(self, column: str, cache: NumberCache) -> Ints:
        """10^-8 by `cache`."""
        return _numbers(self.names(column), cache)

    def sizes(self, column: str) -> Ints:
        """Sizes, -1 where the text is none."""
        return _numbers(self.names(column), _sizes)

    def fields(self, index: int) -> dict[str, str]:
        """All columns of one line."""
        return {name: texts[index] for name, texts in zip(self.header, self.columns, strict=True)}

    def value(self, index: int) -> bytes:
        """The line without its end."""
        if self._lines is None:
            self._lines = self.block.split(b"\n")
        return self._lines[int(self.numbers[index]) - self.first].removesuffix(b"\r")


def csv_chunks(path: Path, required: Sequence[str]) -> Iterator[CsvChunk]:
    """Chunks of a csv file. InputError if it cannot be read or its header lacks a column."""
    try:
        with path.open("rb") as file:
            header = _header(file.readline(), required, str(path))
            number = 2
            for block in _blocks(file):
                chunk = _plain(header, block, number) or _line_by_line(header, block, number)
                number += block.count(b"\n")
                yield chunk
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None


def _header(line: bytes, required: Sequence[str], file: str) -> list[str]:
    fields, detail = _split(line.removesuffix(b"\n").removesuffix(b"\r").removeprefix(_BOM))
    if detail:
        raise InputError(f"header line {detail}", file=file, line=1)
    check_header(fields, required, file, 1)
    return fields


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Blocks of whole lines; every one ends with a line end, the last one too."""
    rest: list[bytes] = []
    while data := file.read(BLOCK):
        end = data.rfind(b"\n") + 1
        if end:
            yield b"".join([*rest, data[:end]])
            rest = []
        rest.append(data[end:])
    if last := b"".join(rest):
        yield last + b"\n"


def _plain(header: Sequence[str], block: bytes, first: int) -> CsvChunk | None:
    """All lines at once, or None if any line is empty, quoted, damaged or of another width."""
    if b'"' in block or b"\0" in block:
        return None
    lines = block.replace(b"\r\n", b"\n") if b"\r" in block else block
    bytes_ = np.frombuffer(lines, np.uint8)
    separators = bytes_[(bytes_ == _COMMA) | (bytes_ == _NEWLINE)]
    width, count = len(header), lines.count(b"\n")
    ends = separators[width - 1 :: width]
    if len(separators) != width * count or not (ends == _NEWLINE).all():
        return None
    if b"\r" in lines or (width == 1 and (lines[:1] == b"\n" or b"\n\n" in lines)):
        return None
    try:
        texts = lines.decode("utf-8").replace("\n", ",").split(",")
    except UnicodeDecodeError:
        return None
    columns = [texts[i : width * count : width] for i in range(width)]
    return CsvChunk(header, columns, np.arange(first, first + count), block, first)


def _line_by_line(header: Sequence[str], block: bytes, first: int) -> CsvChunk:
    """Every line by itself; empty ones are skipped, odd ones padded or set apart."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    odd: list[OddLine] = []
    for number, line in enumerate(block.split(b"\n")[:-1], first):
        line = line.removesuffix(b"\r")
        if not line:
            continue
        fields, detail = _split(line)
        width = len(fields)
        if not detail and width != len(header):
            detail = f"has {width} fields where the header has {len(header)}"
        if detail:
            odd.append(OddLine(len(rows) if fields else -1, number, line, f"line {detail}"))
        if fields:
            rows.append((fields + [""] * len(header))[: len(header)])
            numbers.append(number)
    columns = [list(texts) for texts in zip(*rows, strict=True)] or [[] for _ in header]
    return CsvChunk(header, columns, np.array(numbers, np.int64), block, first, odd)


def _split(line: bytes) -> tuple[list[str], str]:
    """Fields of a line, or none and what is wrong with it."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return [], "is not UTF-8"
    if "\0" in text or "\r" in text:
        return [], "has a NUL or a carriage return inside"
    if '"' not in text:
        return text.split(","), ""
    try:
        (fields,) = csv.reader([text], strict=True)
    except csv.Error as error:
        return [], f"has broken quotes ({error})"
    return fields, ""


def _numbers(texts: list[str], cache: NumberCache) -> Ints:
    return np.fromiter(map(cache.__getitem__, texts), np.int64, len(texts))
