"""Writes orders to the control topic: all the records of an order as one batch, so that none is there without the rest.

An exemption whose end was lost would have no end at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from mm_monitor.desk.orders import Record
from mm_monitor.errors import MonitorError
from mm_monitor.formats import json_bytes

KEY = b"desk"
SECONDS = 30.0  # for the brokers to confirm


async def send(client: dict[str, Any], topic: str, records: Sequence[Record]) -> None:
    """Write control records; `client`: settings of aiokafka. MonitorError unless the brokers have them all."""
    producer = AIOKafkaProducer(**{**client, "acks": "all", "enable_idempotence": True})
    try:
        async with asyncio.timeout(SECONDS):
            await producer.start()
            batch = producer.create_batch()
            for record in records:
                if batch.append(key=KEY, value=json_bytes(record), timestamp=None) is None:
                    raise MessageSizeTooLargeError(f"{len(records)} records in one batch")
            # Any partition will do, for orders are put in their place by their time.
            partition = min(await producer.partitions_for(topic))
            await (await producer.send_batch(batch, topic, partition=partition))
    except (KafkaError, OSError, TimeoutError) as error:
        what = f"{len(records)} records for {topic!r} were not confirmed"
        where = client["bootstrap_servers"]
        raise MonitorError(
            f"Kafka at {where}: {what}: {str(error) or type(error).__name__}"
        ) from None
    finally:
        await producer.stop()
