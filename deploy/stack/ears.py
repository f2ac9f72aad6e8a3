"""Who is told of breaches, as the tour asks them: each answers with the ids of the breaches it was told of.

Nothing here knows the engine; it reads what any program of a venue could read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.stack.parts import TOPICS
from deploy.stack.world import Stack


@dataclass(frozen=True, slots=True)
class Story:
    """A breach as one of them tells it: does it know that it began, is it over for all it knows?"""

    began: bool
    over: bool


class Ears:
    """Listens to Kafka and MQTT from the start, and asks the others when it is asked."""

    def __init__(self, stack: Stack, maker: str, kind: str, rulebook: str) -> None:
        self._stack, self._maker, self._kind, self._rulebook = stack, maker, kind, rulebook
        self._events: list[dict[str, Any]] = []  # of the breaches topic
        self._messages: list[tuple[str, dict[str, Any]]] = []  # of MQTT, by topic

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Ears]:
        """Listening, while the context lasts."""
        async with AsyncExitStack() as tasks:
            for listen in (self._hear_kafka, self._hear_mqtt):
                task = asyncio.create_task(listen())
                tasks.push_async_callback(_ended, task)
            yield self

    async def _hear_kafka(self) -> None:
        async with AIOKafkaConsumer(bootstrap_servers=self._stack.kafka.bootstrap) as consumer:
            place = TopicPartition(TOPICS["breaches"], 0)
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            async for record in consumer:
                self._events.append(json.loads(record.value))

    async def _hear_mqtt(self) -> None:
        broker = self._stack.mosquitto
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.subscribe("mm-monitor/#", qos=1)
            async for message in client.messages:
                if message.payload:
                    told = json.loads(bytes(message.payload))
                    self._messages.append((message.topic.value, told))

    def witnesses(self) -> dict[str, Callable[[str, int], Story]]:
        """By name, who can be asked; each takes the breach's id and how many contracts it is of."""
        return {
            "metric (Prometheus)": self._metric,
            "alert (Alertmanager)": self._alert,
            "webhook": self._webhook,
            "event (Kafka)": self._kafka,
            "event (MQTT)": self._mqtt,
            "state (MQTT, retained)": self._state,
            "API": self._api,
            "evidence log": self._evidence,
        }

    def _metric(self, breach: str, count: int) -> Story:
        labels = f'rulebook="{self._rulebook}",maker="{self._maker}",kind="{self._kind}"'
        ask = self._stack.prometheus.value
        ever = ask(f"sum(mm_monitor_breaches_total{{{labels}}})") or 0
        return Story(ever >= count, not ask(f"sum(mm_monitor_open_breaches{{{labels}}})"))

    def _alert(self, breach: str, count: int) -> Story:
        found = self._stack.alertmanager.alerts(maker=self._maker, kind=self._kind)
        fires = any(alert["annotations"].get("breach_id") == breach for alert in found)
        return Story(fires, not fires)

    def _webhook(self, breach: str, count: int) -> Story:
        told = {
            alert["status"]
            for post in self._stack.receiver.to("/desk")
            for alert in post["alerts"]
            if alert["annotations"].get("breach_id") == breach
        }
        return Story("firing" in told, "resolved" in told)

    def _kafka(self, breach: str, count: int) -> Story:
        ids = {event["id"] for event in self._events}
        return Story(f"{breach}-opened" in ids, f"{breach}-closed" in ids)

    def _mqtt(self, breach: str, count: int) -> Story:
        ids = {str(told.get("id")) for _, told in self._messages}
        return Story(f"{breach}-opened" in ids, f"{breach}-closed" in ids)

    def _state(self, breach: str, count: int) -> Story:
        topic = f"mm-monitor/{self._rulebook}/makers/{self._maker}/state"
        states = [told["open_breaches"] for at, told in self._messages if at == topic]
        is_open = [any(one["id"] == breach for one in state) for state in states]
        return Story(any(is_open), not is_open or not is_open[-1])

    def _api(self, breach: str, count: int) -> Story:
        page = f"api/v1/breaches?maker={self._maker}&kind={self._kind}"
        found = {one["id"]: one for one in self._stack.monitor.get(page)["breaches"]}
        mine = found.get(breach)
        return Story(mine is not None, mine is not None and mine["end"] is not None)

    def _evidence(self, breach: str, count: int) -> Story:
        found = evidence(self._stack.folder / "monitor" / "evidence")
        said = {str(line.get("id")) for line in found if line["entry"] == "breach"}
        return Story(f"{breach}-opened" in said, f"{breach}-closed" in said)


def evidence(folder: Path) -> list[dict[str, Any]]:
    """The entries of all evidence logs, after the hash that each line begins with."""
    lines = [
        line for path in sorted(folder.glob("*.log")) for line in path.read_bytes().splitlines()
    ]
    return [json.loads(line[65:]) for line in lines if line[65:].endswith(b"}")]


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
