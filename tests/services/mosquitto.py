"""A real Mosquitto, anonymous on loopback, that keeps its retained messages over a kill."""

import os
import pwd
import subprocess
from pathlib import Path

from tests.services import find
from tests.services.certificates import Authority
from tests.services.process import HOST, Service, ServiceError, free_port, listening

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


class GuardedMosquitto(Service):
    """That of deploy/mosquitto: TLS on `localhost`, passwords at `port`, certificates at `by_certificate`."""

    name = "mosquitto"
    host = "localhost"

    def __init__(self, workdir: Path, deploy: Path, users: dict[str, str]) -> None:
        """`deploy` holds the configuration, `users` are names and passwords."""
        super().__init__(workdir)
        self.by_certificate = free_port()
        self.authority = Authority(workdir)
        self.authority.identity("broker", self.host)
        self._deploy = deploy
        for name, password in users.items():
            self._add(name, password)

    def _add(self, name: str, password: str) -> None:
        program, file = find.program("mosquitto_passwd"), self.workdir / "passwords"
        if program is None:
            raise ServiceError("no mosquitto_passwd on the PATH, which comes with mosquitto")
        create = [] if file.exists() else ["-c"]
        subprocess.run([program, "-b", *create, str(file), name, password], check=True)

    def command(self) -> list[str]:
        """The files of `deploy` with our directories and ports, and a user who may read them."""
        (self.workdir / "makers.acl").write_text((self._deploy / "makers.acl").read_text())
        text = (self._deploy / "mosquitto.conf").read_text()
        text = text.replace("/etc/mosquitto/mm-monitor", str(self.workdir))
        text = text.replace("/var/lib/mosquitto", str(self.workdir))
        text = text.replace("listener 8883", f"listener {self.port} {self.host}")
        text = text.replace("listener 8884", f"listener {self.by_certificate} {self.host}")
        config = self.workdir / "mosquitto.conf"
        config.write_text(f"user {pwd.getpwuid(os.geteuid()).pw_name}\nlog_dest stderr\n{text}")
        return [find.mosquitto() or "mosquitto", "-c", str(config)]

    def ready(self) -> bool:
        """Both ports listen."""
        return listening(self.port) and listening(self.by_certificate)
