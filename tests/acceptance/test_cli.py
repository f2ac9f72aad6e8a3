"""The command as people and scripts use it: exit codes, messages, equal bytes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


def command(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """`mm-monitor ARGS`, in a process of its own."""
    line = [sys.executable, "-m", "mm_monitor", *map(str, args)]
    return subprocess.run(line, capture_output=True, text=True, timeout=110, check=False)


def test_two_replays_are_equal_byte_for_byte(tmp_path: Path) -> None:
    case = GOLDEN / "06"
    for name in ("one", "two"):
        done = command(
            "replay", case, "--rulebook", case / "rulebook.toml", "--report", tmp_path / name
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_bytes().endswith(b"\n")


def test_report_goes_to_standard_output(tmp_path: Path) -> None:
    done = command(
        "replay",
        GOLDEN / "01",
        "--rulebook",
        GOLDEN / "01" / "rulebook.toml",
        "--report",
        "-",
        "-q",
    )
    assert json.loads(done.stdout)["schema"] == "mm-monitor/report/1"
    assert done.stderr == ""


def test_bad_input_names_file_line_column_and_value(tmp_path: Path) -> None:
    for name in ("quotes", "makers"):
        (tmp_path / f"{name}.csv").write_bytes((GOLDEN / "01" / f"{name}.csv").read_bytes())
    (tmp_path / "contracts.csv").write_text(
        "contract,class,tick,kind,strike,expiry,multiplier\nC0,K0,zero,call,,,\n"
    )
    done = command("replay", tmp_path, "--rulebook", GOLDEN / "01" / "rulebook.toml")
    assert done.returncode == 2
    assert "contracts.csv:2: column tick:" in done.stderr.replace(
        "contracts.csv:2: tick", "contracts.csv:2: column tick"
    )
    assert "'zero'" in done.stderr


def test_capture_without_period_is_refused(tmp_path: Path) -> None:
    for path in (GOLDEN / "11").glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "phases.csv").write_text("ts_event,scope,phase\n")
    done = command("replay", tmp_path, "--rulebook", GOLDEN / "11" / "rulebook.toml")
    assert done.returncode == 2
    assert "phases.csv" in done.stderr


@pytest.mark.criterion("TAPE-04")
def test_undecodable_lines_are_dead_lettered_with_position(tmp_path: Path) -> None:
    letters = tmp_path / "dead.jsonl"
    case = GOLDEN / "07"
    done = command(
        "replay", case, "--rulebook", case / "rulebook.toml", "--dead-letters", letters, "-q"
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in letters.read_text().splitlines()]
    assert len(found) == 6
    assert {"topic": "quotes.csv", "offset": 10, "reason": "bad_time"}.items() <= next(
        letter for letter in found if letter["offset"] == 10 and letter["topic"] == "quotes.csv"
    ).items()


def test_a_key_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    book = tmp_path / "rulebook.toml"
    book.write_text('id = "a"\nversion = 1\nsource = "made up"\n[presence]\nrequiered = "90%"\n')
    done = command("rules", "lint", book)
    assert done.returncode == 2
    assert "presence.requiered" in done.stderr


def test_the_example_of_every_key_is_a_rulebook() -> None:
    done = command("rules", "show", "all-keys-example")
    assert (done.returncode, done.stderr) == (0, "")


def test_rules_list_show_and_lint() -> None:
    assert "szse-2025" in command("rules", "list").stdout
    assert "90%" in command("rules", "show", "szse-2025").stdout.replace(" ", "")
    assert command("rules", "lint", "szse-2025").returncode == 0


def test_unknown_rulebook_is_refused() -> None:
    done = command("replay", GOLDEN / "01", "--rulebook", "no-such-venue")
    assert done.returncode == 2
    assert "no-such-venue" in done.stderr


def test_simulate_then_replay_agree_with_truth(tmp_path: Path) -> None:
    made = command("simulate", "--out", tmp_path, "--makers", "10", "--contracts", "16", "--rate", "1000",
                   "--seconds", "5", "-q")  # fmt: skip
    assert made.returncode == 0, made.stderr
    done = command("replay", tmp_path, "--rulebook", "szse-2025", "--report", "-", "-q")
    truth = json.loads((tmp_path / "truth.json").read_text())
    got = {
        (o["maker"], o["contract"]): o["quoted_ns"] for o in json.loads(done.stdout)["obligations"]
    }
    assert got == {(o["maker"], o["contract"]): o["quoted_ns"] for o in truth["obligations"]}


@pytest.mark.parametrize("option", ["--report", "--details", "--dead-letters"])
@pytest.mark.parametrize("name", ["quotes.csv", "rulebook.toml"])
def test_nothing_is_written_over_what_is_read(tmp_path: Path, option: str, name: str) -> None:
    case = tmp_path / "case"
    shutil.copytree(GOLDEN / "01", case)
    before = (case / name).read_bytes()
    done = command("replay", case, "--rulebook", case / "rulebook.toml", option, case / name)
    assert done.returncode == 2
    assert name in done.stderr
    assert "overwritten" in done.stderr
    assert (case / name).read_bytes() == before


@pytest.mark.parametrize("output", ["-", "/dev/full"])
def test_a_full_disk_is_one_sentence(output: str) -> None:
    case = GOLDEN / "01"
    line = [sys.executable, "-m", "mm_monitor", "replay", str(case), "--rulebook", str(case / "rulebook.toml"),
            "--report", output, "-q"]  # fmt: skip
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_gone_ends_it_quietly() -> None:
    case = GOLDEN / "01"
    line = f"{sys.executable} -m mm_monitor explain {case} M0 C0 --rulebook {case}/rulebook.toml | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("simulate", "--out", "x", "--seconds", "inf"), "seconds"),
        (("simulate", "--out", "x", "--seed", "-1"), "seed"),
        (("simulate", "--out", "x", "--day", "9999-12-31"), "day"),
        (("simulate", "--out", "x", "--seconds", "1e12"), "records"),
        (("demo", "--seconds", "nan"), "--seconds"),
    ],
)
def test_numbers_that_make_no_day_are_refused_by_name(
    tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    arguments = tuple(str(tmp_path / "x") if a == "x" else a for a in arguments)
    done = command(*arguments)
    assert done.returncode == 2, done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("makers", ["", "M0,*,another\n"])
def test_nobody_to_judge_is_no_success(tmp_path: Path, makers: str) -> None:
    case = GOLDEN / "01"
    for path in case.glob("*.csv"):
        shutil.copy(path, tmp_path)
    (tmp_path / "makers.csv").write_text(f"maker,class,rulebook\n{makers}")
    done = command("replay", tmp_path, "--rulebook", case / "rulebook.toml")
    assert done.returncode == 2
    assert "makers.csv: needs a maker that is appointed under rulebook" in done.stderr


LOGS = Path(__file__).parents[1] / "data" / "evidence"
SEALED_BY = "f54f907fa1a823871ab210cafc65e2f9221edc2b1f36d7bde8214724cb8e6b1f"


def test_verify_says_no_by_its_exit_code(tmp_path: Path) -> None:
    done = command("verify", LOGS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("evidence-2025-08-02.log: 1 entries, 0 withheld, not sealed yet\n")
    first, second = (LOGS / f"evidence-2025-08-0{day}.log" for day in (1, 2))
    assert command("verify", first, "--key", SEALED_BY).returncode == 0
    for args, message in (
        ((first, "--key", "0" * 64), "line 11: sealed by another key"),
        ((second, second), "line 1: does not follow the log before it"),
    ):
        done = command("verify", *args)
        assert (done.returncode, message in done.stderr) == (1, True), done.stderr
    done = command("verify", tmp_path)
    assert (done.returncode, "evidence logs (evidence-YYYY-MM-DD.log)" in done.stderr) == (2, True)


def test_a_part_of_the_evidence_verifies_as_the_whole_does(tmp_path: Path) -> None:
    whole = LOGS / "evidence-2025-08-01.log"
    part = tmp_path / "part.log"
    done = command("evidence", "part", whole, "--maker", "M1")
    part.write_text(done.stdout)
    assert '"maker":"M0"' not in done.stdout
    assert '"maker":"M1"' in done.stdout
    done = command("verify", part, "--key", SEALED_BY)
    assert done.returncode == 0, done.stderr
