"""Files that are none: what has no end is not begun, and what nests without end is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.test_cli import GOLDEN, command

RULES = ("--rulebook", GOLDEN / "05" / "rulebook.toml")


@pytest.mark.parametrize(
    "words",
    [
        ("verify", "/dev/zero"),
        ("check-config", "/dev/zero"),
        ("rules", "lint", "/dev/zero"),
        ("reconcile", "/dev/zero", "venue.csv"),
        ("evidence", "part", "/dev/zero", "--maker", "M0"),
    ],
)
def test_a_device_is_no_file(words: tuple[str, ...]) -> None:
    done = command(*words)
    assert (done.returncode, "/dev/zero: a file, and no device" in done.stderr) == (2, True), (
        done.stderr
    )


def test_what_nests_without_end_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000)
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "2025-07-25-golden-05.json").write_text("[" * 100_000)
    for words in (
        ("reconcile", deep, deep),
        ("report", "merge", deep, *RULES, "--ledger", tmp_path / "out"),
        ("report", "month", tmp_path / "ledger", "--month", "2025-07"),
    ):
        done = command(*words)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert "deep.json" in done.stderr or "golden-05.json" in done.stderr
