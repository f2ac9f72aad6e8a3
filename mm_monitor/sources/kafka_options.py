"""How to reach Kafka, what to read there and when to say what: plain settings of the Kafka source.

Secrets come in as the places where they are kept, files or `env:NAME`, and every connection looks there anew: whoever
changes a password at the brokers changes the file, too, and nothing is started again.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiokafka import client as stock
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import AuthenticationFailedError

from mm_monitor.codecs.fix_quotes import FixTags
from mm_monitor.codecs.registry import SchemaRegistry
from mm_monitor.errors import ConfigError
from mm_monitor.secret import read_secret

MS = 1_000_000
SECOND = 1_000_000_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """The brokers and how they know us."""

    bootstrap: str = "127.0.0.1:9092"  # host:port, several with commas
    client_id: str = "mm-monitor"
    group: str = ""  # consumer group for quotes and theo; "" = read `partitions`
    partitions: tuple[int, ...] = ()  # of quotes and theo; () = all of them
    worker: tuple[int, int] | None = (
        None  # (k, n): read every n-th partition, from the k-th on (k from 1)
    )
    security_protocol: str = "PLAINTEXT"  # PLAINTEXT | SSL | SASL_PLAINTEXT | SASL_SSL
    sasl_mechanism: str = "PLAIN"  # PLAIN | SCRAM-SHA-256 | SCRAM-SHA-512 | OAUTHBEARER
    sasl_username: str = ""
    sasl_password_file: str = ""
    sasl_token_file: str = ""  # of OAUTHBEARER, instead of user and password
    ssl_cafile: str = ""  # "" = the system's certificates
    ssl_certfile: str = ""
    ssl_keyfile: str = ""
    fetch_max_wait: int = 50 * MS  # ns that a broker may hold a fetch open
    fetch: str = (
        "auto"  # auto | raw | getmany: record batches as they are, or records made by the client
    )
    max_records: int = 5000  # most records that one poll takes in by getmany
    max_bytes: int = 4 << 20  # most bytes of records that one poll takes in as they are
    partition_bytes: int = 2 << 20  # most bytes of one partition that a broker sends at once
    request_timeout: int = 10 * SECOND
    sequence_header: str = ""  # in which feeds number their records; "" = they do not


@dataclass(frozen=True, slots=True)
class KafkaFeeds:
    """Topics by what they carry, and the codecs of the two that have a choice."""

    quotes: str = "mm.quotes"
    theo: str = "mm.theo"
    control: str = "mm.control"
    reference: str = ""  # compacted; "" = none
    quotes_codec: str = "json"
    theo_codec: str = "json"
    fix: FixTags = field(default_factory=FixTags)  # of quotes in FIX
    registry: SchemaRegistry | None = None  # of avro and protobuf


@dataclass(frozen=True, slots=True)
class TapeTimes:
    """Durations in ns that decide what is late, ahead, idle or silent."""

    lateness: int = 0
    max_ahead: int = 5 * SECOND  # a record further ahead of our clock is dead-lettered
    silent_after: int = 30 * SECOND
    idle_after: int = 500 * MS
    theo_silent_after: int = 0  # a class without theos for longer is down; 0 = never
    lost_after: int = 3 * SECOND  # a partition whose broker has not answered for longer is down


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]
    """The token of OAUTHBEARER: read at every connection, for whoever fetches tokens writes new ones there."""

    def __init__(self, place: str) -> None:
        self._place = place

    async def token(self) -> str:
        """What is there now. Raises AuthenticationFailedError, which a reconnect outlives."""
        return _or_refused(self.read)

    def read(self) -> str:
        """The same. Raises ConfigError."""
        return read_secret("kafka.sasl_token_file", self._place).strip()


class Password(str):
    """The user's password as it was when it was read, for a client that only takes text; `now` reads it again."""

    __slots__ = ("_place",)
    _place: str

    @classmethod
    def of(cls, place: str) -> Password:
        """What is there now. Raises ConfigError."""
        made = cls(read_secret("kafka.sasl_password_file", place))
        made._place = place
        return made

    def now(self) -> Password:
        """The same place's. Raises AuthenticationFailedError, which a reconnect outlives."""
        return _or_refused(lambda: Password.of(self._place))


def client_settings(options: KafkaOptions) -> dict[str, Any]:
    """Connection settings as aiokafka's consumers, producers and admin clients take them.

    Raises ConfigError for a file that cannot be read.
    """
    settings: dict[str, Any] = {
        "bootstrap_servers": options.bootstrap,
        "client_id": options.client_id,
        "security_protocol": options.security_protocol,
        "request_timeout_ms": options.request_timeout // MS,
    }
    if options.security_protocol.endswith("SSL"):
        settings["ssl_context"] = _tls(options)
    if options.security_protocol.startswith("SASL"):
        settings["sasl_mechanism"] = options.sasl_mechanism
        settings.update(_credentials(options))
    return settings


def _credentials(options: KafkaOptions) -> dict[str, Any]:
    if options.sasl_mechanism == "OAUTHBEARER":
        tokens = TokenFile(options.sasl_token_file)
        tokens.read()
        return {"sasl_oauth_token_provider": tokens}
    password = Password.of(options.sasl_password_file)
    return {"sasl_plain_username": options.sasl_username, "sasl_plain_password": password}


def _or_refused(read: Callable[[], T]) -> T:
    try:
        return read()
    except ConfigError as error:
        raise AuthenticationFailedError(str(error)) from None


def _with_what_is_there_now(
    connect: Callable[..., Awaitable[Any]],
) -> Callable[..., Awaitable[Any]]:
    """The client's way to connect, but for a `Password`: a client keeps the one that it was made with."""

    async def create_conn(*where: Any, sasl_plain_password: str | None = None, **how: Any) -> Any:
        known = sasl_plain_password
        password = known.now() if isinstance(known, Password) else known
        return await connect(*where, sasl_plain_password=password, **how)

    return create_conn


stock.create_conn = _with_what_is_there_now(
    stock.create_conn
)  # an OAUTHBEARER token has its provider


def _tls(options: KafkaOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ssl_cafile or None)
    except (OSError, ssl.SSLError) as error:
        requirement = f"a file of PEM certificates ({error})"
        raise ConfigError("kafka.ssl_cafile", requirement, options.ssl_cafile) from None
    if options.ssl_certfile:
        try:
            context.load_cert_chain(options.ssl_certfile, options.ssl_keyfile or None)
        except (OSError, ssl.SSLError) as error:
            requirement = f"a PEM certificate with its key ({error})"
            raise ConfigError("kafka.ssl_certfile", requirement, options.ssl_certfile) from None
    return context
