"""The repository's sources as these tests read them: files, modules and what each imports."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mm_monitor"


@dataclass(frozen=True)
class Import:
    """One imported module: its absolute dotted name and the line that imports it."""

    module: str
    line: int


def relative(path: Path) -> str:
    """The path as the repository names it."""
    return str(path.relative_to(ROOT))


def files(*patterns: str) -> list[Path]:
    """The files that match these globs, in order, without what was built."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def module_name(path: Path) -> str:
    """`mm_monitor/core/view.py` is `mm_monitor.core.view`; a package is named by its directory."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, Path]:
    """Every module of the package by name."""
    return {module_name(path): path for path in files("mm_monitor/**/*.py")}


def tree(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path, known: set[str]) -> Iterator[Import]:
    """What a file imports anywhere, at any depth, for types or lazily.

    `from package import name` counts as the module `package.name` where that is in `known`.
    """
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield Import(full if full in known else base, node.lineno)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The dotted name that an import, relative or not, starts from."""
    if node.level == 0:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)
