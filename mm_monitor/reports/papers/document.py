"""What a scorecard consists of, whatever it is written as: headings, facts, tables and drawings.

All text is final: in its language, with its units. Who draws only places it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of what follows."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Pairs of a name and what it is."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title, and whether it holds numbers."""

    title: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many cells as there are columns; `empty` is said where there is no row, `note` below the rows."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    empty: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rect:
    """A filled box. Units are those of the drawing, y downwards."""

    x: float
    y: float
    width: float
    height: float
    fill: str


@dataclass(frozen=True, slots=True)
class Line:
    """A thin line; dashed for a requirement."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """Text whose baseline is at y; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "start"


Mark = Rect | Line | Label


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart of `width` x `height` units, and in words what it shows, for who can't see it."""

    title: str
    width: int
    height: int
    marks: Sequence[Mark]
    words: str


Block = Heading | Text | Facts | Table | Drawing


@dataclass(frozen=True, slots=True)
class Document:
    """A scorecard. `language` is an IETF tag; `footer` stands on every printed page."""

    title: str
    subtitle: str
    language: str
    blocks: Sequence[Block]
    footer: str
