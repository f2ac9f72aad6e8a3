"""Good samples of what is kept between processes: a ledger's day, the accruals of a worker, a revision, a key."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mm_monitor.formats import json_bytes
from mm_monitor.replay import Replayed, replay
from mm_monitor.reports.accruals import messages
from mm_monitor.reports.day import day_record
from mm_monitor.rulebooks import load

CAPTURE = Path(__file__).parents[1] / "data" / "golden" / "06"
BOOK = load(str(CAPTURE / "rulebook.toml"))


@cache
def _judged() -> Replayed:
    return asyncio.run(replay(CAPTURE, BOOK))


def day_of_a_ledger() -> bytes:
    """A date as the ledger has it."""
    found = _judged()
    return json_bytes(day_record(found.days[0], found.judging, BOOK))


def accrual_lines() -> bytes:
    """All that the one worker says of a date that is over, as lines for `rollup`."""
    found = _judged()
    said: Any = messages(found.days[0], BOOK, found.reference, (1, 1), final=True)
    return b"".join(b'{"key": %s, "value": %s}\n' % (key, json_bytes(value)) for key, value in said)


def revision() -> bytes:
    """What revision 0 of an empty report says of itself."""
    return json.dumps({"published_at": 1, "report_sha256": sha256(b"{}").hexdigest()}).encode()


def pem() -> bytes:
    """A key that seals evidence."""
    kind = serialization.PrivateFormat.PKCS8
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
