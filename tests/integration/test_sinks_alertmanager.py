"""The Alertmanager sink against a real Alertmanager."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from mm_monitor.core.model import Breach, BreachKind
from mm_monitor.sinks.alertmanager import AlertmanagerConfig, AlertmanagerSink
from tests.contracts.far_sides import context
from tests.services.alertmanager import Alertmanager
from tests.services.process import free_port
from tests.services.wait import eventually
from tests.unit.sinks.builders import Slot, breach, closed, opened, view

SLOTS = [Slot("M0", "C0", "A")]
RESEND = 1.0


@pytest.fixture
def run(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name}-{time.time_ns()}"


def config(service: Alertmanager, run: str, **more: Any) -> AlertmanagerConfig:
    return AlertmanagerConfig(urls=(service.url,), resend_every=RESEND, labels={"run": run}, **more)


@pytest.fixture
async def sink(alertmanager: Alertmanager, run: str) -> AsyncIterator[AlertmanagerSink]:
    made = AlertmanagerSink(config(alertmanager, run), context())
    await made.start()
    yield made
    await made.stop()


async def contracts(service: Alertmanager, run: str) -> list[str]:
    alerts = await asyncio.to_thread(service.alerts, run=run)
    return sorted(alert["labels"].get("contract", "") for alert in alerts)


async def wait_for(service: Alertmanager, run: str, wanted: list[str], within: float = 10) -> None:
    async with asyncio.timeout(within):
        while await contracts(service, run) != wanted:
            await asyncio.sleep(0.05)


async def test_no_old_alarm_rings_while_we_catch_up_and_no_open_one_is_forgotten(
    alertmanager: Alertmanager, run: str
) -> None:
    known = context()
    known.health.catching_up = True
    sink = AlertmanagerSink(config(alertmanager, run), known)
    await sink.start()
    old, lasting = breach(contract="C0"), breach(contract="C1")
    sink.publish([view(SLOTS, [old, lasting])], [opened(old), opened(lasting)])
    await asyncio.sleep(RESEND)
    assert await contracts(alertmanager, run) == []
    over = closed(old)
    sink.publish([view(SLOTS, [over.breach, lasting])], [over])
    known.health.catching_up = False
    sink.publish([view(SLOTS, [over.breach, lasting])], [])
    await wait_for(alertmanager, run, ["C1"])
    await sink.stop()
    assert await contracts(alertmanager, run) == ["C1"]


async def test_an_open_breach_fires_and_a_closed_one_resolves(
    alertmanager: Alertmanager, sink: AlertmanagerSink, run: str
) -> None:
    one, maker = breach(), breach(contract="", klass="", kind=BreachKind.PRESENCE_UNREACHABLE)
    sink.publish([view(SLOTS, [one, maker])], [opened(one), opened(maker)])
    await wait_for(alertmanager, run, ["", "C0"], within=RESEND)
    alerts = await asyncio.to_thread(alertmanager.alerts, run=run, kind="lapse")
    assert alerts[0]["labels"]["alertname"] == "MMLapseTooLong"
    assert alerts[0]["startsAt"].startswith("2025-08-01T01:30:50")
    assert alerts[0]["annotations"]["breach_id"] == one.id
    over = closed(one)
    sink.publish([view(SLOTS, [over.breach, maker])], [over])
    await wait_for(alertmanager, run, [""], within=RESEND)
    await eventually(lambda: sink.lag_seconds == 0)


async def test_a_restarted_alertmanager_has_all_open_alerts_again(
    alertmanager: Alertmanager, sink: AlertmanagerSink, run: str
) -> None:
    found = [breach(contract=f"C{i}") for i in range(300)]
    sink.publish([view(SLOTS, found)], [opened(one) for one in found])
    wanted = sorted(one.contract for one in found)
    await wait_for(alertmanager, run, wanted)
    await asyncio.to_thread(alertmanager.kill)
    over, late = closed(found[0]), breach(contract="late")
    after: list[Breach] = [over.breach, *found[1:], late]
    sink.publish([view(SLOTS, after)], [over, opened(late)])
    await eventually(lambda: sink.lag_seconds > 0.3)
    await asyncio.to_thread(alertmanager.start)
    await wait_for(alertmanager, run, sorted([*wanted[1:], "late"]))
    await eventually(lambda: sink.lag_seconds == 0)


async def test_a_quick_restart_is_healed_by_the_next_resend(
    alertmanager: Alertmanager, sink: AlertmanagerSink, run: str
) -> None:
    one = breach()
    sink.publish([view(SLOTS, [one])], [opened(one)])
    await wait_for(alertmanager, run, ["C0"])
    await asyncio.to_thread(alertmanager.restart)
    await wait_for(alertmanager, run, ["C0"])


async def test_alerts_outlive_a_dead_monitor_for_their_hold(
    alertmanager: Alertmanager, run: str
) -> None:
    sink = AlertmanagerSink(config(alertmanager, run, resolve_after=30.0), context())
    await sink.start()
    one = breach()
    sink.publish([view(SLOTS, [one])], [opened(one)])
    await wait_for(alertmanager, run, ["C0"])
    await sink.stop()
    await asyncio.sleep(2 * RESEND)
    [alert] = await asyncio.to_thread(alertmanager.alerts, run=run)
    left = datetime.fromisoformat(alert["endsAt"]).timestamp() - time.time()
    assert 20 < left <= 30


async def test_a_dead_one_of_two_does_not_hold_up_the_other(
    alertmanager: Alertmanager, run: str
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    made = context()
    both = AlertmanagerConfig(
        urls=(dead, alertmanager.url), resend_every=RESEND, labels={"run": run}
    )
    sink = AlertmanagerSink(both, made)
    await sink.start()
    one = breach()
    sink.publish([view(SLOTS, [one])], [opened(one)])
    await wait_for(alertmanager, run, ["C0"], within=RESEND)
    assert sink.lag_seconds > 0
    assert made.health.sink_failures["alertmanager"] > 0
    await sink.stop()


async def test_a_refusal_is_counted_and_tried_again(alertmanager: Alertmanager) -> None:
    made = context()
    wrong = AlertmanagerConfig(urls=(alertmanager.url + "/nowhere",), resend_every=RESEND)
    sink = AlertmanagerSink(wrong, made)
    await sink.start()
    sink.publish([view(SLOTS, [breach()])], [opened(breach())])
    await eventually(lambda: made.health.sink_failures["alertmanager"] >= 2)
    assert sink.lag_seconds > 0
    await sink.stop()
