"""`mm-monitor price`: the theos of a capture from what else it has, for a replay to read and never compute."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAY = ROOT / "tests" / "data" / "priced" / "day"
T = 1754011800 * 10**9
S = 10**9
EXPIRES = 1756278000 * 10**9  # 2025-08-27 15:00 in Shanghai
HOW = ("--model", "bsm", "--rate", "2%", "--expires-at", "15:00", "--timezone", "Asia/Shanghai")


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mm_monitor", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def priced(out: Path, *more: str, capture: Path = DAY) -> list[dict[str, str]]:
    done = run("price", capture, *HOW, "--out", out, *more)
    assert done.returncode == 0, done.stderr
    with (out / "theo.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def of(rows: list[dict[str, str]], contract: str) -> list[tuple[int, str, str, str]]:
    chosen = [row for row in rows if row["contract"] == contract]
    return [
        ((int(r["ts_event"]) - T) // (S // 10), r["source"], r["version"], r["quality"])
        for r in chosen
    ]


@pytest.mark.criterion("NUM-02")
def test_a_theo_is_the_models_price_rounded_to_ten_to_the_minus_eight(tmp_path: Path) -> None:
    """C2900: strike 2.9, the underlying at 3.005, vol 21 %, rate 2 %; 2 266 200 s to expiry."""
    row = priced(tmp_path / "out")[0]
    years = (EXPIRES - T) / (365 * 86_400 * S)
    deviation = 0.21 * math.sqrt(years)
    d1 = (math.log(3.005 / 2.9) + (0.02 + 0.21**2 / 2) * years) / deviation
    cdf = NormalDist().cdf
    value = 3.005 * cdf(d1) - 2.9 * math.exp(-0.02 * years) * cdf(d1 - deviation)
    assert (row["ts_event"], row["contract"], row["theo"]) == (str(T), "C2900", f"{value:.8f}")
    assert row["delta"] == f"{cdf(d1):.8f}"
    assert (row["source"], row["version"], row["quality"], row["age_ns"]) == (
        "vol",
        "bsm/1",
        "own",
        "0",
    )


@pytest.mark.criterion("VAL-12")
def test_each_contract_has_the_first_source_that_is_fresh(tmp_path: Path) -> None:
    rows = priced(tmp_path / "out")
    own, fitted = ("vol", "bsm/1", "own"), ("fit", "bsm/1", "inside")
    gone = ("", "", "")
    assert of(rows, "C2900") == [(0, *own), (10, *own), (20, *own), (30, *fitted), (50, *fitted), (60, *gone),
                                 (90, *fitted)]  # fmt: skip
    feed = ("feed", "", "")
    assert of(rows, "C3100") == [
        (5, *feed),
        (40, *feed),
        (40, *fitted),
        (50, *fitted),
        (60, *gone),
        (90, *fitted),
    ]
    assert {entry[1] for entry in of(rows, "C3000S")} == {"surface", ""}
    assert of(rows, "ETF0") == []


def test_the_same_capture_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        priced(tmp_path / name)
    assert (tmp_path / "a/theo.csv").read_bytes() == (tmp_path / "b/theo.csv").read_bytes()
    shuffled = tmp_path / "shuffled"
    shutil.copytree(DAY, shuffled)
    for name in ("quotes", "underlying", "theo"):
        head, *lines = (DAY / f"{name}.csv").read_text().splitlines()
        (shuffled / f"{name}.csv").write_text("\n".join([head, *reversed(lines)]) + "\n")
    priced(tmp_path / "c", capture=shuffled)
    assert (tmp_path / "a/theo.csv").read_bytes() == (tmp_path / "c/theo.csv").read_bytes()


def test_a_maker_is_judged_by_a_theo_that_owes_it_nothing(tmp_path: Path) -> None:
    """M2 moves its quotes; what the others make of the market does not move."""
    other = tmp_path / "moved"
    shutil.copytree(DAY, other)
    text = (DAY / "quotes.csv").read_text().splitlines()
    moved = [line.replace("0.0", "0.1") if ",M2,C3000," in line else line for line in text]
    assert moved != text
    (other / "quotes.csv").write_text("\n".join(moved) + "\n")
    without = [
        priced(tmp_path / f"w{i}", "--leave-out", "M2", capture=c)
        for i, c in enumerate((DAY, other))
    ]
    assert without[0] == without[1]
    assert priced(tmp_path / "all") != without[0]


@pytest.mark.criterion("VAL-11")
def test_a_replay_judges_by_the_theos_that_were_written(tmp_path: Path) -> None:
    priced(tmp_path / "out")
    reports: list[Any] = []
    for change in (False, True):
        if change:  # prices and vols are nothing to a rulebook that has no rule on them
            for name in ("underlying", "vol"):
                (tmp_path / "out" / f"{name}.csv").unlink()
        report = tmp_path / "report.json"
        assert (
            run(
                "replay", tmp_path / "out", "--rulebook", "szse-2025", "--report", report
            ).returncode
            == 0
        )
        reports.append(json.loads(report.read_text()))
    applied = [report["records"].pop("applied") for report in reports]
    assert applied[0] > applied[1]  # a replay reads the prices, and no vols
    assert reports[0] == reports[1]
    rows = {(r["maker"], r["contract"]): r for r in reports[0]["obligations"]}
    assert rows["M0", "C3000"]["quoted_ns"] > 0
    assert (
        rows["M0", "C3000"]["unknown_ns"] > 0
    )  # from 6 s to 9 s nothing was known of the underlying


WRONG = [
    ("underlying.csv", f"ts_event,class,price\n{T},K0,3.0x\n", "underlying.csv:2: column price"),
    ("underlying.csv", f"ts_event,class,price\n{T},K9,3.0\n", "underlying.csv:2: column class"),
    ("underlying.csv", "ts_event,class\n", "underlying.csv"),
    ("vol.csv", f"ts_event,contract,vol\n{T},C2900,0.2\nx,C2900,0.2\n", "vol.csv:3: column ts_event"),
    ("vol.csv", f"ts_event,contract,vol\n{T},C2900,-0.2\n", "vol.csv:2: column vol"),
    ("vol.csv", f"ts_event,contract,vol\n{T},C9,0.2\n", "vol.csv:2: column contract"),
    ("vol.csv", f"ts_event,class,expiry,vol\n{T},K0,,0.2\n", "vol.csv:2: column contract"),
    ("vol.csv", f"ts_event,class,expiry,vol\n{T},K9,2025-08-27,0.2\n", "vol.csv:2: column class"),
    ("contracts.csv", "contract,class,tick,kind,strike,expiry\nC,K0,1,call,x,2025-08-27\n",
     "contracts.csv:2: column strike"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "message"), WRONG)
def test_a_defect_is_named_by_file_line_and_column(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    shutil.copytree(DAY, tmp_path / "day")
    (tmp_path / "day" / name).write_text(text)
    done = run("price", tmp_path / "day", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out" / "theo.csv").exists()


@pytest.mark.parametrize(
    "words",
    [("--model", "x"), ("--rate", "5"), ("--rate", "101%"), ("--every", "0s"), ("--leave-out", "M9"),
     ("--sources", "feed,guess"), ("--timezone", "Mars/Olympus"), ("--expires-at", "25:00")],
)  # fmt: skip
def test_an_option_that_cannot_be_used_is_named(tmp_path: Path, words: tuple[str, str]) -> None:
    done = run("price", DAY, "--out", tmp_path, *words)
    assert done.returncode == 2
    assert words[0] in done.stderr
    assert words[1].split(",")[-1] in done.stderr


def test_theos_that_are_there_are_not_overwritten(tmp_path: Path) -> None:
    shutil.copytree(DAY, tmp_path / "day")
    for words in ((), ("--out", str(tmp_path / "day"))):
        done = run("price", tmp_path / "day", *words)
        assert done.returncode == 2
        assert "theo.csv: has theos already" in done.stderr
    (tmp_path / "day" / "theo.csv").unlink()
    assert run("price", tmp_path / "day", *HOW).returncode == 0
    assert (tmp_path / "day" / "theo.csv").is_file()


def test_a_listing_on_the_tape_is_priced_from_its_instant_and_a_removed_contract_no_more(
    tmp_path: Path,
) -> None:
    day = tmp_path / "day"
    shutil.copytree(DAY, day)
    (day / "reference.csv").write_text(
        "ts_event,action,table,contract,class,tick,kind,strike,expiry\n"
        f"{T + 45 * S // 10},add,contracts,C3200,K0,0.0001,call,3.2,2025-08-27\n"
        f"{T + 85 * S // 10},remove,contracts,C3000,,,,,\n"
    )
    rows = priced(tmp_path / "out", capture=day)
    outside = ("fit", "bsm/1", "outside")
    assert of(rows, "C3200") == [(50, *outside), (60, "", "", ""), (90, *outside)]
    assert of(rows, "C3000")[-1] == (60, "", "", "")
    (day / "reference.csv").write_text(
        f"ts_event,action,contract,class,tick,kind,strike\n{T},add,C4,K0,1,call,3\n"
    )
    done = run("price", day, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "reference.csv:2: column expiry" in done.stderr


def test_parquet_gives_the_same_theos(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    day = tmp_path / "day"
    shutil.copytree(DAY, day)
    for name, number, scale in (("underlying", "price", 10**8), ("vol", "vol", 1)):
        with (day / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        columns: dict[str, Any] = {key: [row[key] or None for row in rows] for key in rows[0]}
        columns["ts_event"] = [int(text) for text in columns["ts_event"]]
        values = [None if text is None else float(text) * scale for text in columns[number]]
        columns[number] = [v if v is None or scale == 1 else round(v) for v in values]
        parquet.write_table(pyarrow.table(columns), day / f"{name}.parquet")
        (day / f"{name}.csv").unlink()
    assert priced(tmp_path / "out", capture=day) == priced(tmp_path / "csv")


def test_explain_says_where_a_theo_came_from(tmp_path: Path) -> None:
    priced(tmp_path / "out")
    words = ("explain", tmp_path / "out", "M0", "C3000", "--rulebook", "szse-2025")
    done = run(*words, "--json")
    assert done.returncode == 0, done.stderr
    vias = [i["theo"]["via"] for i in json.loads(done.stdout)["intervals"] if i["theo"]]
    assert {"source": "fit", "version": "bsm/1", "quality": "inside"} in vias
    assert "(fit, bsm/1, inside)" in run(*words).stdout


def test_what_a_feed_says_of_itself_is_kept(tmp_path: Path) -> None:
    day = tmp_path / "day"
    shutil.copytree(DAY, day)
    line = f"{T + S // 2},C3100,0.0312,-0.25,desk,m/7,mid"
    (day / "theo.csv").write_text(f"ts_event,contract,theo,delta,source,version,quality\n{line}\n")
    rows = priced(tmp_path / "out", capture=day)
    (mine,) = [row for row in rows if row["source"] == "desk"]
    assert list(mine.values()) == [*line.split(","), ""]
    journal = tmp_path / "journal-2025-08-01.jsonl"
    theos = [
        ["C3100", 3100000, 5000000, "vol", "bsm/1", "own", 7],
        ["C9", 1, None, "vol", "", "", 0],
    ]
    looks = [{"entry": "theo", "theos": theos, "ts": ts} for ts in (T + S // 2, T + 10**18)]
    journal.write_text("".join(json.dumps(look) + "\n" for look in looks))
    done = run("price", day, "--out", tmp_path / "kept", "--journal", journal)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "kept" / "theo.csv").read_text().splitlines()[1:] == [
        line + ",", f"{T + S // 2},C3100,0.031,0.05,vol,bsm/1,own,7",
    ]  # fmt: skip
