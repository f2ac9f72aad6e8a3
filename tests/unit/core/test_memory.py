"""What the engine keeps of one obligation, in bytes, with every rule on."""

from __future__ import annotations

from benchmarks.day import CONTRACTS, MAKERS, afternoon, every_rule, warm_engine
from mm_monitor.core.accrual import BESIDE
from mm_monitor.core.engine import Engine

MOST = 512


def kept(engine: Engine) -> float:
    """Bytes of every array that has an element for each obligation, by obligation."""
    accruals = afternoon(engine).evaluators[0].accruals
    arrays = [getattr(accruals, name) for name in ("slots", "replies", *BESIDE)]
    total: int = sum(array.nbytes for array in arrays)
    return total / (MAKERS * CONTRACTS)


def test_an_obligation_with_every_rule_fits_512_bytes() -> None:
    plain, all_rules = kept(warm_engine()), kept(warm_engine(every_rule()))
    assert plain < all_rules <= MOST, f"{plain:.1f} and {all_rules:.1f} bytes"
