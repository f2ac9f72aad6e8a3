"""Session fixtures: one running instance of each real service, started for its first test.

A fault test may stop or kill one; whatever it leaves down is up again before the next test.
"""

from collections.abc import Iterator
from typing import TypeVar

import pytest

from tests.services.alertmanager import Alertmanager
from tests.services.kafka import Kafka
from tests.services.kafka.guarded import GuardedKafka
from tests.services.mosquitto import Mosquitto
from tests.services.process import Service
from tests.services.prometheus import Prometheus
from tests.services.require import NAMES, require_service

_SHARED: list[Service] = []
S = TypeVar("S", bound=Service)


def _shared(service: S) -> Iterator[S]:
    with service:
        _SHARED.append(service)
        yield service
        _SHARED.remove(service)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A running Kafka; make topics with `kafka.unique_topic("stem")`."""
    require_service("kafka")
    yield from _shared(Kafka(tmp_path_factory.mktemp("kafka")))


@pytest.fixture(scope="session")
def guarded_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    """A running Kafka with listeners for TLS and SASL, and one that sends its clients through a test's own port."""
    require_service("kafka")
    yield from _shared(GuardedKafka(tmp_path_factory.mktemp("guarded-kafka")))


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A running Mosquitto; tests share it, so each uses topics of its own."""
    require_service("mosquitto")
    yield from _shared(Mosquitto(tmp_path_factory.mktemp("mosquitto")))


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A running Prometheus that scrapes nothing until `prometheus.configure(targets=[...])`."""
    require_service("prometheus")
    yield from _shared(Prometheus(tmp_path_factory.mktemp("prometheus")))


@pytest.fixture(scope="session")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """A running Alertmanager; tests share it, so each filters by labels of its own."""
    require_service("alertmanager")
    yield from _shared(Alertmanager(tmp_path_factory.mktemp("alertmanager")))


@pytest.fixture(autouse=True)
def _services_are_up() -> Iterator[None]:
    yield
    for service in _SHARED:
        service.start()


def mark_by_fixture(items: list[pytest.Item]) -> None:
    """Marks tests `kafka` or `services` by the fixtures they use, for `-m` to leave out."""
    for item in items:
        used = set(getattr(item, "fixturenames", ()))
        if used & {"kafka", "guarded_kafka"}:
            item.add_marker(pytest.mark.kafka)
        if used & set(NAMES) - {"kafka"}:
            item.add_marker(pytest.mark.services)
