"""A real Alertmanager, alone (no cluster), that groups nothing and waits for nothing."""

import urllib.parse
from pathlib import Path
from typing import Any

from tests.services import find, web
from tests.services.process import HOST, Service

DEFAULT_CONFIG = """\
route:
  receiver: nobody
  group_by: ["..."]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: nobody
"""


class Alertmanager(Service):
    """`url` is its root; `config` is the text of alertmanager.yml, read at every start."""

    name = "alertmanager"

    def __init__(self, workdir: Path, config: str = DEFAULT_CONFIG) -> None:
        """Keeps silences and the notification log in `workdir`; alerts live in memory only."""
        super().__init__(workdir)
        self.config = config

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return f"http://{HOST}:{self.port}"

    def command(self) -> list[str]:
        """Listens on loopback only and joins no cluster."""
        config = self.workdir / "alertmanager.yml"
        config.write_text(self.config)
        return [
            find.alertmanager() or "prometheus-alertmanager",
            f"--config.file={config}",
            f"--storage.path={self.workdir / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]

    def ready(self) -> bool:
        """Its own readiness page."""
        return web.answers(f"{self.url}/-/ready")

    def status(self) -> dict[str, Any]:
        """The answer of /api/v2/status."""
        answer: dict[str, Any] = web.get_json(f"{self.url}/api/v2/status")
        return answer

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """The active alerts whose labels equal these, as /api/v2/alerts gives them."""
        matchers = [("filter", f'{key}="{value}"') for key, value in labels.items()]
        query = urllib.parse.urlencode(matchers)
        found: list[dict[str, Any]] = web.get_json(f"{self.url}/api/v2/alerts?{query}")
        return found

    def post_alerts(self, alerts: list[dict[str, Any]]) -> None:
        """Posts alerts as a Prometheus would."""
        web.post(f"{self.url}/api/v2/alerts", alerts)
