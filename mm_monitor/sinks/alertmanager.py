"""Pushes one alert for each open breach to every Alertmanager, again and again while it is open.

Alertmanager forgets what is not re-sent, and everything when it restarts: the whole state goes out
every `resend_every`, a change goes out at once, and after a failure all of it is sent again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
import structlog

from mm_monitor.core.model import BreachEvent
from mm_monitor.core.view import StatusView
from mm_monitor.errors import ConfigError
from mm_monitor.formats import json_bytes
from mm_monitor.sinks.alerts import Alert, AlertBook, AlertStyle, Key, alert, in_parts, seconds
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.outbox import Backoff, Worker

PATH = "/api/v2/alerts"
BODY_ALERTS = 1_000

_log = structlog.get_logger("mm_monitor.sinks.alertmanager")

Sent = dict[Key, tuple[str, bool, object]]  # breach id, was it open, how many of its cause are
Payload = Callable[[], tuple[dict[Key, Alert], Sent]]


@dataclass(frozen=True, slots=True)
class AlertmanagerConfig:
    """Where to push and how often; seconds."""

    urls: tuple[str, ...] = ("http://127.0.0.1:9093",)  # all of a cluster's, not a balancer
    resend_every: float = 30.0
    resolve_after: float = 300.0  # an open alert outlives a dead monitor by so long
    resolved_for: float = 300.0  # how long a closed breach is still told
    timeout: float = 5.0  # of one request
    labels: Mapping[str, str] = field(default_factory=dict)  # added to every alert
    severities: Mapping[str, str] = field(default_factory=dict)  # by breach kind
    monitor_url: str = ""  # where people reach the monitor
    runbooks_url: str = ""  # where they read the runbooks
    dashboards_url: str = ""  # Grafana

    def __post_init__(self) -> None:
        for url in self.urls:
            if not url.startswith(("http://", "https://")):
                raise ConfigError("alertmanager.urls", "http:// or https:// addresses", url)
        for name in ("resend_every", "resolve_after", "resolved_for", "timeout"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"alertmanager.{name}", "more than 0", getattr(self, name))
        if self.resolve_after <= self.resend_every:
            requirement = "more than resend_every, or alerts flap"
            raise ConfigError("alertmanager.resolve_after", requirement, self.resolve_after)


class AlertmanagerSink:
    """Reconciles every Alertmanager with the newest views."""

    name = "alertmanager"

    def __init__(self, config: AlertmanagerConfig, context: SinkContext) -> None:
        self._config = config
        self._health = context.health
        self._health.know_sink(self.name)
        self._style = AlertStyle(
            config.labels,
            config.severities,
            config.monitor_url,
            config.runbooks_url,
            config.dashboards_url,
        )
        self._book = AlertBook(seconds(config.resolved_for))
        self._views: Sequence[StatusView] = ()
        self._session: aiohttp.ClientSession | None = None
        self._targets: list[_Target] = []

    async def start(self) -> None:
        """Begin one task for each Alertmanager."""
        if self._session is not None:
            return
        timeout = aiohttp.ClientTimeout(total=self._config.timeout)
        self._session = aiohttp.ClientSession(timeout=timeout)
        self._targets = [
            _Target(url, self._session, self._payload, self._failed, self._config.resend_every)
            for url in self._config.urls
        ]
        for target in self._targets:
            target.start()

    def publish(self, views: Sequence[StatusView], events: Sequence[BreachEvent]) -> None:
        """Keep the newest views; a transition, or the first view, is posted at once. Deaf while we catch up."""
        if self._health.catching_up:  # no old alarm rings
            return
        is_first, self._views = not self._views, views
        for target in self._targets:
            if events or is_first:
                target.notice(transition=bool(events))

    async def stop(self) -> None:
        """Post what is not posted yet, within a few seconds. Open alerts stay up for their hold."""
        await asyncio.gather(*(target.stop() for target in self._targets))
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def pending(self) -> Sequence[BreachEvent]:
        """Nothing: what it tells is read from the picture."""
        return ()

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest transition that some Alertmanager does not have yet."""
        return max((target.lag_seconds for target in self._targets), default=0.0)

    def _payload(self) -> tuple[dict[Key, Alert], Sent]:
        now = time.time_ns()
        self._book.reconcile(self._views, now)
        hold = seconds(self._config.resolve_after)
        told = self._book.breaches()
        alerts = {key: alert(breach, self._style, now, hold) for key, breach in told.items()}
        return alerts, {
            key: (b.id, b.end is None, b.evidence.get("open")) for key, b in told.items()
        }

    def _failed(self) -> None:
        self._health.sink_failures[self.name] += 1


class _Target:
    """One Alertmanager: what it was told, when, and what it still waits for."""

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        payload: Payload,
        failed: Callable[[], None],
        resend_every: float,
    ) -> None:
        self._url = url.rstrip("/") + PATH
        self._session, self._payload, self._failed = session, payload, failed
        self._resend_every = resend_every
        self._worker = Worker()
        self._backoff = Backoff()
        self._sent: Sent = {}
        self._full_at: float | None = None  # when all of the state was last posted; None = is due
        self._waiting: float | None = None  # since when transitions wait to be posted
        self._posting: float | None = None  # the same of those in the post under way

    def start(self) -> None:
        self._worker.start(self._run, name=f"alertmanager {self._url}")

    def notice(self, transition: bool) -> None:
        if transition and self._waiting is None:
            self._waiting = time.monotonic()
        self._worker.wake()

    async def stop(self) -> None:
        await self._worker.stop()

    @property
    def lag_seconds(self) -> float:
        oldest = self._waiting if self._posting is None else self._posting
        return 0.0 if oldest is None else time.monotonic() - oldest

    async def _run(self) -> None:
        while True:
            stopping = self._worker.stopping
            worked = await self._attempt()
            if stopping:
                return
            if worked:
                await self._worker.wait(self._until_resend())
            else:
                await self._worker.pause(self._backoff.pause())

    def _until_resend(self) -> float:
        if self._full_at is None:
            return 0.0
        return max(0.0, self._full_at + self._resend_every - time.monotonic())

    async def _attempt(self) -> bool:
        if self._posting is None:
            self._posting, self._waiting = self._waiting, None
        try:
            await self._post()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._failed()
            _log.warning("alertmanager_unreachable", url=self._url, error=_cause(error))
            self._full_at = None
            return False
        self._posting = None
        self._backoff.reset()
        return True

    async def _post(self) -> None:
        alerts, state = self._payload()
        is_full = self._until_resend() == 0.0
        due = [alerts[key] for key in alerts if is_full or self._sent.get(key) != state[key]]
        for part in in_parts(due, BODY_ALERTS):
            await self._request(json_bytes(part))
        self._sent = state
        if is_full:
            self._full_at = time.monotonic()

    async def _request(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._url, data=body, headers=headers) as answer:
            if answer.status != 200:
                text = (await answer.text())[:500]
                raise aiohttp.ClientError(f"HTTP {answer.status}: {text}")


def _cause(error: Exception) -> str:
    return str(error) or type(error).__name__
