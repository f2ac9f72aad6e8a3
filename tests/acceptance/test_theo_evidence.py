"""A breach shows which theo its quote was judged by, and where that came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.desk import desk

RULES = (
    '[spread]\nterms = [{ relative = "3%", of = "theo" }]\n[lapse]\nlongest_permitted = "300ns"\n'
)
WIDE = ["1000,M0,C0,0.0900,10,0.1100,10"]
THEO = "ts_event,contract,theo,delta,source,version,quality,age_ns\n"


def evidence(directory: Path, theo: str) -> dict[str, Any]:
    (directory / "theo.csv").write_text(theo)
    made = desk(directory, RULES, quotes=WIDE)
    made.play(1999)
    made.view(1999)
    made.engine.advance(1999)
    (opened,) = [e.breach for e in made.engine.drain() if e.breach.kind == "lapse"]
    return dict(opened.evidence)


@pytest.mark.criterion("VAL-12")
def test_a_breach_shows_where_its_theo_came_from(tmp_path: Path) -> None:
    """Wide from 1000 on, for a theo of 0.1; the lapse is over 300 ns long at 1300."""
    found = evidence(
        tmp_path, THEO + "900,C0,0.1,0.5,fit,bsm/1,inside,40\n1350,C0,0.11,,vol,bsm/1,own,0\n"
    )
    assert found["theo"] == {
        "theo": "0.1",
        "ts_event": 900,
        "source": {"topic": "theo.csv", "partition": 0, "offset": 2},
        "via": {"source": "fit", "version": "bsm/1", "quality": "inside"},
    }


def test_a_theo_that_says_nothing_of_itself_shows_nothing(tmp_path: Path) -> None:
    assert evidence(tmp_path, "ts_event,contract,theo\n900,C0,0.1\n")["theo"]["via"] is None
    part = evidence(tmp_path, "ts_event,contract,theo,source\n900,C0,0.1,feed\n")["theo"]["via"]
    assert part == {"source": "feed", "version": "", "quality": ""}
