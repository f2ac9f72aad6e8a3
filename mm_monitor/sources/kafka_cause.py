"""Why Kafka cannot be reached, in a sentence: clients only say that they could not bootstrap.

Each bootstrap address is tried once, by hand, and the first real cause is told.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from mm_monitor.sources.kafka_options import KafkaOptions, client_settings

_TRY = 5.0  # seconds for one address


async def why_unreachable(options: KafkaOptions) -> str:
    """The causes, one for each address, or "" if one of them answers. Raises ConfigError only."""
    settings = client_settings(options)
    settings.pop("bootstrap_servers")
    causes: list[str] = []
    for host, port, _ in collect_hosts(options.bootstrap):
        cause = await _try(host, port, settings)
        if not cause:
            return ""
        causes.append(f"{host}:{port}: {cause}")
    return "; ".join(causes)


async def _try(host: str, port: int, settings: dict[str, Any]) -> str:
    try:
        async with asyncio.timeout(_TRY):
            connection = await create_conn(host, port, **settings)
            if settings.get("sasl_mechanism") == "OAUTHBEARER":
                await _ask(connection)
    except (TimeoutError, OSError, KafkaError, ssl.SSLError, UnicodeError) as error:
        return cause_of(error)
    connection.close()
    return ""


async def _ask(connection: Any) -> None:
    """A refused token only shows at the first request behind it: the client does not read the refusal."""
    each_version = not callable(MetadataRequest)  # of a client before 0.13
    request = (MetadataRequest[0] if each_version else MetadataRequest)([])
    answer = await connection.send(request)
    if not answer.brokers:
        raise AuthenticationFailedError("it tells us nothing")


def cause_of(error: BaseException) -> str:
    """What a person would call this failure."""
    for kind, text in _TEXTS:
        if isinstance(error, kind):
            return text.format(error=str(error) or type(error).__name__)
    if "refused" in str(error) or "Connect call failed" in str(error):
        return "connection refused: nothing listens there"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


# The most special first.
_Kinds = type[BaseException] | tuple[type[BaseException], ...]
_TEXTS: tuple[tuple[_Kinds, str], ...] = (
    (socket.gaierror, "the host name cannot be resolved ({error})"),
    (ConnectionRefusedError, "connection refused: nothing listens there"),
    (ssl.SSLCertVerificationError, "TLS: the broker's certificate is not trusted ({error})"),
    (ssl.SSLError, "TLS: no handshake, perhaps the port speaks plain text ({error})"),
    (
        (AuthenticationFailedError, SaslAuthenticationFailed),
        "SASL: user name, password or token refused ({error})",
    ),
    (UnsupportedSaslMechanismError, "SASL: the broker does not offer the mechanism ({error})"),
    (IllegalSaslStateError, "SASL: the broker wants another handshake ({error})"),
    (TimeoutError, "no answer: a wrong port, a firewall, or the port wants TLS"),
    (
        KafkaConnectionError,
        "the broker closed the connection: it may want TLS or SASL on this port ({error})",
    ),
    (ConnectionResetError, "the broker closed the connection: it may want TLS on this port"),
)
