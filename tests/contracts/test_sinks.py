"""What every sink keeps, whatever it talks to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mm_monitor.errors import ConfigError
from mm_monitor.evidence.keys import SealingKey
from mm_monitor.sinks import SINKS, create
from tests.contracts.far_sides import (
    AlertmanagerFar,
    EvidenceFar,
    FarSide,
    KafkaFar,
    MqttFar,
    PrometheusFar,
    context,
    until,
)
from tests.services.wait import eventually
from tests.unit.sinks.builders import Slot, breach, closed, opened, view

SLOTS = [Slot("M0", f"C{i}", "A") for i in range(3)]
FAR_SIDES = {"alertmanager": AlertmanagerFar, "mqtt": MqttFar, "kafka": KafkaFar}
SERVICES = {"alertmanager": "alertmanager", "mqtt": "mosquitto", "kafka": "kafka"}


@pytest.fixture(
    params=[
        "prometheus",
        "evidence",
        pytest.param("alertmanager", marks=pytest.mark.services),
        pytest.param("mqtt", marks=pytest.mark.services),
        pytest.param("kafka", marks=pytest.mark.kafka),
    ]
)
async def far(request: pytest.FixtureRequest) -> AsyncIterator[FarSide]:
    name: str = request.param
    if name == "prometheus":
        yield PrometheusFar()
        return
    if name == "evidence":
        side: FarSide = EvidenceFar(request.getfixturevalue("tmp_path"))
    else:
        side = FAR_SIDES[name](request.getfixturevalue(SERVICES[name]))
    await side.ready()
    yield side
    await side.close()


@pytest.fixture(params=list(SINKS))
def name(request: pytest.FixtureRequest) -> str:
    made: str = request.param
    return made


async def test_stop_is_idempotent_and_needs_no_start(far: FarSide) -> None:
    sink = far.sink()
    await sink.stop()
    await sink.stop()
    sink = far.sink()
    await sink.start()
    await sink.stop()
    await sink.stop()
    assert sink.lag_seconds == 0


async def test_a_breach_is_told_once_however_often_it_is_published(far: FarSide) -> None:
    found = breach()
    shown = [view(SLOTS, [found])]
    sink = far.sink()
    await sink.start()
    sink.publish(shown, [opened(found)])
    for _ in range(5):
        sink.publish(shown, [])
        await asyncio.sleep(0.02)
    sink.publish(shown, [opened(found)])
    await until(far.breaches)
    await eventually(lambda: sink.lag_seconds == 0)
    assert len(set(await far.breaches())) == 1
    await sink.stop()


async def test_publish_never_waits_for_the_other_side(far: FarSide) -> None:
    await far.down()
    found = [breach(contract=f"C{i}") for i in range(1000)]
    shown = [view(SLOTS, found)]
    sink = far.sink()
    await sink.start()
    began = time.perf_counter()
    for one in found:
        sink.publish(shown, [opened(one)])
    took = time.perf_counter() - began
    waiting = list(
        sink.pending
    )  # what a checkpoint keeps: all of it, or nothing where the picture tells
    assert not waiting or waiting == [opened(one) for one in found][-len(waiting) :]
    assert (
        took < 10
    )  # one that waited for the other side would take its whole timeout, a thousand times
    await asyncio.sleep(0.3)
    async with asyncio.timeout(8):
        await sink.stop()


async def test_lag_grows_while_the_other_side_is_down_and_nothing_is_lost(far: FarSide) -> None:
    found = [breach(contract=f"C{i}") for i in range(3)]
    sink = far.sink()
    await sink.start()
    await far.down()
    for i, one in enumerate(found):
        sink.publish([view(SLOTS, found[: i + 1])], [opened(one)])
    await asyncio.sleep(0.5)
    if not far.is_pulled:
        first = sink.lag_seconds
        assert first >= 0.5
        await asyncio.sleep(0.2)
        assert sink.lag_seconds >= first + 0.2
    await far.up()
    await eventually(lambda: sink.lag_seconds == 0, timeout=40)
    if not far.is_pulled:
        wanted = {one.id for one in found}
        await until(lambda: _has(far, wanted), timeout=20)
    await sink.stop()


async def _has(far: FarSide, wanted: set[str]) -> bool:
    return set(await far.breaches()) == wanted


async def test_a_breach_that_closes_is_told_as_closed(far: FarSide) -> None:
    found = breach()
    sink = far.sink()
    await sink.start()
    sink.publish([view(SLOTS, [found])], [opened(found)])
    await until(far.breaches)
    over = closed(found)
    sink.publish([view(SLOTS, [over.breach])], [over])
    await until(lambda: far.knows_closed(found.id))
    await sink.stop()


def test_an_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name}\.nonsense: a known key"):
        create(name, {"nonsense": 1}, context())


def test_an_unknown_sink_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sinks: one of prometheus, .*, got 'carrier-pigeon'"):
        create("carrier-pigeon", {}, context())


def test_every_sink_has_its_counters_at_zero(name: str, tmp_path: Path) -> None:
    made = context()
    SealingKey.create(key := tmp_path / "key.pem")
    sink = create(name, {"key_file": str(key)} if name == "evidence" else {}, made)
    assert sink.name == name
    assert sink.lag_seconds == 0
    if name != "prometheus":
        assert made.health.sink_dropped == made.health.sink_failures == {name: 0}
