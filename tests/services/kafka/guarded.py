"""A real Apache Kafka that wants to know who asks: listeners for TLS and for every mechanism of SASL.

Beside the plain listener, by which tests make topics, there is one for each `security_protocol`, and three that send
their clients wherever a test listens between them and the broker: `link`, a plain one; `line`, which wants to know who
asks; and `brief`, which wants to know it again every `SESSION` seconds.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.services.certificates import Authority, Identity
from tests.services.kafka import Kafka
from tests.services.process import HOST, free_port

USER = "monitor"
NAME = "localhost"  # the only one that its certificate has
SESSION = (
    2  # seconds after which the listener `brief` lets nobody go on who does not say again who it is
)
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_SECURITY = "org.apache.kafka.common.security"
_LISTENERS = {
    "tls": "SSL", "guarded": "SASL_SSL", "named": "SASL_PLAINTEXT", "link": "PLAINTEXT",
    "line": "SASL_PLAINTEXT", "brief": "SASL_PLAINTEXT",
}  # fmt: skip
_NAMED = ("guarded", "named", "line", "brief")  # those that ask for names


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each listener is, and to where `link`, `line` and `brief` send their clients."""

    tls: int = field(default_factory=free_port)
    guarded: int = field(default_factory=free_port)
    named: int = field(default_factory=free_port)
    link: int = field(default_factory=free_port)
    between: int = field(default_factory=free_port)
    line: int = field(default_factory=free_port)
    between_names: int = field(default_factory=free_port)
    brief: int = field(default_factory=free_port)
    between_brief: int = field(default_factory=free_port)


class GuardedKafka(Kafka):
    """`authority` vouches for it; `password` is that of `USER`."""

    def __init__(self, workdir: Path, password: str = "q1-Kafka-Secret") -> None:
        super().__init__(workdir)
        self.ports, self.password = Ports(), password
        self.authority = Authority(workdir / "certificates")
        self._own: Identity = self.authority.identity("broker", NAME)

    def at(self, listener: str, host: str = NAME) -> str:
        """`host:port` of a listener."""
        return f"{host}:{getattr(self.ports, listener)}"

    def set_password(self, user: str, password: str, mechanism: str = "SCRAM-SHA-256") -> None:
        """What the user is let in by from now on; who is in stays in. The user is made where there is none."""
        kind = ScramCredentialInfo(ScramMechanism[mechanism.replace("-", "_")], 4096)
        wanted = UserScramCredentialUpsertion(user, kind, password.encode())
        admin = self._admin()  # which must outlive its answer
        admin.alter_user_scram_credentials([wanted])[user].result(20)

    def _users(self) -> list[str]:
        who = f'[name="{USER}",password="{self.password}"]'
        return [
            part
            for mechanism in MECHANISMS
            if mechanism.startswith("SCRAM")
            for part in ("--add-scram", f"{mechanism}={who}")
        ]

    def _properties(self) -> str:
        text = super()._properties()
        listening = "".join(f",{name.upper()}://{self._place(name)}" for name in _LISTENERS)
        told = listening
        between = {
            "link": self.ports.between, "line": self.ports.between_names, "brief": self.ports.between_brief,
        }  # fmt: skip
        for name, port in between.items():
            told = told.replace(
                f"{name.upper()}://{self._place(name)}", f"{name.upper()}://{HOST}:{port}"
            )
        spoken = "".join(f",{name.upper()}:{protocol}" for name, protocol in _LISTENERS.items())
        plain = f"PLAINTEXT://{HOST}:{self.port}"
        text = text.replace(
            f"\nadvertised.listeners={plain}", f"\nadvertised.listeners={plain}{told}"
        )
        text = text.replace(f"\nlisteners={plain}", f"\nlisteners={plain}{listening}")
        text = text.replace("CONTROLLER:PLAINTEXT", f"CONTROLLER:PLAINTEXT{spoken}")
        return "\n".join(
            [text, "listener.name.tls.ssl.client.auth=required", *self._tls(), *self._sasl()]
        )

    def _place(self, listener: str) -> str:
        host = NAME if _LISTENERS[listener] != "PLAINTEXT" else HOST
        return self.at(listener, host)

    def _tls(self) -> list[str]:
        stores = {"keystore": self._own.both, "truststore": self.authority.cafile}
        lines = []
        for name, file in stores.items():
            lines += [f"ssl.{name}.type=PEM", f"ssl.{name}.location={file}"]
        return lines

    def _sasl(self) -> list[str]:
        modules = {
            "plain": f'{_SECURITY}.plain.PlainLoginModule required user_{USER}="{self.password}"',
            "scram-sha-256": f"{_SECURITY}.scram.ScramLoginModule required",
            "scram-sha-512": f"{_SECURITY}.scram.ScramLoginModule required",
            "oauthbearer": f"{_SECURITY}.oauthbearer.OAuthBearerLoginModule required "
            'unsecuredLoginStringClaim_sub="broker"',
        }
        lines = [f"sasl.enabled.mechanisms={','.join(MECHANISMS)}"]
        for listener in _NAMED:
            for mechanism, module in modules.items():
                lines.append(f"listener.name.{listener}.{mechanism}.sasl.jaas.config={module};")
                if listener == "brief":
                    lines.append(
                        f"listener.name.brief.{mechanism}.connections.max.reauth.ms={SESSION * 1000}"
                    )
        return lines


def token(seconds: float = 3600.0) -> str:
    """An unsigned token that is good for so many seconds, as the broker takes them in its default setting."""
    now = time.time()
    parts = {"alg": "none"}, {"sub": USER, "iat": now, "exp": now + seconds}
    said = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return f"{b'.'.join(said).decode()}."
