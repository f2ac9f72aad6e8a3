"""Tells others of a revision: the breaches topic what it withdraws, opens and changes; the evidence log all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from mm_monitor.core.model import BreachEvent
from mm_monitor.errors import MonitorError
from mm_monitor.evidence.inbox import post
from mm_monitor.formats import json_bytes, rfc3339
from mm_monitor.revisions.store import Revision
from mm_monitor.sinks.events import breach_object, cloud_event

SCHEMA = "urn:mm-monitor:revision-event:1"
CONTENT_TYPE = b"application/cloudevents+json; charset=UTF-8"
SECONDS = 30.0  # for the brokers to confirm


def revision_event(revision: Revision, service_id: str) -> bytes:
    """CloudEvents 1.0, structured JSON: that there is a revision, without what it says of each obligation."""
    about = revision.about
    found = about.get("difference", {})
    data = {
        **{name: about[name] for name in ("date", "rulebook", "revision", "reason", "author", "published_at")},
        "report_sha256": about["report_sha256"],
        "obligations": len(found.get("obligations", ())),
        "makers": [row["maker"] for row in found.get("makers", ())],
        "breaches": len(found.get("breaches", ())),
    }  # fmt: skip
    name = f"{about['date']}-{about['rulebook']['id']}-{about['revision']}"
    envelope = {
        "specversion": "1.0",
        "id": f"revision-{name}-{about['report_sha256'][:16]}",
        "source": f"/mm-monitor/{service_id}",
        "type": "mm-monitor.revision",
        "subject": name,
        "time": rfc3339(about["published_at"]),
        "datacontenttype": "application/json",
        "dataschema": SCHEMA,
        "data": data,
    }
    return json_bytes(envelope)


async def publish(
    client: dict[str, Any], topic: str, revision: Revision, events: Sequence[BreachEvent], service_id: str
) -> None:  # fmt: skip
    """Write the revision and its transitions to the breaches topic. MonitorError unless the brokers have them all.

    `client`: settings of aiokafka. Repeats have the same ids, so that saying it again does no harm.
    """
    messages = [
        (f"revision/{revision.about['date']}".encode(), revision_event(revision, service_id))
    ]
    for event in events:
        key = (event.breach.maker or event.breach.contract).encode()
        messages.append((key, cloud_event(event, service_id)))
    await send(client, topic, messages, headers=[("content-type", CONTENT_TYPE)])


async def send(
    client: dict[str, Any], topic: str, messages: Sequence[tuple[bytes, bytes]],
    headers: Sequence[tuple[str, bytes]] = (),
) -> None:  # fmt: skip
    """Write (key, value) records to a topic. MonitorError unless the brokers have them all."""
    producer = AIOKafkaProducer(**{**client, "acks": "all", "enable_idempotence": True})
    try:
        async with asyncio.timeout(SECONDS):
            await producer.start()
            sent = [
                await producer.send(topic, value, key=key, headers=list(headers))
                for key, value in messages
            ]
            await asyncio.gather(*sent)
    except (KafkaError, OSError, TimeoutError) as error:
        what = f"{len(messages)} records for {topic!r} were not confirmed"
        where = client["bootstrap_servers"]
        raise MonitorError(
            f"Kafka at {where}: {what}: {str(error) or type(error).__name__}"
        ) from None
    finally:
        await producer.stop()


def note(directory: Path, revision: Revision, events: Sequence[BreachEvent]) -> None:
    """Have it written into the evidence log: one entry for all, and to each maker what concerns it."""
    about = revision.about
    head = {name: about[name] for name in ("date", "rulebook", "revision", "reason", "author", "published_at",
                                           "report_sha256", "previous_sha256", "inputs")}  # fmt: skip
    post(directory, {"entry": "revision", "maker": "", **head})
    found = about.get("difference", {})
    rows = found.get("obligations", [])
    told = [breach_object(event.breach) | {"action": event.action} for event in events]
    makers = {row["maker"] for row in [*rows, *told, *found.get("makers", [])]} - {""}
    for maker in sorted(makers):
        post(directory, {
            "entry": "revision", "maker": maker, **head,
            "obligations": [row for row in rows if row["maker"] == maker],
            "sums": [row for row in found.get("makers", []) if row["maker"] == maker],
            "breaches": [row for row in told if row["maker"] == maker],
        })  # fmt: skip
