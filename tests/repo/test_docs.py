"""What the pages name exists: links, files, and the functions that a page says are in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repo.source import ROOT, files, relative

PAGES = files("docs/**/*.md", "*.md", "tests/oracle/README.md")
PAGE = pytest.mark.parametrize("page", PAGES, ids=relative)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
TICKED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w./-]*\w\.(?:py|pyx|pxd|toml|xml|md|json|csv)")
HOMES = ("", "mm_monitor")


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def found(name: str, page: Path) -> Path | None:
    """The file of that name: beside the page, in the repository, or in the package."""
    places = [page.parent, *(ROOT / home for home in HOMES)]
    return next((place / name for place in places if (place / name).exists()), None)


@PAGE
def test_links_lead_somewhere(page: Path) -> None:
    targets = [m[1] for m in LINK.finditer(prose(page)) if "://" not in m[1]]
    assert [t for t in targets if not (page.parent / t).exists()] == []


@PAGE
def test_links_to_headings_have_one(page: Path) -> None:
    missing = []
    for match in LINK.finditer(prose(page)):
        if match[2] and "://" not in match[1]:
            text = (page.parent / match[1]).read_text(encoding="utf-8")
            anchors = {anchor(line) for line in text.splitlines() if line.startswith("#")}
            missing += [match[0]] if match[2] not in anchors else []
    assert missing == []


def anchor(heading: str) -> str:
    """The fragment under which a heading is found."""
    words = re.sub(r"[^\w\s-]", "", heading.lstrip("#").strip().lower())
    return "#" + words.replace(" ", "-")


# Pages on the code itself; others have made-up files in their examples.
ON_CODE = [p for p in PAGES if p.parts[-2] in ("specs", "decisions") or p.name == "architecture.md"]


def named(page: Path) -> Iterator[tuple[str, str]]:
    """(file, name) for every name in backticks after a file in the same paragraph; ("file", "") for files."""
    for paragraph in re.split(r"\n\n|\n- ", prose(page)):
        current = ""
        for token in TICKED.findall(paragraph):
            if FILE.fullmatch(token) and ("/" in token or found(token, page)):
                current = token
                yield token, ""
            elif current and paragraph.startswith("*Where:*") and re.fullmatch(r"[\w.]+", token):
                yield current, token


@pytest.mark.parametrize("page", ON_CODE, ids=relative)
def test_files_and_functions_that_a_page_names_exist(page: Path) -> None:
    wrong = []
    for file, name in named(page):
        path = found(file, page)
        if path is None:
            wrong.append(file)
        elif name and not re.search(
            rf"\b{re.escape(name.split('.')[-1])}\b", path.read_text(encoding="utf-8")
        ):
            wrong.append(f"{file} {name}")
    assert wrong == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(
        re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    )
    assert listed == {p.name for p in folder.glob("[0-9]*.md")}
    for name in listed:
        assert re.match(rf"# {name[:4]} ", (folder / name).read_text(encoding="utf-8"))


def test_the_first_screen_says_what_to_type() -> None:
    screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:45])
    assert all(words in screen for words in ("make demo", "make test", "out of reach", "presence"))
