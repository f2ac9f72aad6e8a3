"""Small files, small functions, and a docstring that says what each module is for."""

import ast
import re
from pathlib import Path

import pytest

from tests.repo.source import files, relative, tree

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60

PYTHON = files("mm_monitor/**/*.py", "tests/**/*.py", "benchmarks/**/*.py", "setup.py")
CYTHON = files("cext/*.pyx", "cext/*.pxd")
TEXT = [*PYTHON, *CYTHON, *files("cext/*.h", "mm_monitor/**/*.pyi", "mm_monitor/**/*.js")]

_VENDORED = re.compile(r"\.min\.js$|/vendor/")
_CYTHON_FUNCTION = re.compile(r"^(?P<indent> *)(?:def|cpdef|cdef)\b[^=]*?\b(?P<name>\w+)\s*\(")


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_no_file_is_long() -> None:
    long = {
        relative(path): count
        for path in TEXT
        if not _VENDORED.search(relative(path)) and (count := len(_lines(path))) > MAX_FILE_LINES
    }
    assert long == {}


def _python_functions(path: Path) -> dict[str, int]:
    return {
        f"{relative(path)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _cython_functions(lines: list[str]) -> dict[str, int]:
    """Lines of each function by `line name`: until the next line that is not deeper than its head.

    A head may go over several lines; it ends where its parentheses are closed and a colon follows.
    """
    sizes: dict[str, int] = {}
    for start, line in enumerate(lines):
        if head := _CYTHON_FUNCTION.match(line):
            body = _head_end(lines, start)
            if body is not None:
                last = _block_end(lines, body, len(head["indent"]))
                sizes[f"{start + 1} {head['name']}"] = last - start + 1
    return sizes


def _head_end(lines: list[str], start: int) -> int | None:
    """The line on which a function's head ends, or None for a mere declaration."""
    depth = 0
    for number in range(start, len(lines)):
        code = lines[number].split("#")[0].rstrip()
        depth += code.count("(") - code.count(")") + code.count("[") - code.count("]")
        if depth <= 0:
            return number if code.endswith(":") else None
    return None


def _block_end(lines: list[str], head_end: int, indent: int) -> int:
    last = head_end
    for number in range(head_end + 1, len(lines)):
        line = lines[number]
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        if line.strip():
            last = number
    return last


def test_no_python_function_is_long() -> None:
    sizes = {name: lines for path in PYTHON for name, lines in _python_functions(path).items()}
    assert {name: n for name, n in sizes.items() if n > MAX_FUNCTION_LINES} == {}


def test_no_kernel_function_is_long() -> None:
    sizes = {
        f"{relative(path)}:{name}": lines
        for path in CYTHON
        for name, lines in _cython_functions(_lines(path)).items()
    }
    assert {name: n for name, n in sizes.items() if n > MAX_FUNCTION_LINES} == {}


def test_cython_functions_are_measured_as_a_person_would() -> None:
    text = """\
cdef extern from "x.h":
    int64_t declared(int64_t a) nogil

cdef inline int64_t helper(
    const int64_t[::1] xs,  # ns
    Py_ssize_t i,
) noexcept nogil:
    cdef int64_t x = f(i)

    return x

def total(const int64_t[::1] xs) -> int:
    return 0
"""
    assert _cython_functions(text.splitlines()) == {"4 helper": 7, "12 total": 2}


@pytest.mark.parametrize("path", PYTHON, ids=relative)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(tree(path))
    assert docstring, f"{relative(path)} has no docstring"
    assert docstring.split("\n\n")[0].endswith((".", ":", "?")), docstring


@pytest.mark.parametrize("path", CYTHON, ids=relative)
def test_a_kernel_file_says_what_it_is_for(path: Path) -> None:
    first = next(line for line in _lines(path) if line.strip() and not line.startswith("# cython:"))
    assert first.startswith(('"""', "# ")), f"{relative(path)} starts with {first!r}"
