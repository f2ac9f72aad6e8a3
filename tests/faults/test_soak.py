"""A slice of the soak: seconds instead of an hour, every tick judged once, nothing waiting at the end."""

from __future__ import annotations

from pathlib import Path

from tests.faults.soak import complaints, service, soak
from tests.services import Alertmanager, Kafka, Mosquitto


async def test_some_seconds_of_a_fast_market(
    kafka: Kafka, mosquitto: Mosquitto, alertmanager: Alertmanager, tmp_path: Path
) -> None:
    subject, market = service(tmp_path / "service", kafka, mosquitto, alertmanager, rate=100_000)
    found = await soak(subject, market, seconds=10, every=1)
    # Memory is not settled after seconds, and what waits at one instant of a busy machine says nothing: only what was
    # counted is looked at.
    wrong = complaints(found, settled=9, rate=50_000)
    assert [what for what in wrong if not what.startswith(("buffered", "behind", "memory"))] == []
    assert found["last"]["checkpoints"] > 0
