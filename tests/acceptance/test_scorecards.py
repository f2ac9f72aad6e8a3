"""Scorecards: every lapse is there and adds up, each language says everything, the same input gives the same bytes."""

from __future__ import annotations

import ast
import asyncio
import base64
import csv
import hashlib
import io
import json
import re
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from mm_monitor.cli import app
from mm_monitor.replay import replay
from mm_monitor.reports.papers import tables
from mm_monitor.reports.papers.words import CHINESE, length, share
from mm_monitor.reports.scorecard import scorecard
from mm_monitor.rulebooks import load
from mm_monitor.studies.lapses import lapses_of
from tests.acceptance.captures import HEADERS, gone, quote, rulebook, write
from tests.repo.source import ROOT, files, tree

GOLDEN = ROOT / "tests" / "data" / "golden"
DAY = GOLDEN / "05"
EVERY = "html,pdf,csv,parquet,json"


def card_of(capture: Path, book: Path) -> dict[str, Any]:
    """The scorecard object of a capture."""
    rules = load(book)
    done = asyncio.run(replay(capture, rules))
    found = asyncio.run(lapses_of(capture, rules))
    return scorecard(done, found, rules, sorted(capture.glob("*.csv")))


def by_hand(directory: Path, rules: str = "", **given: list[str]) -> dict[str, Any]:
    """The scorecard of a capture written in a test."""
    plain = {"contracts": ["C0,K0,0.0001"], "makers": ["M0,*"], "quotes": [],
             "phases": ["1000,*,continuous", "2000,*,closed"]}  # fmt: skip
    for name, lines in (plain | given).items():
        write(directory, name, lines, HEADERS[name])
    return card_of(directory, rulebook(directory, rules))


def report(*words: str | Path) -> Any:
    """Run `mm-monitor report ...`."""
    return CliRunner().invoke(app, ["report", *map(str, words)])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a scorecard in every format, in Chinese, and its pack."""
    out = tmp_path_factory.mktemp("cards")
    for name in ("first", "again"):
        done = report(
            "day", DAY, "--rulebook", DAY / "rulebook.toml", "--out", out / name, "--pack",
            out / f"{name}.zip", "--format", EVERY, "--language", "zh", "--with-inputs", "-q",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
    return out


@pytest.mark.parametrize("name", sorted(p.name for p in GOLDEN.iterdir() if p.is_dir()))
def test_lapses_add_up_to_the_report(name: str) -> None:
    capture = GOLDEN / name
    card = card_of(capture, capture / "rulebook.toml")
    for row in card["obligations"]:
        mine = [x for x in card["lapses"]
                if (x["maker"], x["contract"]) == (row["maker"], row["contract"])]  # fmt: skip
        assert len(mine) == row["lapses"]
        if any(lapse["counted_ns"] is None for lapse in mine):
            assert load(capture / "rulebook.toml").when_missing == "exclude"
            continue
        assert sum(lapse["counted_ns"] for lapse in mine) == row["lapsed_ns"]
        assert max((x["counted_ns"] for x in mine), default=0) == row["longest_lapse_ns"]


def test_a_lapse_is_paused_by_a_break_and_by_its_makers_own_exemption(tmp_path: Path) -> None:
    card = by_hand(
        tmp_path, '[exemptions]\ntechnical = "exclude"\n',
        quotes=[quote(1000), gone(1100), quote(1800)],
        phases=["1000,*,continuous", "1200,*,break", "1500,*,continuous", "2000,*,closed"],
        exemptions=["1550,*,M0,technical,start", "1650,*,M0,technical,end"],
    )  # fmt: skip
    (lapse,) = card["lapses"]
    assert (lapse["start"], lapse["end"], lapse["reason"]) == (1100, 1800, "absent")
    assert lapse["spans"] == [[1100, 1200], [1500, 1550], [1650, 1800]]
    assert lapse["counted_ns"] == 300
    (exemption,) = card["exemptions"]
    assert (exemption["start"], exemption["end"], exemption["effect"]) == (1550, 1650, "exclude")


def test_a_lapse_says_by_how_much_it_failed_and_may_last_to_the_end(tmp_path: Path) -> None:
    card = by_hand(
        tmp_path, "[quote]\nmin_size = 10\n", quotes=[quote(1000), quote(1900, bid_size=7)]
    )
    (lapse,) = card["lapses"]
    assert (lapse["start"], lapse["end"], lapse["failed_by"]) == (1900, 2000, "size by 3")


def test_the_same_input_gives_the_same_bytes(written: Path) -> None:
    first = {p.name: p.read_bytes() for p in (written / "first").iterdir()}
    assert first == {p.name: p.read_bytes() for p in (written / "again").iterdir()}
    assert (written / "first.zip").read_bytes() == (written / "again.zip").read_bytes()
    assert {"index.html", "index.pdf", "maker-M1.html", "lapses.csv", "lapses.parquet",
            "scorecard.json"} <= set(first)  # fmt: skip


def test_a_page_needs_nothing_beside_it(written: Path) -> None:
    page = (written / "first" / "maker-M1.html").read_text(encoding="utf-8")
    assert page.startswith('<!doctype html>\n<html lang="zh-CN">')
    assert not re.search(r"(src|href)=|<script|url\(|@import", page)
    assert page.count("<svg") == 3
    assert "@media print" in page
    card = json.loads((written / "first" / "scorecard.json").read_bytes())
    for told in (
        card["rulebook"]["sha256"],
        card["engine"],
        *(f["sha256"] for f in card["inputs"]),
    ):
        assert told in page


def test_a_print_has_the_text(written: Path) -> None:
    data = (written / "first" / "index.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    streams = re.findall(rb"stream\s+(.*?)endstream", data, re.DOTALL)
    text = b"".join(zlib.decompress(base64.a85decode(s.strip()[:-2])) for s in streams[:3])
    assert "做市商".encode("utf-16-be") in text or b"STSong" in data


def test_tables_say_the_same_in_both_formats(written: Path) -> None:
    for name, columns in tables.DAY.items():
        lines = list(csv.DictReader((written / "first" / f"{name}.csv").open(encoding="utf-8")))
        table = pq.read_table(written / "first" / f"{name}.parquet")
        assert tuple(table.column_names) == tuple(columns)
        for line, row in zip(lines, table.to_pylist(), strict=True):
            assert line == {k: "" if v is None else str(v) for k, v in row.items()}


def test_a_pack_verifies_and_says_what_was_changed(written: Path, tmp_path: Path) -> None:
    pack = tmp_path / "pack.zip"
    shutil.copy(written / "first.zip", pack)
    assert report("check", pack, "--capture", DAY).output == "ok\n"
    with zipfile.ZipFile(pack) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    assert held["inputs/quotes.csv"] == (DAY / "quotes.csv").read_bytes()
    assert held["rulebook.toml"] == (DAY / "rulebook.toml").read_bytes()
    for line in held["SHA256SUMS"].decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(held[name]).hexdigest() == digest
    held["lapses.csv"] = held["lapses.csv"].replace(b"absent", b"stale ", 1)
    del held["maker-M1.html"]
    with zipfile.ZipFile(pack, "w") as archive:
        for name, data in {**held, "more.txt": b""}.items():
            archive.writestr(name, data)
    done = report("check", pack)
    assert done.exit_code == 1
    assert done.output.splitlines() == [
        "lapses.csv: changed since it was written", "maker-M1.html: missing",
        "more.txt: not in the manifest",
    ]  # fmt: skip


def test_a_pack_says_when_the_inputs_are_others(written: Path, tmp_path: Path) -> None:
    shutil.copytree(DAY, tmp_path / "day")
    (tmp_path / "day" / "quotes.csv").write_bytes(b"ts_event\n")
    (tmp_path / "day" / "feed.csv").unlink()
    done = report("check", written / "first.zip", "--capture", tmp_path / "day", "--json")
    assert done.exit_code == 1
    assert [f.split(": ")[1] for f in json.loads(done.output)["faults"]] == [
        "input is missing", "not the input that was judged",
    ]  # fmt: skip


def test_a_makers_own_files_have_nothing_of_another(tmp_path: Path) -> None:
    makers, quotes = ["M0,*", "RIVAL,*"], [quote(1000), gone(1500), quote(1200, maker="RIVAL")]
    for name, lines in {"contracts": ["C0,K0,0.0001"], "makers": makers, "quotes": quotes,
                        "phases": ["1000,*,continuous", "2000,*,closed"]}.items():  # fmt: skip
        write(tmp_path, name, lines)
    out = tmp_path / "out"
    done = report(
        "day", tmp_path, "--rulebook", rulebook(tmp_path), "--out", out, "--maker", "M0", "-q"
    )
    assert done.exit_code == 0, done.output
    for path in out.iterdir():
        assert b"RIVAL" not in path.read_bytes(), path


def test_a_month_is_written_as_its_tables_say(tmp_path: Path) -> None:
    CliRunner().invoke(app, ["replay", str(DAY), "--rulebook", str(DAY / "rulebook.toml"),
                             "--ledger", str(tmp_path / "ledger"), "-q"])  # fmt: skip
    for name in ("a", "b"):
        done = report("month", tmp_path / "ledger", "--out", tmp_path / name, "--format", EVERY,
                      "--language", "zh")  # fmt: skip
        assert done.exit_code == 0, done.output
    first, again = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in "ab")
    assert first == again
    (makers,) = [m["makers"] for m in json.loads(first["months.json"])["months"]]
    rows = list(csv.DictReader(io.StringIO(first["makers.csv"].decode())))
    assert [r["maker"] for r in rows] == [m["maker"] for m in makers]
    page = next(data.decode() for name, data in first.items() if name.endswith("M1.html"))
    assert share(makers[1]["presence"]) in page


def test_every_sentence_has_its_chinese() -> None:
    said = {
        node.args[0].value
        for path in files("mm_monitor/reports/papers/*.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "say" and node.args
        and isinstance(node.args[0], ast.Constant)
    }  # fmt: skip
    assert len(said) > 40
    assert said <= set(CHINESE)


@pytest.mark.parametrize(("bad", "told"), [
    (["--format", "docx"], "--format: of html, pdf, csv, parquet, json, got 'docx'"),
    (["--language", "fr"], "--language: en or zh, got 'fr'"),
    (["--maker", "nobody"], "--maker: one that is judged (M0, M1), got 'nobody'"),
])  # fmt: skip
def test_what_cannot_be_written_says_what_can(tmp_path: Path, bad: list[str], told: str) -> None:
    done = report("day", DAY, "--rulebook", DAY / "rulebook.toml", "--out", tmp_path, "-q", *bad)
    assert str(done.exception) == told


def test_numbers_are_cut_and_never_rounded() -> None:
    assert share("0.899999999") == "89.9999999 %"
    assert share("1.000000000") == "100 %"
    assert length(3_661_999_999_999) == "1:01:01.999"
    assert length(-1_500_000_001) == "-0:00:01.5"
    assert length(7) == "0:00:00.000000007"
