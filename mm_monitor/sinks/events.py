"""Breach transitions as JSON: the object that MQTT and Kafka carry, and its CloudEvents envelope.

An event's id is made from what happened, not from when it was sent: a repeat is recognised by it.
"""

from __future__ import annotations

from typing import Any

from mm_monitor.core.model import Breach, BreachEvent
from mm_monitor.formats import json_bytes, rfc3339

TYPE_PREFIX = "mm-monitor.breach."
SCHEMA = "urn:mm-monitor:breach-event:1"


def event_id(event: BreachEvent) -> str:
    """`BREACH-ACTION`; an update adds its instant, because a breach may have several."""
    made = f"{event.breach.id}-{event.action}"
    return f"{made}-{event.noticed_at}" if event.action == "updated" else made


def event_time(event: BreachEvent) -> int:
    """Event time of the transition, ns: start, end, or when it was noticed."""
    breach = event.breach
    if event.action == "opened":
        return breach.start
    if event.action == "closed" and breach.end is not None:
        return breach.end
    return event.noticed_at


def breach_object(breach: Breach) -> dict[str, Any]:
    """A breach as a JSON object; times are integer ns of event time."""
    return {
        "id": breach.id,
        "rulebook": breach.rulebook,
        "version": breach.version,
        "kind": breach.kind,
        "maker": breach.maker,
        "contract": breach.contract,
        "class": breach.klass,
        "start": breach.start,
        "end": breach.end,
        "reason": breach.reason,
        "evidence": dict(breach.evidence),
    }


def event_data(event: BreachEvent) -> dict[str, Any]:
    """What happened, as a JSON object."""
    return {
        "action": event.action,
        "noticed_at": event.noticed_at,
        "breach": breach_object(event.breach),
    }


def cloud_event(event: BreachEvent, service_id: str) -> bytes:
    """CloudEvents 1.0, structured JSON."""
    breach = event.breach
    envelope = {
        "specversion": "1.0",
        "id": event_id(event),
        "source": f"/mm-monitor/{service_id}",
        "type": TYPE_PREFIX + event.action,
        "subject": "/".join(name for name in (breach.maker, breach.contract) if name),
        "time": rfc3339(event_time(event)),
        "datacontenttype": "application/json",
        "dataschema": SCHEMA,
        "data": event_data(event),
    }
    return json_bytes(envelope)
