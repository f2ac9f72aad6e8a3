"""Real services for tests: Kafka, Mosquitto, Prometheus, Alertmanager as processes of ours.

`tests.services.fixtures` gives one running instance of each to a whole test session; a test that
needs its own uses the class as a context manager: `with Mosquitto(tmp_path) as broker: ...`.
"""

from tests.services.alertmanager import Alertmanager
from tests.services.kafka import Kafka
from tests.services.mosquitto import Mosquitto
from tests.services.process import Service, ServiceError, free_port
from tests.services.prometheus import Prometheus
from tests.services.require import missing_reason, require_service
from tests.services.wait import eventually

__all__ = [
    "Alertmanager",
    "Kafka",
    "Mosquitto",
    "Prometheus",
    "Service",
    "ServiceError",
    "eventually",
    "free_port",
    "missing_reason",
    "require_service",
]
