"""A document as a PDF of A4 pages, by reportlab (extra `pdf`).

Chinese is set in the standard font STSong-Light, which a reader of PDF brings along, or in a TrueType font that is
given and then embedded. The file has no date and no random id: the same document is the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from mm_monitor.errors import InputError, MonitorError
from mm_monitor.reports.papers.document import (
    Block,
    Document,
    Drawing,
    Facts,
    Heading,
    Label,
    Line,
    Mark,
    Rect,
    Table,
    Text,
)

LATIN, CHINESE, GIVEN = "Helvetica", "STSong-Light", "Given"
MARGIN = 42.5  # points, 15 mm
WIDTH = 595.28 - 2 * MARGIN
GREY = "#555555"


@dataclass(frozen=True, slots=True)
class _Styles:
    """Paragraph styles over one font."""

    font: str
    title: Any
    heading: Any
    text: Any
    small: Any
    cell: Any
    number: Any


def to_pdf(document: Document, font: Path | None = None) -> bytes:
    """The print. MonitorError without reportlab, InputError for a `font` that is no TrueType file."""
    try:
        from reportlab.platypus import SimpleDocTemplate
    except ImportError:
        raise MonitorError(
            "pdf: needs reportlab: pip install 'mm-monitor[pdf]', or ask for --format html"
        ) from None
    styles = _styles(_font(document, font))
    out = BytesIO()
    paper = SimpleDocTemplate(
        out, pagesize=(595.28, 841.89), leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN,
        bottomMargin=MARGIN + 14, title=document.title, author="mm-monitor", invariant=1,
    )  # fmt: skip
    story = [*_head(document, styles)]
    for block in document.blocks:
        story += _block(block, styles)

    def foot(canvas: Any, page: Any) -> None:
        canvas.setFont(styles.font, 7)
        canvas.setFillColor(GREY)
        canvas.drawString(MARGIN, MARGIN - 4, document.footer)
        canvas.drawRightString(MARGIN + WIDTH, MARGIN - 4, str(page.page))

    paper.build(story, onFirstPage=foot, onLaterPages=foot)
    return out.getvalue()


def _font(document: Document, font: Path | None) -> str:
    """The name of a font that has every character; the one font of all texts."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    if font is not None:
        try:
            pdfmetrics.registerFont(TTFont(GIVEN, str(font)))
        except (TTFError, OSError) as error:
            raise InputError(f"a TrueType font (.ttf): {error}", file=str(font)) from None
        return GIVEN
    if all(ord(letter) < 256 for text in _texts(document) for letter in text):
        return LATIN
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))
    return CHINESE


def _texts(document: Document) -> Iterator[str]:
    yield from (document.title, document.subtitle, document.footer)
    for block in document.blocks:
        if isinstance(block, Heading | Text):
            yield block.text
        elif isinstance(block, Facts):
            yield from (text for pair in block.pairs for text in pair)
        elif isinstance(block, Table):
            yield from (column.title for column in block.columns)
            yield from (cell for row in block.rows for cell in row)
            yield from (block.empty, block.note)
        else:
            yield block.title
            yield from (mark.text for mark in block.marks if isinstance(mark, Label))


def _styles(font: str) -> _Styles:
    from reportlab.lib.enums import TA_RIGHT
    from reportlab.lib.styles import ParagraphStyle

    def style(name: str, size: float, **more: Any) -> Any:
        wrap = {} if font == LATIN else {"wordWrap": "CJK"}
        return ParagraphStyle(
            name, fontName=font, fontSize=size, leading=size * 1.35, **wrap, **more
        )

    return _Styles(
        font,
        style("title", 18),
        style("heading", 12, spaceBefore=14, spaceAfter=5),
        style("text", 9),
        style("small", 8, textColor=GREY, spaceBefore=3),
        style("cell", 7.5),
        style("number", 7.5, alignment=TA_RIGHT),
    )


def _paragraph(text: str, style: Any) -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph(escape(text) or "&nbsp;", style)


def _head(document: Document, styles: _Styles) -> list[Any]:
    from reportlab.platypus import Spacer

    return [
        _paragraph(document.title, styles.title),
        Spacer(0, 4),
        _paragraph(document.subtitle, styles.small),
        Spacer(0, 8),
    ]


def _block(block: Block, styles: _Styles) -> list[Any]:
    from reportlab.platypus import CondPageBreak

    if isinstance(block, Heading):
        return [CondPageBreak(90), _paragraph(block.text, styles.heading)]
    if isinstance(block, Text):
        return [_paragraph(block.text, styles.text)]
    if isinstance(block, Facts):
        return [_facts(block, styles)]
    if isinstance(block, Table):
        return _table(block, styles)
    return _drawing(block, styles)


def _facts(facts: Facts, styles: _Styles) -> Any:
    from reportlab.platypus import Table as Grid

    rows = [[_paragraph(text, styles.cell) for text in pair] for pair in facts.pairs]
    return Grid(rows, colWidths=[WIDTH * 0.26, WIDTH * 0.74], style=_TIGHT, hAlign="LEFT")


_TIGHT = [
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 6),
    ("TOPPADDING", (0, 0), (-1, -1), 1.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
]


def _table(table: Table, styles: _Styles) -> list[Any]:
    from reportlab.platypus import LongTable

    if not table.rows:
        return [_paragraph(table.empty, styles.small)]
    kinds = [styles.number if column.number else styles.cell for column in table.columns]
    heads = [_paragraph(c.title, kind) for c, kind in zip(table.columns, kinds, strict=True)]
    rows = [
        [_paragraph(cell, kind) for cell, kind in zip(row, kinds, strict=True)]
        for row in table.rows
    ]
    rules = [("LINEBELOW", (0, 0), (-1, 0), 0.6, "#777777"),
             ("LINEBELOW", (0, 1), (-1, -1), 0.25, "#dddddd")]  # fmt: skip
    grid = LongTable(
        [heads, *rows], colWidths=_widths(table), repeatRows=1, style=[*_TIGHT, *rules]
    )
    return [grid, *([_paragraph(table.note, styles.small)] if table.note else [])]


def _widths(table: Table) -> list[float]:
    """Columns as wide as their longest cell asks for, within reason; Chinese counts double."""

    def length(text: str) -> int:
        return sum(2 if ord(letter) > 255 else 1 for letter in text)

    wanted = []
    for i, column in enumerate(table.columns):
        longest = max([length(column.title), *(length(row[i]) for row in table.rows[:300])])
        wanted.append(min(max(longest, 5), 40))
    return [WIDTH * one / sum(wanted) for one in wanted]


def _drawing(drawing: Drawing, styles: _Styles) -> list[Any]:
    from reportlab.graphics.shapes import Drawing as Canvas
    from reportlab.platypus import KeepTogether

    scale = WIDTH / drawing.width
    canvas = Canvas(WIDTH, drawing.height * scale)
    for mark in drawing.marks:
        canvas.add(_shape(mark, drawing.height, scale, styles.font))
    return [KeepTogether([_paragraph(drawing.title, styles.heading), canvas])]


def _shape(mark: Mark, height: int, scale: float, font: str) -> Any:
    """The mark with y upwards, in points."""
    from reportlab.graphics import shapes
    from reportlab.lib.colors import HexColor

    if isinstance(mark, Rect):
        corner = (mark.x * scale, (height - mark.y - mark.height) * scale)
        return shapes.Rect(
            *corner, mark.width * scale, mark.height * scale, fillColor=HexColor(mark.fill),
            strokeColor=None,
        )  # fmt: skip
    if isinstance(mark, Line):
        ends = (mark.x1, height - mark.y1, mark.x2, height - mark.y2)
        return shapes.Line(
            *(value * scale for value in ends), strokeColor=HexColor(mark.colour), strokeWidth=0.6,
            strokeDashArray=[3, 2] if mark.dashed else None,
        )  # fmt: skip
    assert isinstance(mark, Label)
    return shapes.String(
        mark.x * scale, (height - mark.y) * scale, mark.text, fontName=font, fontSize=11 * scale,
        textAnchor=mark.anchor,
    )  # fmt: skip
