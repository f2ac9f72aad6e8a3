"""A real Prometheus that scrapes what a test names, every second, and answers queries."""

import json
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.services import find, web
from tests.services.process import HOST, Service, ServiceError


class Prometheus(Service):
    """`url` is its root; `configure` says what to scrape, which rules to run and whom to alert."""

    name = "prometheus"

    def __init__(self, workdir: Path, interval: str = "1s") -> None:
        """`interval` is how often it scrapes and evaluates rules, in Prometheus's notation."""
        super().__init__(workdir)
        self._interval = interval
        self._config = workdir / "prometheus.json"
        self._write_config(targets=(), rule_files=(), alertmanager=None, job="mm-monitor")

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return f"http://{HOST}:{self.port}"

    def command(self) -> list[str]:
        """Listens on loopback only."""
        return [
            find.prometheus() or "prometheus",
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self.workdir / 'data'}",
            f"--web.listen-address={self.address}",
            "--web.enable-lifecycle",
            "--scrape.discovery-reload-interval=100ms",
            "--rules.alert.resend-delay=2s",  # the first may come before the Alertmanager is known
        ]

    def ready(self) -> bool:
        """Its own readiness page."""
        return web.answers(f"{self.url}/-/ready")

    def configure(
        self,
        targets: Sequence[str] = (),
        rule_files: Sequence[Path] = (),
        alertmanager: str | None = None,
        job: str = "mm-monitor",
    ) -> None:
        """Scrapes `targets` (host:port) under `job` from now on, instead of those before.

        It may take 5 s until the first scrape: Prometheus takes up new targets on such a beat.
        `alertmanager` is host:port. Raises ServiceError with Prometheus's words when it refuses
        a rule file.
        """
        self._write_config(targets, rule_files, alertmanager, job)
        if self.running:
            self._reload()

    def use(self, config: dict[str, Any]) -> None:
        """A whole configuration instead, from now on; ServiceError with Prometheus's words when it refuses."""
        self._config.write_text(json.dumps(config, indent=2))
        if self.running:
            self._reload()

    def _reload(self) -> None:
        try:
            web.post(f"{self.url}/-/reload")
        except RuntimeError as refused:  # the answer says only that; the log says why
            raise ServiceError(f"{refused}\n{self.log_tail(5)}") from None

    def _write_config(
        self,
        targets: Sequence[str],
        rule_files: Sequence[Path],
        alertmanager: str | None,
        job: str,
    ) -> None:
        config: dict[str, Any] = {
            "global": {"scrape_interval": self._interval, "evaluation_interval": self._interval},
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": list(targets)}]}],
            "rule_files": [str(path.resolve()) for path in rule_files],
        }
        if alertmanager is not None:
            config["alerting"] = {
                "alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]
            }
        self._config.write_text(json.dumps(config, indent=2))  # YAML reads JSON

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector of a PromQL expression: `{"metric": {...}, "value": [t, "text"]}`s."""
        query = urllib.parse.urlencode({"query": expression})
        answer = web.get_json(f"{self.url}/api/v1/query?{query}")
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def value(self, expression: str) -> float | None:
        """The number that an expression with one result gives now, or None without a result."""
        result = self.query(expression)
        if len(result) > 1:
            raise ValueError(f"{expression} has {len(result)} results, not one")
        return float(result[0]["value"][1]) if result else None

    def alerts(self) -> list[dict[str, Any]]:
        """The pending and firing alerts of its rules."""
        answer: list[dict[str, Any]] = web.get_json(f"{self.url}/api/v1/alerts")["data"]["alerts"]
        return answer

    def targets(self) -> list[dict[str, Any]]:
        """The active targets with their health and last error."""
        answer = web.get_json(f"{self.url}/api/v1/targets")
        found: list[dict[str, Any]] = answer["data"]["activeTargets"]
        return found
