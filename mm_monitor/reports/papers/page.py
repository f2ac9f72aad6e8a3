"""A document as one HTML file that needs nothing beside it: styles and drawings are inside, and it prints well.

No script and no font of its own: the same page is the same bytes, and opens in twenty years.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

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

STYLE = """
:root { color-scheme: light; }
body { font: 14px/1.45 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  color: #1a1a1a; background: #fff; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.subtitle { color: #555; margin: .2rem 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: 0; }
dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { text-align: left; padding: .2rem .5rem; border-bottom: 1px solid #ddd; vertical-align: top;
  overflow-wrap: break-word; }
th { border-bottom: 1px solid #777; } .n { text-align: right; font-variant-numeric: tabular-nums; }
.note, .none { color: #555; font-size: .85rem; } figure { margin: 1rem 0; }
figcaption { font-weight: 600; } svg { width: 100%; height: auto; }
svg text { font: 11px system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
footer { color: #555; font-size: .8rem; margin-top: 2rem; border-top: 1px solid #ddd; padding-top: .5rem; }
@page { size: A4; margin: 15mm; }
@media print { body { margin: 0; padding: 0; max-width: none; font-size: 10pt; }
  thead { display: table-header-group; } tr, figure { break-inside: avoid; } h2 { break-after: avoid; } }
"""


def to_html(document: Document) -> bytes:
    """The page, UTF-8."""
    return ("\n".join(_lines(document)) + "\n").encode()


def _lines(document: Document) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="{escape(document.language)}">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(document.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{escape(document.title)}</h1>"
    yield f'<p class="subtitle">{escape(document.subtitle)}</p>'
    for block in document.blocks:
        yield from _block(block)
    yield f"<footer>{escape(document.footer)}</footer>\n</body>\n</html>"


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Heading):
        yield f"<h2>{escape(block.text)}</h2>"
    elif isinstance(block, Text):
        yield f"<p>{escape(block.text)}</p>"
    elif isinstance(block, Facts):
        pairs = (f"<dt>{escape(name)}</dt><dd>{escape(what)}</dd>" for name, what in block.pairs)
        yield f"<dl>{''.join(pairs)}</dl>"
    elif isinstance(block, Table):
        yield from _table(block)
    else:
        yield from _drawing(block)


def _table(table: Table) -> Iterator[str]:
    if not table.rows:
        yield f'<p class="none">{escape(table.empty)}</p>'
        return
    classes = [' class="n"' if column.number else "" for column in table.columns]
    heads = "".join(
        f'<th scope="col"{kind}>{escape(column.title)}</th>'
        for kind, column in zip(classes, table.columns, strict=True)
    )
    yield f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>"
    for row in table.rows:
        cells = zip(classes, row, strict=True)
        yield "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in cells) + "</tr>"
    yield "</tbody>\n</table>"
    if table.note:
        yield f'<p class="note">{escape(table.note)}</p>'


def _drawing(drawing: Drawing) -> Iterator[str]:
    yield f"<figure>\n<figcaption>{escape(drawing.title)}</figcaption>"
    yield f'<svg viewBox="0 0 {drawing.width} {drawing.height}" role="img" aria-label="{escape(drawing.words)}">'
    for mark in drawing.marks:
        yield _mark(mark)
    yield "</svg>\n</figure>"


def _mark(mark: Mark) -> str:
    if isinstance(mark, Rect):
        size = f'width="{_number(mark.width)}" height="{_number(mark.height)}"'
        return f'<rect x="{_number(mark.x)}" y="{_number(mark.y)}" {size} fill="{mark.fill}"/>'
    if isinstance(mark, Line):
        ends = zip(("x1", "y1", "x2", "y2"), (mark.x1, mark.y1, mark.x2, mark.y2), strict=True)
        places = " ".join(f'{name}="{_number(value)}"' for name, value in ends)
        dashes = ' stroke-dasharray="4 3"' if mark.dashed else ""
        return f'<line {places} stroke="{mark.colour}"{dashes}/>'
    assert isinstance(mark, Label)
    place = f'x="{_number(mark.x)}" y="{_number(mark.y)}" text-anchor="{mark.anchor}"'
    return f"<text {place}>{escape(mark.text)}</text>"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
