"""What may change while a process runs, as it is handed to one that begins later."""

from __future__ import annotations

from pathlib import Path

from mm_monitor.config import parse_config
from mm_monitor.reload import AT_ONCE, at_once, changed, with_at_once

NAMES = b'[reference]\ndirectory = "names"\n'


def test_only_what_may_change_at_once_is_handed_on(tmp_path: Path) -> None:
    before = parse_config(NAMES, base=tmp_path)
    text = NAMES + b'[log]\nlevel = "debug"\nformat = "json"\n[http]\ntokens_file = "t"\nport = 1\n'
    after = parse_config(text, base=tmp_path)
    given = with_at_once(before, {**at_once(after), "share": "1", "config": "none of ours"})
    assert sorted(changed(before, given)) == sorted(AT_ONCE)
    assert list(changed(given, after)) == ["http.port"]
    assert given.http.tokens_file == str(tmp_path / "t")
    assert with_at_once(before, {}) == before
