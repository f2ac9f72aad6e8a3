"""One process in the group of those that share out the shares, and until when it may count on what it was given.

The lease is reckoned from the sending of a heartbeat that the brokers then answered, and is shorter than the session
after which they give the shares to others: so nobody runs a share while another is told to.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.consumer.group_coordinator import HeartbeatRequest
from aiokafka.errors import KafkaError, NoError, RebalanceInProgressError, for_code

from mm_monitor.cluster.sharing import Sharing
from mm_monitor.errors import MonitorError

NS = 1_000_000_000
_LEASE = 0.7  # of the session
_BEATS = 8  # heartbeats in a session
_SOON = 0.25  # seconds until one that was not answered is said again
_JOIN_SESSIONS = 6  # that a member may take to join again before it is left out
_log = structlog.get_logger("mm_monitor.cluster")


def boot_time() -> int:
    """Ns since the machine started, also while it slept: all processes of a machine read the same."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """A member of `group` over `topic`, which has a partition for each of `shares` shares."""

    def __init__(
        self, client: Mapping[str, Any], group: str, topic: str, shares: int, session: int
    ) -> None:
        """`client` is how aiokafka's clients reach the brokers, `session` is in ns."""
        self._topic, self._shares, self._session = topic, shares, session
        self._client, self._sharing = client, Sharing()
        milliseconds = session // 1_000_000
        self._consumer = AIOKafkaConsumer(
            **client, group_id=group, enable_auto_commit=False, auto_offset_reset="latest",
            partition_assignment_strategy=(self._sharing,), session_timeout_ms=milliseconds,
            heartbeat_interval_ms=milliseconds // _BEATS, rebalance_timeout_ms=_JOIN_SESSIONS * milliseconds,
        )  # fmt: skip
        self.given: frozenset[int] = frozenset()  # shares, from 0
        self.lease = 0  # `boot_time` up to which they are ours
        self.changed = asyncio.Event()  # set when there is another answer
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Join. MonitorError if the topic has not as many partitions as there are shares."""
        known = await self._partitions()
        if known != self._shares:
            problem = f"{self._topic!r} has {known} partitions, and there are {self._shares} shares"
            raise MonitorError(f"cluster: {problem}")
        await self._consumer.start()
        self._consumer.subscribe([self._topic], listener=self)
        self._tasks = [asyncio.create_task(self._beat()), asyncio.create_task(self._poll())]

    async def stop(self) -> None:
        """Leave the group, so that others need not wait; idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.lease, self._tasks = 0, []
        with contextlib.suppress(KafkaError, TimeoutError):
            await asyncio.wait_for(self._consumer.stop(), 5.0)

    def runs(self, shares: Iterable[int]) -> None:
        """Say at the next rebalance that this member runs these."""
        self._sharing.running = frozenset(shares)

    def ask_again(self) -> None:
        """Have the shares shared out anew, because something was let go."""
        self._consumer._coordinator.request_rejoin()

    @property
    def valid(self) -> bool:
        """Is what was given still ours?"""
        return boot_time() < self.lease

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """The answer; nothing is read of these partitions by this consumer."""
        assigned = list(assigned)
        self._consumer.pause(*assigned)
        self.given = frozenset(tp.partition for tp in assigned)
        _log.info("shares_given", shares=sorted(share + 1 for share in self.given))
        self.changed.set()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing: what we run we go on with until we are told otherwise."""

    async def _partitions(self) -> int:
        admin = AIOKafkaAdminClient(**self._client)
        try:
            await admin.start()
            told = (await admin.describe_topics([self._topic]))[0]
        finally:
            await admin.close()
        return len(told.get("partitions", ()))

    async def _beat(self) -> None:
        """The client's own heartbeats pause while it joins, and do not say when they were answered.

        One that was not answered is said again soon: brokers may close a connection at the first request after its
        session has expired, which can be before each of ours.
        """
        pause = self._session / _BEATS / NS
        while True:
            known, sent = False, boot_time()
            with contextlib.suppress(KafkaError):
                known = await self._is_known()
            if known:
                self.lease = max(self.lease, sent + int(_LEASE * self._session))
            await asyncio.sleep(pause if known else min(pause, _SOON))

    async def _is_known(self) -> bool:
        """Do the brokers still count on us? A refusal has no other consequence: joining is the client's business."""
        coordinator = self._consumer._coordinator
        if coordinator.generation < 0 or coordinator.coordinator_id is None:
            return False
        kind = HeartbeatRequest[1] if isinstance(HeartbeatRequest, list) else HeartbeatRequest
        who = (coordinator.group_id, coordinator.generation, coordinator.member_id)
        answer = await coordinator._send_req(kind(*who))
        return for_code(answer.error_code) in (NoError, RebalanceInProgressError)

    async def _poll(self) -> None:
        """A consumer that asks for nothing is taken for one that hangs; and its errors are told here."""
        while True:
            try:
                await self._consumer.getmany(timeout_ms=500)
            except KafkaError as error:
                _log.warning("group_fails", error=str(error) or type(error).__name__)
                await asyncio.sleep(1.0)
