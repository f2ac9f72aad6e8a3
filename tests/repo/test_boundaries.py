"""Who may import whom: the core is pure, adapters are strangers, the simulator knows no engine.

The imports are read from the sources, so those inside functions and those for types count too.
"""

import ast
from collections import deque
from pathlib import Path

import pytest

from tests.repo.source import Import, files, imports, modules, relative, tree

MODULES = modules()

# What the core may use besides numpy and itself: nothing that can wait, log, draw lots or tell the
# time.
PURE = frozenset(
    {
        *("__future__", "abc", "array", "bisect", "calendar", "collections", "contextlib", "copy"),
        *("dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "hashlib"),
        *("heapq", "itertools", "json", "math", "operator", "re", "string", "struct"),
        *("textwrap", "types", "typing", "unicodedata", "zlib", "zoneinfo"),
    }
)
# Reading the clock, as methods of pure types, and the outside, as builtins.
IMPURE_METHODS = frozenset({"now", "today", "utcnow"})
IMPURE_BUILTINS = frozenset({"open", "print", "input", "breakpoint", "__import__"})
# The parts of mm_monitor that the core consists of, or may lean on.
PURE_PARTS = frozenset({"core", "kernels", "theo", "errors"})

# The one door to compiled code may look at the environment to find the debug build.
KERNEL_DOOR = frozenset({("kernels", "os"), ("kernels", "pathlib"), ("kernels", "importlib")})

ADAPTERS = ("checkpoints", "codecs", "reports", "simulator", "sinks", "sources", "web")
# The modules that put adapters together: no adapter may know them.
ASSEMBLY = frozenset({"app", "cli", "config", "pump", "__main__"})
# Imports between adapters that are allowed, each with its reason.
ALLOWED: dict[tuple[str, str], str] = {
    ("sources", "codecs"): "what a source delivers is decoded, whatever the bytes came through",
}


def _part(module: str) -> str:
    """The part of the package that a module belongs to: `mm_monitor.core.view` is in `core`."""
    return module.split(".")[1] if "." in module else ""


def _of_part(part: str) -> list[Path]:
    return [path for name, path in MODULES.items() if _part(name) == part]


def _imports(path: Path) -> list[Import]:
    return list(imports(path, set(MODULES)))


def _where(path: Path, line: int) -> str:
    return f"{relative(path)}:{line}"


def _is_pure(module: str) -> bool:
    root = module.partition(".")[0]
    if root == "mm_monitor":
        return _part(module) in PURE_PARTS
    return root == "numpy" or root in PURE


@pytest.mark.parametrize("part", sorted(PURE_PARTS))
def test_the_core_imports_only_what_is_pure(part: str) -> None:
    impure = [
        f"{_where(path, found.line)} imports {found.module}"
        for path in _of_part(part)
        for found in _imports(path)
        if not _is_pure(found.module) and (part, found.module) not in KERNEL_DOOR
    ]
    assert impure == []


def _impure_calls(path: Path) -> list[tuple[str, int]]:
    functions = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    methods = [
        (f.attr, f.lineno)
        for f in functions
        if isinstance(f, ast.Attribute) and f.attr in IMPURE_METHODS
    ]
    builtins = [
        (f.id, f.lineno) for f in functions if isinstance(f, ast.Name) and f.id in IMPURE_BUILTINS
    ]
    return methods + builtins


def test_the_core_never_reads_the_clock_or_a_file() -> None:
    found = [
        f"{_where(path, line)} calls {name}"
        for path in _of_part("core")
        for name, line in _impure_calls(path)
    ]
    assert found == []


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_knows_the_core_and_no_other_adapter(adapter: str) -> None:
    strangers = (set(ADAPTERS) | ASSEMBLY) - {adapter}
    found = [
        f"{_where(path, one.line)} imports {one.module}"
        for path in _of_part(adapter)
        for one in _imports(path)
        if one.module.startswith("mm_monitor.")
        and _part(one.module) in strangers
        and (adapter, _part(one.module)) not in ALLOWED
    ]
    assert found == []


def test_every_allowed_import_between_adapters_is_still_used() -> None:
    used = {
        (adapter, _part(one.module))
        for adapter in ADAPTERS
        for path in _of_part(adapter)
        for one in _imports(path)
        if one.module.startswith("mm_monitor.")
    }
    assert set(ALLOWED) - used == set()


def _reached(start: str) -> dict[str, str]:
    """Every module of ours that importing `start` reaches, with the one that imports it."""
    reached = {start: ""}
    queue = deque([start])
    while queue:
        module = queue.popleft()
        for found in _imports(MODULES[module]):
            for name in _with_packages(found.module):
                if name in MODULES and name not in reached:
                    reached[name] = module
                    queue.append(name)
    return reached


def _with_packages(module: str) -> list[str]:
    """Importing `a.b.c` runs `a`, `a.b` and `a.b.c`."""
    parts = module.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def test_the_simulator_reaches_neither_core_nor_kernels() -> None:
    """Its truth would prove nothing if it were computed by what it is compared with."""
    found = [
        f"{name} through {via}"
        for path in _of_part("simulator")
        for name, via in _reached(_name(path)).items()
        if _part(name) in ("core", "kernels")
    ]
    assert sorted(set(found)) == []


def _name(path: Path) -> str:
    return next(name for name, candidate in MODULES.items() if candidate == path)


def test_replay_is_no_mode_below_the_command_line() -> None:
    """Live and replay differ in constructor arguments only."""
    found = [
        _where(path, node.lineno)
        for path in files("mm_monitor/**/*.py")
        if path.name != "cli.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.If) and "replay" in ast.unparse(node.test).split(".")[-1].lower()
    ]
    assert found == []
