"""Who runs which shares: decided by whichever member the brokers ask, from what every member says that it runs.

Cooperative: a share that somebody runs is never given to another. Whoever has too many is told to let some go, and asks
again when it has; only then are they given away.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

VERSION = 0


def shared_out(shares: int, running: Mapping[str, frozenset[int]]) -> dict[str, list[int]]:
    """Shares 0 to `shares` - 1 by member, of what each of them runs now; nobody gets what another runs.

    No member has more than one share above another when all have let go of what was not given to them again. A share
    that two say they run is given to neither: one of them is wrong, and both have to let go.
    """
    if not running:
        return {}
    claims = [sum(share in held for held in running.values()) for share in range(shares)]
    members = sorted(running, key=lambda member: (-len(running[member]), member))
    least, more = divmod(shares, len(members))
    room = {member: least + (i < more) for i, member in enumerate(members)}
    given: dict[str, list[int]] = {}
    for member in members:
        own = [share for share in sorted(running[member]) if share < shares and claims[share] == 1]
        given[member] = own[: room[member]]
    for share in (share for share in range(shares) if not claims[share]):
        member = min(members, key=lambda m: (len(given[m]) - room[m], len(given[m]), m))
        given[member].append(share)
    return {member: sorted(had) for member, had in given.items()}


class Sharing(AbstractPartitionAssignor):  # type: ignore[misc]
    """What aiokafka asks at each rebalance; `running` is what this member says that it runs.

    One for each member: aiokafka calls methods of what it is given, be it a class or an object.
    """

    name = "mm-monitor-shares"

    def __init__(self) -> None:
        self.running: frozenset[int] = frozenset()

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this member tells the others."""
        said = json.dumps(sorted(self.running)).encode()
        return ConsumerProtocolMemberMetadata(VERSION, list(topics), said)

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Everybody's shares; asked of one member only."""
        (topic,) = {topic for said in members.values() for topic in said.subscription}
        running = {member: frozenset(_heard(said.user_data)) for member, said in members.items()}
        given = shared_out(len(cluster.partitions_for_topic(topic) or ()), running)
        return {
            member: ConsumerProtocolMemberAssignment(VERSION, [(topic, shares)], b"")
            for member, shares in given.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Nothing: the consumer's listener hears of it."""


def _heard(user_data: bytes | None) -> Sequence[int]:
    said: list[int] = json.loads(user_data or b"[]")
    return said
