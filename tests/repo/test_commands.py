"""`docs/commands.md` has every command, option and argument and no other; what it shows runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from mm_monitor.cli import app
from tests.repo.source import ROOT, files, relative

PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (`[^|]+`) \|", re.MULTILINE)
# Need a broker of their own, or take their time.
ELSEWHERE = (
    "run",
    "doctor",
    "top",
    "demo",
    "simulate --bootstrap",
    "report rollup",
    "journal rebuild",
    "journal close",
    "report known",
    "exempt",
    "acknowledge",
    "reconcile",
)


def commands(command: Any = None, path: str = "mm-monitor") -> Iterator[tuple[str, Any]]:
    """Every command by the words that start it; of groups only the program itself."""
    command = command or get_command(app)
    inner = getattr(command, "commands", {})
    if not inner or path == "mm-monitor":
        yield path, command
    for name, one in inner.items():
        yield from commands(one, f"{path} {name}")


COMMANDS = dict(commands())


def documented() -> dict[str, str]:
    """The text of each command's section."""
    parts = re.split(r"^## `(.+)`$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


SECTIONS = documented()


def spelled(parameter: Any) -> set[str]:
    """Names of a parameter as the page writes them."""
    if parameter.param_type_name == "argument":
        return {parameter.name.upper()}
    return set(parameter.opts)


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_line_and_every_line_an_option(name: str) -> None:
    given = {name for p in COMMANDS[name].params for name in spelled(p)} - {"--help", "-h"}
    written = {w.strip("`, ") for cell in ROW.findall(SECTIONS[name]) for w in cell.split(",")}
    assert written == given


@pytest.mark.parametrize("name", COMMANDS)
def test_a_default_is_written_as_it_is(name: str) -> None:
    for parameter in COMMANDS[name].params:
        line = re.search(
            rf"^\| `{parameter.opts[0]}`[^|]*\| ([^|]*) \| .* \|$", SECTIONS[name], re.MULTILINE
        )
        default = parameter.default
        if line and not isinstance(default, bool) and default not in (None, ""):
            assert line[1] == str(default).removesuffix(".0"), parameter.opts[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example(name: str) -> None:
    assert any(line.startswith(name) for line in shell(SECTIONS[name]))


def shell(text: str) -> list[str]:
    """The lines of all shell blocks, continued lines joined, comments cut."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split(" #")[0].strip() for line in lines if "mm-monitor" in line]


def called(line: str) -> Any:
    """The command that a line calls."""
    command: Any = get_command(app)
    words = shlex.split(line)
    for word in words[words.index(next(w for w in words if w.endswith("mm-monitor"))) + 1 :]:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
    return command


@pytest.mark.parametrize("page", files("docs/**/*.md", "*.md"), ids=relative)
def test_pages_use_only_commands_and_options_that_exist(page: Path) -> None:
    for line in shell(page.read_text(encoding="utf-8")):
        known = {o for p in called(line).params for o in p.opts} | {"-h", "--help"}
        options = {w.split("=")[0] for w in shlex.split(line) if re.match(r"--?[a-z]", w)}
        assert options <= known, line


def quick() -> list[str]:
    """The page's own examples that run without a broker."""
    return [
        line for line in shell(PAGE) if not line.removeprefix("mm-monitor ").startswith(ELSEWHERE)
    ]


def test_the_examples_run(tmp_path: Path) -> None:
    for name in ("tests", "deploy"):
        (tmp_path / name).symlink_to(ROOT / name)
    assert len(quick()) >= 9
    for line in quick():
        words = [sys.executable, "-m", "mm_monitor", *shlex.split(line)[1:]]
        done = subprocess.run(
            words, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert done.stdout or done.stderr or "-q" in line or "--report" in line
    assert (tmp_path / "day1.json").stat().st_size > 1000
