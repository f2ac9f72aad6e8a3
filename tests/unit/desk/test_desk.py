"""Orders of operations, acknowledgements, and a venue's figures beside ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mm_monitor.cli import app
from mm_monitor.codecs.control import control_of
from mm_monitor.core.model import ExemptionRecord, FeedRecord
from mm_monitor.desk.acknowledged import acknowledge, acknowledgements
from mm_monitor.desk.orders import Order, exemption, maintenance, person
from mm_monitor.desk.reconcile import read_venue, reconcile
from mm_monitor.errors import InputError
from mm_monitor.evidence.inbox import entries, post, waiting
from mm_monitor.evidence.keys import SealingKey
from mm_monitor.evidence.log import EvidenceLog
from mm_monitor.evidence.verifier import verify

SECOND = 1_000_000_000
NOW = 1_754_272_800 * SECOND
GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "06"


def order(**more: Any) -> Order:
    given = {"start": NOW, "end": NOW + 3600 * SECOND, "author": "ann", "reason": "line cut"}
    return Order(**{**given, **more})


def test_an_exemption_is_two_records_that_the_tape_understands() -> None:
    begin, end = exemption(order(maker="M0", scope="K0"), "technical", {"technical"}, NOW)
    fields = {name: str(value) for name, value in begin.items()}
    assert control_of("exemption", fields, None) == ExemptionRecord(
        NOW, "K0", "M0", "technical", "start"
    )
    assert (end["action"], end["ts_event"], end["author"]) == ("end", NOW + 3600 * SECOND, "ann")


def test_maintenance_is_a_feed_that_is_down() -> None:
    begin, end = maintenance(order(), NOW)
    fields = {name: str(value) for name, value in begin.items()}
    assert control_of("feed", fields, None) == FeedRecord(NOW, "*", "*", "down")
    assert (end["status"], end["reason"]) == ("up", "line cut")


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"author": " "}, "author: text"),
        ({"reason": ""}, "reason: text"),
        ({"end": NOW}, "an end after its start"),
        ({"start": NOW - 3600 * SECOND}, "approver: a second person"),
        ({"start": NOW - 3600 * SECOND, "approver": " ANN"}, "another person than the author"),
    ],
)
def test_an_order_that_is_not_sound_is_refused(more: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what):
        exemption(order(**more), "technical", {"technical"}, NOW)
    with pytest.raises(InputError, match=what):
        maintenance(order(**more), NOW)


ALIKE = ("Ann  Li", "ANN LI.", "Ann\u200b Li", "A\u00adnn-Li", "\uff21nn\u00a0Li", "annli")


@pytest.mark.parametrize("approver", ALIKE)
def test_a_name_typed_otherwise_is_no_second_person(approver: str) -> None:
    with pytest.raises(InputError, match="another person than the author"):
        maintenance(order(start=0, author="Ann Li", approver=approver), NOW)
    assert person("Jos\u00e9") == person("Jose\u0301") != person("Jos")
    assert person("\u674e\u4f1f") == "\u674e\u4f1f"


def test_what_reaches_back_needs_a_second_person() -> None:
    begin, _ = exemption(
        order(start=NOW - 3600 * SECOND, approver="bob"), "technical", {"technical"}, NOW
    )
    assert begin["approver"] == "bob"
    with pytest.raises(
        InputError, match="kind: one of the rulebooks' \\(technical\\), got 'other'"
    ):
        exemption(order(), "other", {"technical"}, NOW)


def test_an_acknowledgement_is_in_the_log_and_the_log_verifies(tmp_path: Path) -> None:
    breach = "0123456789abcdef" * 2
    log = EvidenceLog(tmp_path, SealingKey.create(tmp_path / "key.pem"), "test")
    log.open(NOW)
    log.append(
        [{"entry": "breach", "id": f"{breach}-opened", "maker": "M0", "breach": {"id": breach}}],
        NOW,
    )
    with pytest.raises(InputError, match="a breach of the evidence log"):
        acknowledge(tmp_path, "f" * 32, "ann", "", NOW)
    acknowledge(tmp_path, breach, "ann", "called M0", NOW)
    (entry,) = acknowledgements(tmp_path)[breach]
    assert (entry["author"], entry["maker"], entry["note"]) == ("ann", "M0", "called M0")
    log.append([found for _, found in waiting(tmp_path)], NOW)
    log.append([found for _, found in waiting(tmp_path)], NOW)  # killed before it was removed
    log.close()
    for path, _ in waiting(tmp_path):
        path.unlink()
    assert len(list(entries(tmp_path, "acknowledgement"))) == 1
    (path,) = tmp_path.glob("evidence-*.log")
    assert verify(path.read_bytes()).entries == 3


def test_what_is_no_entry_is_left_in_the_inbox(tmp_path: Path) -> None:
    post(tmp_path, {"entry": "note", "maker": ""})
    (tmp_path / "inbox" / "bad.json").write_text("{")
    assert [entry["entry"] for _, entry in waiting(tmp_path)] == ["note"]


REPORT: Any = {"obligations": [
    {"maker": "M0", "contract": "C0", "quoted_ns": 90, "lapsed_ns": 10, "exempt_ns": 0, "unknown_ns": 0,
     "presence": "0.900000000", "verdict": "compliant"},
    {"maker": "M0", "contract": "C1", "quoted_ns": 1, "lapsed_ns": 2, "exempt_ns": 0, "unknown_ns": 0,
     "presence": "0.333333333", "verdict": "breached"},
]}  # fmt: skip


def compared(folder: Path, *lines: str, **more: Any) -> list[tuple[Any, ...]]:
    path = folder / "venue.csv"
    path.write_text("\n".join(lines) + "\n")
    found = reconcile(REPORT, read_venue(path), file=str(path), **more)
    return [(f["maker"], f["contract"], f["what"], f["venue"], f["ours"]) for f in found]


def test_a_venues_figures_are_compared_where_it_gives_any(tmp_path: Path) -> None:
    head = "maker,contract,quoted_ns,required_ns,presence,verdict"
    assert compared(tmp_path, head, "M0,C0,90,100,0.90,compliant", "M0,C1,,,0.33,") == []
    assert compared(tmp_path, head, "M0,C0,80,100,0.8,breached", "M1,C0,1,1,,", within=5) == [
        ("M0", "C0", "quoted_ns", 80, 90),
        ("M0", "C0", "presence", "0.8", "0.900000000"),
        ("M0", "C0", "verdict", "breached", "compliant"),
        ("M1", "C0", "obligation", "there", None),
        ("M0", "C1", "obligation", None, "there"),
    ]
    assert compared(tmp_path, head, "M0,C0,85,,,", "M0,C1,1,,,", within=5) == []
    with pytest.raises(InputError, match=r"venue.csv:2: column quoted_ns: an integer"):
        compared(tmp_path, head, "M0,C0,x,,,")


@pytest.mark.parametrize(
    ("head", "lines", "said"),
    [
        ("Presence (%)", ["M0,C0,90"], "venue.csv:1: a column that can be compared"),
        ("quoted_ns", ["M0,C0,90", "M0,C0,91"], "venue.csv:3: figures once for each obligation, these are on line 2"),
        ("quoted_ns", ["M0,C0,1_000"], "venue.csv:2: column quoted_ns: an integer of ns, got '1_000'"),
        ("presence", ['M0,C0,"0,9"'], "venue.csv:2: column presence: a ratio or percentage such as 0.9 or 90%"),
        ("presence", ["M0,C0,nan"], "venue.csv:2: column presence: a ratio or percentage"),
        ("presence", ["M0,C0,-0.9"], "venue.csv:2: column presence: a ratio or percentage"),
        ("start,end,state", ["M0,C0,30,30,quoted"], "venue.csv:2: column end: after start"),
    ],
)  # fmt: skip
def test_figures_that_could_mean_anything_are_refused(
    tmp_path: Path, head: str, lines: list[str], said: str
) -> None:
    with pytest.raises(InputError) as raised:
        compared(tmp_path, f"maker,contract,{head}", *lines, intervals=lambda *key: [])
    assert said in str(raised.value)


def test_a_percentage_is_a_ratio(tmp_path: Path) -> None:
    head = "maker,contract,presence"
    for same in ("90%", "90.0 %", "0.9", "0.90000000049"):
        assert compared(tmp_path, head, f"M0,C0,{same}", "M0,C1,0.33") == []
    for other in ("90", "9%", "0.91", "0.9000000015"):
        assert len(compared(tmp_path, head, f"M0,C0,{other}", "M0,C1,0.33")) == 1


def test_intervals_are_compared_piece_by_piece(tmp_path: Path) -> None:
    def ours(maker: str, contract: str) -> list[tuple[int, int, str]]:
        return [(0, 40, "lapsed"), (40, 100, "quoted")]

    lines = (
        "maker,contract,start,end,state",
        "M0,C0,0,30,lapsed",
        "M0,C0,30,100,quoted",
        "M0,C1,40,100,quoted",
    )
    path = tmp_path / "venue.csv"
    path.write_text("\n".join(lines) + "\n")
    (found,) = reconcile(REPORT, read_venue(path), intervals=ours)
    assert (found["start"], found["end"], found["venue"], found["ours"]) == (
        30,
        40,
        "quoted",
        "lapsed",
    )
    with pytest.raises(InputError, match="intervals need"):
        reconcile(REPORT, read_venue(path))


def test_orders_go_into_a_table_of_corrections_too(tmp_path: Path) -> None:
    words = ["exempt", "technical", "--maker", "M0", "--from", "2025-07-25T09:30:00", "--until",
             "2025-07-25T09:31:00", "--reason", "line cut", "--author", "ann", "--rulebook", "szse-2025"]  # fmt: skip
    run = CliRunner()
    assert run.invoke(app, [*words, "--out", str(tmp_path)]).exit_code
    book = tmp_path / "rules.toml"
    book.write_text(
        'id = "x"\nversion = 1\nsource = "a test"\n[exemptions]\ntechnical = "exclude"\n'
    )
    words[-1] = str(book)
    done = run.invoke(app, [*words, "--approved-by", "bob", "--out", str(tmp_path), "--json"])
    assert not done.exception
    assert [record["action"] for record in json.loads(done.output)] == ["start", "end"]
    header, first, _ = (tmp_path / "exemptions.csv").read_text().splitlines()
    assert header == "ts_event,scope,maker,kind,action,author,reason,approver"
    assert first.split(",")[1:] == ["*", "M0", "technical", "start", "ann", "line cut", "bob"]
