"""MQTT 5: a retained state for each maker, an event for each transition, and word of whether we
live.

State is reconciled: only the newest counts, and all of it goes out after a reconnect. Events wait
in an outbox until the broker has confirmed them.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiomqtt
import structlog

from mm_monitor.core.model import Breach, BreachEvent
from mm_monitor.core.view import PresenceRow, StatusView
from mm_monitor.errors import ConfigError
from mm_monitor.formats import json_bytes, ratio_text, rfc3339
from mm_monitor.secret import read_secret
from mm_monitor.sinks.causes import by_cause
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.events import event_data, event_id
from mm_monitor.sinks.outbox import Backoff
from mm_monitor.sinks.queued import QueuedSink

WINDOW = 16  # unconfirmed messages; brokers accept 20 by default

_log = structlog.get_logger("mm_monitor.sinks.mqtt")


@dataclass(frozen=True, slots=True)
class MqttConfig:
    """Which broker, which topics; seconds."""

    host: str = "127.0.0.1"
    port: int = 1883
    topic_prefix: str = "mm-monitor"
    qos: int = 1  # with 0 an event may be lost
    username: str = ""
    password_file: str = ""  # or env:NAME; without a newline at its end
    tls: bool = False
    cafile: str = ""  # PEM; empty = the system's
    certfile: str = ""  # ours, PEM, for mutual TLS
    keyfile: str = ""
    state_every: float = 1.0  # a maker's state goes out no more often than this
    outbox_limit: int = 100_000  # beyond these the oldest event is dropped, and counted
    redeliver_seconds: float = 10.0  # of events confirmed before a broken connection, sent again
    timeout: float = 5.0
    keepalive: int = 15

    def __post_init__(self) -> None:
        if not self.topic_prefix or set(self.topic_prefix) & set("+#"):
            raise ConfigError("mqtt.topic_prefix", "a topic without + and #", self.topic_prefix)
        if self.qos not in (0, 1, 2):
            raise ConfigError("mqtt.qos", "0, 1 or 2", self.qos)
        for name in ("port", "state_every", "outbox_limit", "timeout", "keepalive"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"mqtt.{name}", "more than 0", getattr(self, name))


class MqttSink(QueuedSink):
    """Keeps one connection, made again whenever it breaks."""

    name = "mqtt"

    def __init__(self, config: MqttConfig, context: SinkContext) -> None:
        super().__init__(context, config.outbox_limit, keep_seconds=config.redeliver_seconds)
        self._config = config
        self._views: Sequence[StatusView] = ()
        self._retained: dict[str, bytes] = {}  # what the broker holds of ours, as far as we know
        self._state_at = 0.0
        self._status_topic = f"{config.topic_prefix}/status/{_level(context.service_id)}"

    async def start(self) -> None:
        """Begin connecting. Raises ConfigError for a file of secrets or certificates that cannot be read."""
        _password(self._config)
        _tls(self._config)
        self._worker.start(self._run, name="mqtt sink")

    def publish(self, views: Sequence[StatusView], events: Sequence[BreachEvent]) -> None:
        """Queue the transitions and keep the newest views, but those of the past while we catch up."""
        if not self._health.catching_up:
            self._views = views
        super().publish(views, events)
        self._worker.wake()

    async def _run(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._connect(backoff)
                return
            except (aiomqtt.MqttError, ConfigError) as error:  # or a file is gone since the start
                self._lost(error)
            if self._worker.stopping:
                return
            await self._worker.pause(backoff.pause())

    async def _connect(self, backoff: Backoff) -> None:
        client = self._client()
        try:
            async with client:
                _log.info("mqtt_connected", host=self._config.host, port=self._config.port)
                backoff.reset()
                await self._serve(client)
        finally:
            release(client)

    def _lost(self, error: Exception) -> None:
        self._health.sink_failures[self.name] += 1
        again = self._outbox.recall()
        where = f"{self._config.host}:{self._config.port}"
        cause = _cause(error, self._config)
        _log.warning("mqtt_unreachable", broker=where, error=cause, events_again=again)

    def _client(self, *, will: bool = True) -> aiomqtt.Client:
        config = self._config
        offline = aiomqtt.Will(self._status_topic, self._status("offline"), qos=1, retain=True)
        client = aiomqtt.Client(
            config.host,
            config.port,
            username=config.username or None,
            password=_password(config),
            identifier=f"mm-monitor-{self._context.service_id}",
            protocol=aiomqtt.ProtocolVersion.V5,
            will=offline if will else None,
            keepalive=config.keepalive,
            timeout=config.timeout,
            max_inflight_messages=WINDOW,
            tls_context=_tls(config),
        )
        client.pending_calls_threshold = WINDOW  # it would warn of 10
        self._watch_refusals(client)
        return client

    def _watch_refusals(self, client: aiomqtt.Client) -> None:
        """A broker may confirm a message by refusing it, which aiomqtt takes for delivered."""
        confirm = client._client.on_publish

        def on_publish(*told: Any) -> None:
            reason = told[3]
            if reason.is_failure:
                self._health.sink_failures[self.name] += 1
                _log.error("mqtt_message_refused", reason=str(reason))
            if confirm is not None:
                confirm(*told)

        client._client.on_publish = on_publish

    def _status(self, status: str) -> bytes:
        return json_bytes({"status": status, "version": self._context.version})

    async def _serve(self, client: aiomqtt.Client) -> None:
        """Until the connection breaks (MqttError) or stopping is asked for and all is delivered."""
        self._state_at = 0.0
        self._retained = dict.fromkeys(self._retained, b"?")  # a restarted broker may lack them
        await client.publish(self._status_topic, self._status("online"), qos=1, retain=True)
        watch = asyncio.create_task(_until_broken(client))
        watch.add_done_callback(lambda _: self._worker.wake())
        try:
            while True:
                stopping = self._worker.stopping
                await self._send_events(client)
                await self._send_state(client, even_early=stopping)
                if watch.done():
                    watch.result()
                if stopping:
                    break
                if not self._outbox:
                    await self._worker.wait(self._config.state_every)
            await client.publish(self._status_topic, self._status("offline"), qos=1, retain=True)
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _send_events(self, client: aiomqtt.Client) -> None:
        qos = self._config.qos
        while events := self._outbox.peek(WINDOW):
            await _together(
                client.publish(self._event_topic(event), _event_payload(event), qos=qos)
                for event in events
            )
            self._outbox.confirm(events)

    async def _send_state(self, client: aiomqtt.Client, even_early: bool) -> None:
        now = time.monotonic()
        if now < self._state_at + self._config.state_every and not even_early:
            return
        self._state_at = now
        qos = self._config.qos
        wanted = self._wanted_state()
        changed = [
            (topic, body) for topic, body in wanted.items() if self._retained.get(topic) != body
        ]
        # An empty retained message takes away the state of a maker who is no longer judged.
        changed += [(topic, b"") for topic in self._retained if topic not in wanted]
        for part in (changed[i : i + WINDOW] for i in range(0, len(changed), WINDOW)):
            await _together(
                client.publish(topic, body, qos=qos, retain=True) for topic, body in part
            )
        self._retained = wanted

    def _wanted_state(self) -> dict[str, bytes]:
        return {
            self._state_topic(view, row.maker): _state_payload(view, row)
            for view in self._views
            for row in view.maker_rows
        }

    def _state_topic(self, view: StatusView, maker: str) -> str:
        return (
            f"{self._config.topic_prefix}/{_level(view.rulebook_id)}/makers/{_level(maker)}/state"
        )

    def _event_topic(self, event: BreachEvent) -> str:
        breach = event.breach
        place = f"{self._config.topic_prefix}/{_level(breach.rulebook)}/events"
        return f"{place}/{_level(breach.kind)}/{_level(breach.maker or breach.contract)}"


def release(client: aiomqtt.Client) -> None:
    """Close the socket of a connection that broke off in its handshake: aiomqtt leaves it open."""
    client._client.reinitialise()


async def cannot_reach(config: MqttConfig) -> str:
    """Why the broker does not let us in, "" where it does. Sends nothing."""
    sink = MqttSink(config, SinkContext(service_id=f"doctor-{os.getpid()}"))
    try:
        client = sink._client(will=False)
    except ConfigError as error:
        return str(error)
    try:
        async with client:
            return ""
    except aiomqtt.MqttError as error:
        return _cause(error, config)
    finally:
        release(client)


def _cause(error: Exception, config: MqttConfig) -> str:
    """The client's words, and what they mean where it only says that nothing came."""
    said = str(error)
    if "timed out" not in said:
        return said
    if not config.tls:
        return f"{said}: the port may want TLS"
    return said if config.certfile else f"{said}: the broker may want a certificate of ours"


async def _until_broken(client: aiomqtt.Client) -> None:
    """Ends with MqttError when the connection breaks, also while nothing is sent."""
    async for _ in client.messages:
        pass


async def _together(calls: Any) -> None:
    """All of them, in order on the wire; the first error once none is under way any more."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _level(name: str) -> str:
    """A name as one topic level: `/ + # %` and control characters are percent-encoded."""
    kept = "".join(c if c not in "/+#%" and c.isprintable() else quote(c, safe="") for c in name)
    return kept or "%00"


def _password(config: MqttConfig) -> str | None:
    place = config.password_file
    return read_secret("mqtt.password_file", place) if place else None


def _tls(config: MqttConfig) -> ssl.SSLContext | None:
    if not config.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=config.cafile or None)
    except OSError as error:
        requirement = f"a readable PEM file ({error.strerror or error})"
        raise ConfigError("mqtt.cafile", requirement, config.cafile) from None
    if config.certfile:
        try:
            context.load_cert_chain(config.certfile, config.keyfile or None)
        except OSError as error:
            requirement = f"a PEM certificate with its key ({error.strerror or error})"
            raise ConfigError("mqtt.certfile", requirement, config.certfile) from None
    return context


def _event_payload(event: BreachEvent) -> bytes:
    return json_bytes({"id": event_id(event), **event_data(event)})


def _open_breach(breach: Breach) -> dict[str, object]:
    """A breach, or those of one cause as one with their count."""
    told: dict[str, object] = {"id": breach.id, "kind": breach.kind, "contract": breach.contract}
    count = breach.evidence.get("count")
    return told if count is None else {**told, "count": count, "cause": breach.evidence["cause"]}


def _state_payload(view: StatusView, row: PresenceRow) -> bytes:
    mine = by_cause(b for b in view.breaches if b.maker == row.maker and b.end is None)
    return json_bytes(
        {
            "maker": row.maker,
            "rulebook": view.rulebook_id,
            "version": view.rulebook_version,
            "trading_date": view.trading_date,
            "watermark": view.at,
            "watermark_text": rfc3339(view.at),
            "verdict": row.verdict.value,
            "presence": ratio_text(row.presence),
            "required": ratio_text(view.required),
            "coverage": ratio_text(row.coverage),
            "slack_ns": row.slack,
            "unreachable": row.unreachable,
            "lapsed_now": row.lapsed_slots,
            "unknown_now": row.unknown_slots,
            "open_breaches": [_open_breach(breach) for breach in mine],
        }
    )
