"""Three real brokers that are their own controllers: any one of them may be killed and started again.

Topics have three replicas of which two must have a record before it is acknowledged, so a minority takes nothing along.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.services.kafka import Kafka
from tests.services.process import HOST

_OF_THREE = """
node.id={node}
controller.quorum.voters={voters}
controller.quorum.election.timeout.ms=1000
controller.quorum.fetch.timeout.ms=2000
min.insync.replicas=2
replica.lag.time.max.ms=5000
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
"""


class Node(Kafka):
    """One of them; `node` from 1."""

    def __init__(self, workdir: Path, node: int, cluster: str) -> None:
        super().__init__(workdir)
        self.node, self.voters = node, ""
        self._cluster = cluster or self._cluster

    @property
    def voter(self) -> str:
        """As the others know its controller."""
        return f"{self.node}@{HOST}:{self._controller_port}"

    @property
    def quorum(self) -> tuple[int, int]:
        """Epoch and node of the controller that leads, as far as this node has heard."""
        told = json.loads((self._data / "__cluster_metadata-0" / "quorum-state").read_text())
        return told["leaderEpoch"], told["leaderId"]

    def _properties(self) -> str:
        return super()._properties() + _OF_THREE.format(node=self.node, voters=self.voters)


class KafkaCluster(Kafka):
    """To be used as a `Kafka`; `nodes` are its brokers."""

    replicas = 3

    def __init__(self, workdir: Path) -> None:
        super().__init__(workdir)
        self.nodes = [Node(workdir / f"node-{i}", i, self._cluster) for i in (1, 2, 3)]
        for node in self.nodes:
            node.voters = ",".join(other.voter for other in self.nodes)

    @property
    def bootstrap(self) -> str:
        """All three."""
        return ",".join(node.address for node in self.nodes)

    def _each(self, do: Callable[[Node], None]) -> None:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(do, self.nodes))

    def start(self) -> None:
        """All that do not run; returns when they answer."""
        self._each(Node.start)

    def stop(self) -> None:
        """All, at once and without asking: nothing is wanted of them any more."""
        self._each(Node.kill)

    kill = stop

    @property
    def running(self) -> bool:
        """Do all of them?"""
        return all(node.running for node in self.nodes)

    def leader(self, topic: str, partition: int = 0) -> Node:
        """Which leads a partition."""
        led = self._admin().list_topics(topic, timeout=20).topics[topic].partitions[partition]
        return self.nodes[led.leader - 1]

    def controller(self) -> Node:
        """Which leads the controllers."""
        known = [node.quorum for node in self.nodes if node.running]
        return self.nodes[max(told for told in known if told[1] > 0)[1] - 1]
