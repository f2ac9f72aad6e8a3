"""Capture directories of what venues and vendors have: what each line becomes, and that a replay judges it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from mm_monitor.cli import app
from mm_monitor.imports.fix import messages_of
from mm_monitor.imports.orders import Orders
from mm_monitor.imports.times import clock_ns, iso_ns, szse_ns
from tests.acceptance.judging import replayed
from tests.repo.source import ROOT

DATA = ROOT / "tests" / "data"
FILES = DATA / "imports"
RULES = """id = "imported"
version = 1
source = "made up"
[calendar]
timezone = "{zone}"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
phases = [{{ at = "{opens}", phase = "continuous" }}, {{ at = "{closes}", phase = "closed" }}]
[quote]
min_size = {size}
[presence]
required = "90%"
"""


def brought(what: str, name: str, out: Path, *words: str) -> dict[str, Any]:
    """What `mm-monitor import` says of a file of ours."""
    call = ["import", what, str(FILES / name), "--out", str(out), "--json", *words]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.exception
    found: dict[str, Any] = json.loads(done.output)
    return found


def lines(out: Path, table: str = "quotes") -> list[str]:
    """The lines of a table, without its header."""
    return (out / f"{table}.csv").read_text(encoding="utf-8").splitlines()[1:]


def rows_of(out: Path, *, zone: str, opens: str, closes: str, size: int = 1) -> dict[tuple[str, str], Any]:  # fmt: skip
    """The obligations of the report on an imported capture."""
    book = out / "rules.toml"
    book.write_text(RULES.format(zone=zone, opens=opens, closes=closes, size=size))
    report: Any = replayed(out, book).report
    return {(row["maker"], row["contract"]): row for row in report["obligations"]}


def test_a_fix_log_becomes_quotes_requests_and_sessions(tmp_path: Path) -> None:
    told = brought("fix", "synthetic-mass-quotes.fix.log", tmp_path)
    assert lines(tmp_path) == [
        "1754011800000500000,MM01,10008546,0.0285,20,0.0291,20",
        "1754011800000500000,MM01,10008547,0.11,10,0.112,10",
        "1754011920000000000,MM01,10008546,,0,,0",
        "1754011980000000000,MM01,10008547,,0,,0",
    ]
    assert lines(tmp_path, "rfqs") == ["1754011860000000000,RFQ-7,10008547"]
    assert lines(tmp_path, "sessions") == [
        "1754011740000000000,MM01,MM01,logon",
        "1754012100000000000,MM01,MM01,logoff",
    ]
    (left,) = told["left_out"]
    assert left["first"] == "synthetic-mass-quotes.fix.log:7"
    assert left["why"].startswith("tag 10: the checksum ")
    row = rows_of(tmp_path, zone="Asia/Shanghai", opens="09:30", closes="09:35")
    assert row["MM01", "10008546"]["quoted_ns"] == 119_999_500_000
    assert row["MM01", "10008547"]["quoted_ns"] == 179_999_500_000


def test_a_log_that_others_wrote_is_read_message_by_message() -> None:
    kinds = [re.search(rb"\x0135=([^\x01]+)", m) for _, m in messages_of(FILES / "fixsim.fix.log")]
    found = [kind[1] for kind in kinds if kind]
    assert len(found) == 46
    assert {b"A", b"0", b"R", b"D", b"8"} <= set(found)


def test_a_log_without_quotes_is_no_capture(tmp_path: Path) -> None:
    call = ["import", "fix", str(FILES / "fixsim.fix.log"), "--out", str(tmp_path)]
    done = CliRunner().invoke(app, [*call, "-q"])
    assert "quotes that can be used" in str(done.exception)


def test_daily_taq_is_a_capture_of_exchanges(tmp_path: Path) -> None:
    told = brought("taq", "synthetic-taq-bbo.txt", tmp_path, "--date", "2025-08-01")
    assert lines(tmp_path) == [
        "1754055000000123456,N,AAA,10.01,3,10.02,1",
        "1754055000000123999,P,AAA,,0,10.02,1",
        "1754055001000000000,N,AAA,10.0099,3,10.02,2",
        "1754055001000000000,N,BBB,10,3,10.02,2",
    ]
    assert [(x["first"], x["lines"]) for x in told["left_out"]] == [("synthetic-taq-bbo.txt:4", 1)]
    row = rows_of(tmp_path, zone="America/New_York", opens="09:30", closes="09:31")
    # 10.0099 is off the tick: the exchange's quote is unknown from then on
    assert row["N", "AAA"]["quoted_ns"] == 999_876_544
    assert row["N", "AAA"]["unknown_ns"] == 59_000_000_000
    assert row["P", "AAA"]["lapsed_by_reason_ns"]["one_sided"] == 59_999_876_001


def test_taq_as_wrds_lays_it_out_has_its_own_dates(tmp_path: Path) -> None:
    told = brought("taq", "synthetic-taq-wrds.csv", tmp_path)
    assert lines(tmp_path) == [
        "1754055000000123456,N,BRK B,450.10,2,450.30,1",
        "1754055000500000000,Z,BRK B,,0,450.25,4",
    ]
    assert told["left_out"][0]["first"] == "synthetic-taq-wrds.csv:4"


def test_a_databento_file_that_others_wrote_is_a_capture(tmp_path: Path) -> None:
    brought("databento", "databento-mbp-1.csv", tmp_path)
    assert lines(tmp_path) == [
        "1609099225061045683,1,5482,315950,2,,0",
        "1609099225061045683,1,5482,330000,2,,0",
    ]
    row = rows_of(tmp_path, zone="UTC", opens="20:00", closes="20:01")  # 2020-12-27
    assert row["1", "5482"]["lapsed_by_reason_ns"]["one_sided"] > 0


def test_orders_become_the_effective_quote_for_a_size(tmp_path: Path) -> None:
    words = ("--min-size", "10", "--times", "szse")
    told = brought("orders", "synthetic-orders-szse.csv", tmp_path, *words)
    assert [line.split(",", 3)[3] for line in lines(tmp_path)] == [
        "0.0284,13,0.0291,20",  # 3 at 0.0285 are too few for 10
        "0.0284,11,0.0291,20",
        "0.0285,1,0.0291,20",  # all there is
        "0.0286,12,0.0291,20",
    ]
    assert lines(tmp_path)[0].startswith("1754011800000000000,M0,10008546,")
    assert told["left_out"][0]["why"].endswith("action set or cancel, got 'hold'")
    row = rows_of(tmp_path, zone="Asia/Shanghai", opens="09:30", closes="09:31", size=10)
    assert row["M0", "10008546"]["lapsed_by_reason_ns"]["size"] == 100_000_000


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 4), st.integers(0, 5)), max_size=12),
       st.integers(1, 9))  # fmt: skip
def test_the_effective_bid_is_where_the_size_could_be_sold(
    events: list[tuple[str, int, int]], least: int
) -> None:
    book, held = Orders(), dict[str, tuple[int, int]]()
    for order, price, size in events:
        book.set(order, "buy", price * 10**8, size)
        held[order] = (price, size)
    units = sorted((p for p, size in held.values() for _ in range(size)), reverse=True)
    at, total = book.effective(least)[0]
    if not units:
        assert (at, total) == ("", "0")
        return
    assert at == str(units[min(least, len(units)) - 1])
    assert int(total) == sum(unit >= int(at) for unit in units)


def test_instants_as_venues_write_them() -> None:
    assert szse_ns("20250801093000123") == 1_754_011_800_123_000_000
    assert clock_ns("2025-01-02", "9:30:00", "America/New_York") == 1_735_828_200_000_000_000
    assert iso_ns("2025-09-22T00:00:00.161086709Z") == 1_758_499_200_161_086_709
    for bad in ("20250801093000", "20251301093000123", "20250801243000123"):
        with pytest.raises(ValueError, match=r"digits|month|hour"):
            szse_ns(bad)
    with pytest.raises(ValueError, match="there once"):
        clock_ns("20251102", "013000", "America/New_York")  # the clocks go back


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    brought("databento", "databento-mbp-1.csv", tmp_path)
    call = ["import", "databento", str(FILES / "databento-mbp-1.csv"), "--out", str(tmp_path)]
    assert "without tables" in str(CliRunner().invoke(app, call).exception)


def test_another_header_is_refused_with_what_is_wanted(tmp_path: Path) -> None:
    call = ["import", "taq", str(FILES / "databento-mbp-1.csv"), "--out", str(tmp_path / "out")]
    told = str(CliRunner().invoke(app, call).exception)
    assert "columns Time, Exchange, Symbol" in told


def test_files_of_others_are_what_their_origins_say() -> None:
    page = (DATA / "ORIGINS").read_text(encoding="utf-8")
    told = re.findall(r"^(\S+)\n(?:  .*\n)*?  sha256 ([0-9a-f]{64})$", page, re.MULTILINE)
    assert len(told) == 3
    for name, digest in told:
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == digest
    ours = {path.name for path in FILES.iterdir()} - {Path(name).name for name, _ in told}
    assert all(name.startswith("synthetic-") for name in ours)
