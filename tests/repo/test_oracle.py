"""The oracle can be read in one sitting, and shares no code with the engine."""

import ast
import sys

from tests.repo.source import files, relative, tree

MAX_LINES = 600
JUDGE = files("tests/oracle/*.py")


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [] if node.level == 1 else [node.module or "."]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def test_the_oracle_is_short() -> None:
    lines = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in JUDGE}
    assert sum(lines.values()) <= MAX_LINES, lines


def test_it_imports_nothing_but_itself_and_the_standard_library() -> None:
    names = {name for path in JUDGE for node in ast.walk(tree(path)) for name in _imported(node)}
    assert {name for name in names if name.split(".")[0] not in sys.stdlib_module_names} == set()
