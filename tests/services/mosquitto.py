"""A real Mosquitto, anonymous on loopback, that keeps its retained messages over a kill."""

import os
import pwd
from pathlib import Path

from tests.services import find
from tests.services.process import HOST, Service, listening

_CONFIG = """\
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {data}/
autosave_on_changes true
autosave_interval 1
log_dest stderr
user {user}
{extra}
"""


class Mosquitto(Service):
    """`host`, `port`; `extra` is appended to the configuration."""

    name = "mosquitto"
    host = HOST

    def __init__(self, workdir: Path, extra: str = "") -> None:
        """Writes nothing before the start."""
        super().__init__(workdir)
        self.extra = extra

    def command(self) -> list[str]:
        """Every change is saved at once, so that a SIGKILL loses nothing that was acknowledged."""
        data = self.workdir / "data"
        data.mkdir(exist_ok=True)
        config = self.workdir / "mosquitto.conf"
        # Started as root it would drop to its own user, who cannot write here.
        user = pwd.getpwuid(os.geteuid()).pw_name
        config.write_text(
            _CONFIG.format(port=self.port, host=HOST, data=data, user=user, extra=self.extra)
        )
        return [find.mosquitto() or "mosquitto", "-c", str(config)]

    def ready(self) -> bool:
        """It listens only when it is ready."""
        return listening(self.port)
