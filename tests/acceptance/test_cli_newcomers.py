"""What somebody types on the first day: each mistake is refused or doubted in words that say what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.acceptance.test_cli import GOLDEN, command

CASE = GOLDEN / "01"
SMALL = ("--makers", "3", "--contracts", "4", "--classes", "1", "--rate", "5", "-q")


def _case(directory: Path) -> Path:
    shutil.copytree(CASE, directory)
    return directory


@pytest.mark.parametrize("more", [SMALL, ("--strategies", "far")])
def test_a_recording_is_not_simulated_over(tmp_path: Path, more: tuple[str, ...]) -> None:
    own = _case(tmp_path / "own")
    before = {path.name: path.read_bytes() for path in own.iterdir()}
    done = command("simulate", "--out", own, *more)
    assert done.returncode == 2
    assert "no truth.json, so no simulation wrote it; choose another directory" in done.stderr
    assert {path.name: path.read_bytes() for path in own.iterdir()} == before


def test_a_simulation_may_be_simulated_again(tmp_path: Path) -> None:
    for _ in range(2):
        done = command("simulate", "--out", tmp_path / "day", *SMALL)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--makers", "100000000"), "makers x contracts must be at most 1,000,000, got 100000000 x 4"),
        (("--contracts", "999999999999"), "makers x contracts must be at most 1,000,000"),
        (("--truth", "elsewhere.json"), "--truth would be ignored with --out"),
        (("--reference", "elsewhere"), "--reference would be ignored with --out"),
    ],
)  # fmt: skip
def test_a_simulation_that_cannot_be_is_refused_at_once(
    tmp_path: Path, more: tuple[str, ...], said: str
) -> None:
    done = command("simulate", "--out", tmp_path / "day", *SMALL, *more)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "day").exists()


def test_games_have_an_end() -> None:
    done = command("simulate", "--strategies", "all", "--minutes", "99999999", "--out", "nowhere")
    assert (done.returncode, "minutes must be at most 600" in done.stderr) == (2, True)


def test_a_file_in_the_place_of_a_directory_is_called_that(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    rulebook = ("--rulebook", str(CASE / "rulebook.toml"))
    for line in (
        ("replay", CASE, *rulebook, "--ledger", file),
        ("report", "day", CASE, *rulebook, "--out", file),
        ("simulate", "--out", file, *SMALL),
        ("simulate", "--out", file, "--strategies", "far"),
    ):
        done = command(*line)
        assert done.returncode == 2
        assert f"{file}: cannot be written: it is there, and is no directory" in done.stderr


def test_explain_tells_what_there_is(tmp_path: Path) -> None:
    line = ("explain", CASE, "M0")
    rulebook = ("--rulebook", str(CASE / "rulebook.toml"))
    assert "a contract of the capture (C0), got 'X'" in command(*line, "X", *rulebook).stderr
    done = command(*line, "C0", *rulebook, "--at", "2031-01-01T10:00:00")
    assert done.returncode == 2
    assert "nothing there; the period is from 20" in done.stderr


def test_lines_that_could_not_be_used_are_no_riddle(tmp_path: Path) -> None:
    own = _case(tmp_path / "own")
    with (own / "quotes.csv").open("a") as quotes:
        quotes.write("soon,M0,C0,1,1,2,1\n")
    line = ("replay", own, "--rulebook", CASE / "rulebook.toml")
    said = "lines that could not be used: 1; --dead-letters FILE writes which, and why"
    assert said in command(*line).stderr
    assert said not in command(*line, "--dead-letters", tmp_path / "dead").stderr


def test_times_in_another_unit_are_doubted(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "contracts.csv").write_text("contract,class,tick\nC0,K0,0.01\n")
    (own / "makers.csv").write_text("maker,class\nM0,*\n")
    (own / "theo.csv").write_text("ts_event,contract,theo\n1763688540000,C0,1\n")
    (own / "quotes.csv").write_text(
        "ts_event,maker,contract,bid_price,bid_size,ask_price,ask_size\n1763688590000,M0,C0,0.99,1,1.01,1\n"
    )
    said = "judged as 1970-01-01: are the times nanoseconds since 1970"
    assert said in command("replay", own, "--rulebook", "szse-2025").stderr
    done = command("replay", CASE, "--rulebook", CASE / "rulebook.toml")
    assert "nanoseconds since 1970" not in done.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--out", "OUT", "--codec", "json", "--fast"), "--codec, --fast would be ignored with --out"),
        (("--bootstrap", "x:1", "--shuffle"), "--shuffle would be ignored with --bootstrap"),
        (("--strategies", "all", "--out", "OUT", "--rate", "5"), "--rate would be ignored with --strategies"),
    ],
)  # fmt: skip
def test_an_option_that_would_be_ignored_is_refused(
    tmp_path: Path, words: tuple[str, ...], named: str
) -> None:
    out = tmp_path / "out"
    done = command("simulate", *(out if word == "OUT" else word for word in words))
    assert (done.returncode, out.exists()) == (2, False)
    assert named in done.stderr


def test_the_help_begins_with_what_one_does_first() -> None:
    lines = command("--help").stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["demo", "simulate", "replay"]
