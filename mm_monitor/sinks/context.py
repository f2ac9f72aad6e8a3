"""What every sink is told about the process that it works for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mm_monitor import __version__
from mm_monitor.health import HealthStats
from mm_monitor.live_signals import LiveSignals


@dataclass(frozen=True, slots=True)
class SinkContext:
    """Handed to every sink's constructor beside its own config."""

    service_id: str = "mm-monitor"  # tells apart several monitors that share a broker
    version: str = __version__
    health: HealthStats = field(default_factory=HealthStats)
    signals: LiveSignals = field(default_factory=LiveSignals)
    now: Callable[[], int] = time.time_ns  # the clock against which the watermark lags, ns
