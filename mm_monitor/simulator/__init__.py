"""Simulated market makers whose presence is known to the nanosecond before anybody judges it.

The simulator shares no code with the engine: it is the other opinion that the engine is tested
against.
"""

from mm_monitor.simulator.capture import write_capture
from mm_monitor.simulator.days import random_session, speed_for, szse_day
from mm_monitor.simulator.disorder import Disorder
from mm_monitor.simulator.scenario import MISBEHAVING, Behaviour, Maker, Scenario
from mm_monitor.simulator.session import Batch, Session
from mm_monitor.simulator.truth import truth

__all__ = [
    "MISBEHAVING",
    "Batch",
    "Behaviour",
    "Disorder",
    "Maker",
    "Scenario",
    "Session",
    "random_session",
    "speed_for",
    "szse_day",
    "truth",
    "write_capture",
]
