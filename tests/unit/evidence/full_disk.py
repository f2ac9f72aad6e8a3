"""Writes forty entries on a disk that is full again and again; prints how often it was."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mm_monitor.evidence.keys import SealingKey
from mm_monitor.evidence.log import EvidenceLog

NOON = 20_301 * 86_400 * 10**9 + 43_200 * 10**9


def main(directory: Path) -> None:
    log = EvidenceLog(directory, SealingKey(Ed25519PrivateKey.generate()), "full")
    log.open(NOON)
    room, full, i = 400, 0, 0
    while i < 40:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        try:
            log.append([{"entry": "breach", "id": f"b{i}", "maker": "M0"}], NOON)
            i += 1
        except OSError:
            full, room = full + 1, room + 333
    sys.stdout.write(str(full))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
