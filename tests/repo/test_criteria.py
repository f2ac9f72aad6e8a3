"""Every criterion of `docs/specs` that is implemented has a test that carries its code, and no code is made up."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repo.source import ROOT, files, relative, tree

FAMILIES = "NUM|TAPE|OBL|VAL|PRES|RESP|HEDG|STAB|BRCH"
CODE = re.compile(rf"\b(?:{FAMILIES})-\d\d\b")
HEADING = re.compile(rf"^### ((?:{FAMILIES})-\d\d|L\d) (.+)$", re.MULTILINE)
ROW = re.compile(rf"^\| ((?:{FAMILIES})-\d\d) \|", re.MULTILINE)
SPECS = ROOT / "docs" / "specs"


def sections() -> dict[str, str]:
    """The text of each criterion by its code."""
    found: dict[str, str] = {}
    for page in sorted(SPECS.glob("*.md")):
        parts = HEADING.split(page.read_text(encoding="utf-8"))
        for code, _, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            assert code not in found, f"{code} is in docs/specs twice"
            found[code] = text
    return found


SECTIONS = sections()
WAITING = {code for code, text in SECTIONS.items() if "not implemented: see" in text.lower()}
IN_LATER = set(ROW.findall((SPECS / "later.md").read_text(encoding="utf-8")))
KNOWN = set(SECTIONS) | IN_LATER


def marks(path: Path) -> Iterator[str]:
    """Codes of `criterion` marks anywhere in a file, also in `pytestmark`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.criterion":
            yield from (ast.literal_eval(argument) for argument in node.args)


def named(path: Path) -> Iterator[str]:
    """Codes in names and docstrings of tests: `test_val_06_...`, or `VAL-06` in words."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test_"
        ):
            text = node.name.upper().replace("_", "-") + " " + (ast.get_docstring(node) or "")
            yield from re.findall(rf"(?:{FAMILIES})-\d\d(?!\d)", text)


def laws(path: Path) -> Iterator[str]:
    """Laws that a module says it is about, in its docstring."""
    yield from re.findall(r"\bL[1-9]\b", ast.get_docstring(tree(path)) or "")


TESTS = [path for path in files("tests/**/*.py") if path != Path(__file__)]
# The oracle's own tests prove the oracle and nothing of the engine.
PROOFS = [path for path in TESTS if "oracle" not in path.parent.name]
CARRIED = {code for path in PROOFS for code in (*marks(path), *named(path), *laws(path))}


def test_the_pages_have_criteria() -> None:
    assert len(SECTIONS) > 40
    assert {"NUM-01", "TAPE-06", "OBL-06", "VAL-12", "PRES-08", "BRCH-02"} <= set(
        SECTIONS
    ) - WAITING


@pytest.mark.parametrize("code", sorted(set(SECTIONS) - WAITING))
def test_an_implemented_criterion_has_a_test(code: str) -> None:
    assert code in CARRIED


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_a_test_carries_no_code_that_does_not_exist(path: Path) -> None:
    assert {*marks(path), *named(path), *laws(path)} <= KNOWN


def test_code_and_pages_name_only_criteria_that_exist() -> None:
    pages = files("mm_monitor/**/*.py", "mm_monitor/**/*.pyi", "cext/*", "docs/**/*.md", "*.md")
    unknown = {
        relative(path): found
        for path in pages
        if (found := set(CODE.findall(path.read_text(encoding="utf-8"))) - KNOWN)
    }
    assert unknown == {}


def test_what_waits_is_on_the_page_of_what_waits() -> None:
    assert WAITING <= IN_LATER
    assert set(CODE.findall(" ".join(IN_LATER))) == IN_LATER


@pytest.mark.parametrize("code", sorted(set(SECTIONS) - WAITING))
def test_a_criterion_says_something(code: str) -> None:
    assert len(SECTIONS[code].split()) >= 5
