"""The manual page has every command and option, and roff has nothing to say against it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from mm_monitor.manual import page
from tests.repo.test_commands import COMMANDS, spelled


def test_every_command_and_option_is_on_it() -> None:
    text = page().replace("\\-", "-")
    named = {name: one for name, one in COMMANDS.items() if not getattr(one, "commands", {})}
    assert [name for name in named if f".SS {name}\n" not in text] == []
    options = {o for one in named.values() for p in one.params for o in spelled(p)} - {"--help"}
    assert [option for option in sorted(options) if option not in text] == []


def test_a_line_that_begins_with_a_point_is_text() -> None:
    assert [line for line in page().splitlines() if line.startswith(("'", ". "))] == []


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_roff_reads_it() -> None:
    done = subprocess.run(["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z"], input=page(), text=True,
                          capture_output=True)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
