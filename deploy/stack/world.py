"""The stack put together: Kafka, Mosquitto, Alertmanager, Prometheus, simulator and monitor, each told of the others.

Prometheus and Alertmanager get the files of deploy/ with the addresses of this machine, and shorter waits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import yaml

from deploy.stack.parts import PARTITIONS, TOPICS, Market, Monitor
from mm_monitor.evidence.keys import SealingKey
from tests.services import Alertmanager, Kafka, Mosquitto, Prometheus
from tests.services.receiver import Receiver

DEPLOY = Path(__file__).resolve().parents[1]
VENUE = "stack"
RUNBOOKS = "http://docs.example/runbooks"
SMALL = {"makers": 8, "contracts": 16, "classes": 2, "rate": 400}


class Stack:
    """Everything, running while the context lasts; `kafka` may be one that runs already."""

    def __init__(self, folder: Path, seconds: int, kafka: Kafka | None = None,
                 market: Mapping[str, int] = SMALL) -> None:  # fmt: skip
        """`folder` keeps all state; the session lasts `seconds`."""
        self.folder, self.seconds, self._options = folder, seconds, market
        self._running = ExitStack()
        self._given = kafka
        self.receiver = Receiver()
        self.mosquitto = Mosquitto(folder / "mosquitto")
        self.kafka = kafka or Kafka(folder / "kafka")
        self.prometheus = Prometheus(folder / "prometheus")
        self.alertmanager = Alertmanager(folder / "alertmanager", self._alertmanager_config())
        self.market = Market(folder / "simulator", self.kafka, seconds, market)
        self.monitor = Monitor(folder / "monitor")
        self.monitor.sections = self._monitor_config()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            for service in (self.receiver, self.mosquitto, self.alertmanager, self.prometheus):
                starting.enter_context(service)
            if self._given is None:
                starting.enter_context(self.kafka)
            self._make_topics()
            SealingKey.create(self.folder / "evidence.pem")
            starting.enter_context(self.market)
            starting.enter_context(self.monitor)
            self.prometheus.use(self._prometheus_config())
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._running.close()

    def _make_topics(self) -> None:
        for feed, topic in TOPICS.items():
            self.kafka.create_topic(topic, PARTITIONS[feed], retention_ms="-1")

    def _monitor_config(self) -> dict[str, dict[str, Any]]:
        state = self.folder / "monitor"
        return {
            "kafka": {"bootstrap": self.kafka.bootstrap, "fetch_max_wait": "20ms"},
            "topics": {**TOPICS, "reference": "", "dead_letter": ""},
            "codecs": {"quotes": "json", "theo": "json"},
            "reference": {"directory": str(self.market.reference)},
            "rulebooks": {"names": [str(self.market.rulebook)]},
            "metrics": {"per_contract": True},
            "alertmanager": {
                "urls": [self.alertmanager.url], "resend_every": "1s", "venue": VENUE,
                "monitor_url": self.monitor.url, "runbooks_url": RUNBOOKS,
                "dashboards_url": "http://localhost:3000",
            },
            "mqtt": {"host": self.mosquitto.host, "port": self.mosquitto.port},
            "journal": {"directory": str(state / "journal")},
            "checkpoint": {"directory": str(state / "checkpoint")},
            "evidence": {"directory": str(state / "evidence"),
                         "key_file": str(self.folder / "evidence.pem")},
            "ledger": {"directory": str(state / "ledger")},
            "log": {"format": "json"},
        }  # fmt: skip

    def _alertmanager_config(self) -> str:
        text = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
        text = text.replace("http://alert-receiver:9095", self.receiver.url)
        return re.sub(r"group_(wait|interval): \w+", r"group_\1: 1s", text)

    def _prometheus_config(self) -> dict[str, Any]:
        path = DEPLOY / "prometheus" / "prometheus.yml"
        config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["global"]["external_labels"] |= {
            "venue": VENUE, "runbooks": RUNBOOKS,
        }  # fmt: skip
        config["rule_files"] = [str(path.parent / name) for name in config["rule_files"]]
        (managers,) = config["alerting"]["alertmanagers"]
        managers["static_configs"] = [{"targets": [self.alertmanager.address]}]
        (job,) = config["scrape_configs"]
        job["static_configs"] = [{"targets": [self.monitor.address]}]
        return config

    def addresses(self) -> dict[str, str]:
        """Where a person or a program finds each part."""
        return {
            "board, API, metrics": f"{self.monitor.url}/  {self.monitor.url}/api/v1/status  {self.monitor.url}/metrics",
            "Prometheus": f"{self.prometheus.url}/classic/alerts",
            "Alertmanager": f"{self.alertmanager.url}  (amtool --alertmanager.url={self.alertmanager.url} alert)",
            "Kafka": f"{self.kafka.bootstrap}  topics {', '.join(TOPICS.values())}",
            "MQTT": f"{self.mosquitto.host}:{self.mosquitto.port}  topics mm-monitor/#",
            "webhooks": f"{self.receiver.url}  (this process: what it is posted is printed here)",
            "state and logs": str(self.folder),
        }
