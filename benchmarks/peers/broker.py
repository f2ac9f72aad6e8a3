"""A real Kafka that holds the job's ticks, one 48-byte value for each, if this machine has one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from confluent_kafka import Producer

from benchmarks.peers.job import VALUE, Job, values
from tests.services import find
from tests.services.kafka import Kafka

TOPIC = "ticks"
LINGER = 50_000  # records handed to the producer between two looks at its queue


@contextmanager
def filled(job: Job, directory: Path) -> Iterator[str]:
    """The address of a broker that has the ticks in one partition; "" where there is no Kafka."""
    if find.java() is None or not find.kafka_jars().is_dir():
        sys.stdout.write("!! there is no Kafka here (make services): confluent-kafka is left out\n")
        yield ""
        return
    directory.mkdir()
    with Kafka(directory) as kafka:
        kafka.create_topic(TOPIC)
        _produce(kafka.bootstrap, values(job))
        yield kafka.bootstrap


def _produce(bootstrap: str, rows: np.ndarray) -> None:
    settings = {
        "bootstrap.servers": bootstrap,
        "queue.buffering.max.messages": 2 * LINGER,
        "acks": 1,
    }
    producer = Producer(settings)
    buffer = rows.tobytes()
    for at in range(len(rows)):
        producer.produce(
            TOPIC, buffer[at * VALUE.itemsize : (at + 1) * VALUE.itemsize], partition=0
        )
        if at % LINGER == LINGER - 1:
            producer.flush()
    producer.flush()
