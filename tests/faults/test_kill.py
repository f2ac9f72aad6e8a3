"""A slice of the proof that a service which is killed again and again judges as one that never was."""

from __future__ import annotations

from pathlib import Path

from tests.faults.kill_proof import proved
from tests.services.kafka import Kafka


async def test_a_service_that_is_killed_judges_as_one_that_never_was(
    kafka: Kafka, tmp_path: Path
) -> None:
    found = await proved(kafka, tmp_path / "stage", seed=1, kills=4)
    assert found["kills"] == 4
    assert found["differences"] == []
    assert found["went_on"] > 0
