"""What the engine keeps of one obligation, in bytes, with every rule on: as much as a snapshot has to hold."""

from __future__ import annotations

from benchmarks.day import CONTRACTS, MAKERS, afternoon, every_rule, warm_engine
from mm_monitor.core.engine import Engine
from mm_monitor.core.snapshot import snapshot

MOST = 512


def kept(engine: Engine) -> float:
    """Bytes an obligation."""
    return len(snapshot(afternoon(engine))) / (MAKERS * CONTRACTS)


def test_an_obligation_with_every_rule_fits_512_bytes() -> None:
    plain, all_rules = kept(warm_engine()), kept(warm_engine(every_rule()))
    assert plain < all_rules <= MOST, f"{plain:.1f} and {all_rules:.1f} bytes"
