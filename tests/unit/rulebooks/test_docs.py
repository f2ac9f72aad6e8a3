"""`docs/rulebooks.md` has a line for every key, and says of each whether it is implemented."""

import re
from pathlib import Path

from mm_monitor.rulebooks.schema import RULEBOOK
from mm_monitor.tables import walk

PAGE = Path("docs/rulebooks.md").read_text()
ROW = re.compile(
    r"^\| `([^`]+)` \| (.+) \| ((?:[A-Z]+-[0-9]+)?) ?\| (yes|not yet) \|$", re.MULTILINE
)
ROWS = {match[1]: match for match in ROW.finditer(PAGE)}
# One line speaks for the `source` of every table, and one for its `verified`.
KEYS = {p: key for p, key in walk(RULEBOOK) if not p.endswith((".source", ".verified"))}


def test_every_key_has_a_line_and_every_line_a_key() -> None:
    assert set(ROWS) - {"<table>.source", "<table>.verified"} == set(KEYS)


def test_each_line_says_whether_its_key_is_implemented() -> None:
    said = {path: row[4] == "yes" for path, row in ROWS.items() if path in KEYS}
    assert said == {path: key.implemented for path, key in KEYS.items()}
