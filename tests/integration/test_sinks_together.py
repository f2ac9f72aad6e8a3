"""One breach, seen by Prometheus, Alertmanager and MQTT within one scrape, and gone from all when it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from mm_monitor.core.model import Breach
from mm_monitor.core.view import StatusView
from mm_monitor.sinks import Sink
from mm_monitor.sinks.prometheus import PrometheusConfig, PrometheusSink
from mm_monitor.web.server import WebConfig, WebServer, WebSources
from tests.contracts.far_sides import AlertmanagerFar, MqttFar, context, until
from tests.services.alertmanager import Alertmanager
from tests.services.mosquitto import Mosquitto
from tests.services.prometheus import Prometheus
from tests.services.wait import eventually
from tests.unit.sinks.builders import Slot, breach, closed, opened, view

SLOTS = [Slot("M0", "C0", "A"), Slot("M1", "C0", "A")]
SCRAPE = 1.0  # what tests.services.prometheus scrapes at
OPEN = 'sum(mm_monitor_open_breaches{maker="M0",kind="lapse"})'


class Monitor:
    """The sinks and the web server, as an application would hold them."""

    def __init__(self, alerts: AlertmanagerFar, mqtt: MqttFar) -> None:
        self.metrics = PrometheusSink(PrometheusConfig(), context())
        self.sinks: list[Sink] = [self.metrics, alerts.sink(), mqtt.sink()]
        self.metrics.watch(self.sinks)
        self.views: list[StatusView] = []
        sources = WebSources(
            lambda: self.views, lambda: self.views, lambda: (True, ""), self.metrics.chunks
        )
        self.server = WebServer(WebConfig(port=0), sources)

    async def start(self) -> None:
        for sink in self.sinks:
            await sink.start()
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop()
        for sink in self.sinks:
            await sink.stop()


@pytest.fixture
async def alerts(alertmanager: Alertmanager) -> AlertmanagerFar:
    return AlertmanagerFar(alertmanager)


@pytest.fixture
async def mqtt(mosquitto: Mosquitto) -> AsyncIterator[MqttFar]:
    side = MqttFar(mosquitto)
    await side.ready()
    yield side
    await side.close()


@pytest.fixture
async def monitor(
    alerts: AlertmanagerFar, mqtt: MqttFar, prometheus: Prometheus
) -> AsyncIterator[Monitor]:
    made = Monitor(alerts, mqtt)
    made.metrics.publish([view(SLOTS)], [])
    await made.start()
    prometheus.configure(targets=[f"127.0.0.1:{made.server.port}"])
    await _until_value(prometheus, 0)
    yield made
    prometheus.configure(targets=[])
    await made.stop()


async def _until_value(prometheus: Prometheus, wanted: float, within: float = 20) -> None:
    async with asyncio.timeout(within):
        while await asyncio.to_thread(prometheus.value, OPEN) != wanted:
            await asyncio.sleep(0.05)


async def test_all_three_see_a_breach_within_one_scrape_and_see_it_end(
    monitor: Monitor, alerts: AlertmanagerFar, mqtt: MqttFar, prometheus: Prometheus
) -> None:
    one: Breach = breach()
    began = time.monotonic()
    for sink in monitor.sinks:
        sink.publish([view(SLOTS, [one])], [opened(one)])
    await until(alerts.breaches, SCRAPE)
    await until(mqtt.breaches, SCRAPE)
    await _until_value(prometheus, 1, within=2 * SCRAPE)
    assert time.monotonic() - began < 2 * SCRAPE  # the scrape may have just passed

    over = closed(one)
    for sink in monitor.sinks:
        sink.publish([view(SLOTS, [over.breach])], [over])
    await until(lambda: alerts.knows_closed(one.id), SCRAPE)
    await until(lambda: mqtt.knows_closed(one.id), SCRAPE)
    await _until_value(prometheus, 0, within=2 * SCRAPE)
    await eventually(lambda: all(sink.lag_seconds == 0 for sink in monitor.sinks))


async def test_prometheus_takes_all_of_the_exposition(
    monitor: Monitor, prometheus: Prometheus
) -> None:
    ratio = 'mm_monitor_maker_presence_ratio{maker="M0"}'
    assert await asyncio.to_thread(prometheus.value, ratio) == 0.95
    targets = await asyncio.to_thread(prometheus.targets)
    assert [(target["health"], target["lastError"]) for target in targets] == [("up", "")]
    lags = await asyncio.to_thread(prometheus.query, "mm_monitor_sink_lag_seconds")
    assert {lag["metric"]["sink"] for lag in lags} == {"prometheus", "alertmanager", "mqtt"}
