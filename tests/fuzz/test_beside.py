"""The bench compares the use of the limit and the waits for a re-quote, which it counts itself."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_monitor.replay import replay as honest

from . import fuzz
from .beside import judge
from .tapes import HEADERS, random_capture

SEED = 62  # a tape on which there is a re-quote, and quoted time under a limit
RULES = 'id = "hand"\nversion = 1\n[spread]\nterms = [{ ticks = 4 }]\n'


def _rows(tmp_path: Path, quotes: list[str], fills: list[str]) -> dict[str, Any]:
    files = {"contracts": ["C0,K0,1,call,,,,"], "makers": ["M0,*"], "quotes": quotes, "fills": fills,
             "phases": ["1000,*,continuous", "9000,*,closed"]}  # fmt: skip
    for name, lines in files.items():
        text = "\n".join([HEADERS[name], *lines]) + "\n"
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    (tmp_path / "rulebook.toml").write_text(RULES, encoding="utf-8")
    report = judge(tmp_path, tmp_path / "rulebook.toml")
    return {"limit_use": report["obligations"][0]["limit_use"], **report["makers"][0]["requote"]}


@pytest.mark.criterion("PRES-08")
def test_the_use_of_the_limit_is_of_the_quoted_time(tmp_path: Path) -> None:
    quotes = ["1000,M0,C0,5,1,6,1", "1010,M0,C0,5,1,10,1", "1030,M0,C0,5,1,8,1", "1070,M0,C0,,0,,0"]
    assert _rows(tmp_path, quotes, [])["limit_use"] == 10 * 250_000_000 + 40 * 750_000_000


@pytest.mark.criterion("RESP-01")
def test_a_wait_is_from_the_withdrawal_to_the_next_valid_quote(tmp_path: Path) -> None:
    quotes = [
        "1000,M0,C0,5,1,6,1",
        "1010,M0,C0,5,1,,0",
        "1020,M0,C0,5,1,10,1",
        "1030,M0,C0,5,1,6,1",
    ]
    quotes += ["2000,M0,C0,5,1,10,1", "2010,M0,C0,5,1,6,1"]  # a wide quote withdraws nothing
    quotes += ["3000,M0,C0,,0,,0", "4001,M0,C0,5,1,6,1"]  # to the 2 us bucket: 1001 ns
    found = _rows(tmp_path, quotes, [])
    assert found["count"] == 2
    assert found["sum_ns"] == 20 + 1001
    assert found["buckets"] == {"1000": 1, "2000": 1}


def _use(details: dict[str, Any]) -> None:
    details["obligations"][0]["limit_use"] += 1


def _count(details: dict[str, Any]) -> None:
    details["makers"][0]["requote"]["count"] += 1


def _sum(details: dict[str, Any]) -> None:
    details["makers"][0]["requote"]["sum_ns"] -= 1


def _bucket(details: dict[str, Any]) -> None:
    details["makers"][0]["requote"]["buckets"] = {"2000": 1}


ALTERED = [(_use, ".limit_use"), (_count, ".requote.count"), (_sum, ".requote.sum_ns"),
           (_bucket, ".requote.buckets")]  # fmt: skip


@pytest.mark.parametrize(("alter", "where"), ALTERED, ids=[where for _, where in ALTERED])
def test_an_engine_that_counts_otherwise_differs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    alter: Callable[[dict[str, Any]], None],
    where: str,
) -> None:
    random_capture(random.Random(SEED), tmp_path)
    assert fuzz.difference(tmp_path) == ""

    async def replay(*args: Any) -> Any:
        result = await honest(*args)
        details: Any = result.details
        assert details["obligations"][0]["limit_use"] > 0
        assert details["makers"][0]["requote"]["count"] > 0
        alter(details)
        return result

    monkeypatch.setattr(fuzz, "replay", replay)
    (found,) = fuzz.difference(tmp_path).splitlines()
    assert found.startswith("details.")
    assert f"{where}: oracle" in found
