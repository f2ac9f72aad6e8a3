"""The tables of the service's file, each with its keys, their defaults and what they mean.

Durations are text in the file and int ns here. Secrets are elsewhere: the keys name a file, or `env:NAME`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mm_monitor.config_values import (
    CODEC,
    CONTRACT_TAG,
    COUNT,
    DURATION,
    MAKER_TAG,
    MECHANISMS,
    PATTERNS,
    PORT,
    PROTOCOLS,
    QUOTES_CODEC,
    SOME_TIME,
    addresses_of,
    mqtt_prefix_of,
    partitions_of,
    rate_of,
    secret_of,
    share_of,
    time_of_day,
    time_or_never,
    topic_of,
    topic_or_none,
    url_of,
    url_or_none,
    worker_of,
    zone_of,
)
from mm_monitor.logs import FORMATS, LEVELS
from mm_monitor.tables import (
    Key,
    Parser,
    Place,
    boolean,
    choice,
    filled,
    integer,
    list_of,
    text,
)
from mm_monitor.theo.cascade import FEED, SOURCES
from mm_monitor.theo.models import MODELS

MAX_INT = 2**31 - 1


def _key(
    default: object, parse: Parser, doc: str, *, path: bool = False, secret: bool = False
) -> Any:
    """A field with its default as it would stand in the file; `path` names a file or directory.

    `secret` names the file or the environment variable that holds one.
    """
    value = parse(default, Place("", []))
    key = Key(parse, default=value, doc=doc)
    return field(
        default=value,
        metadata={"key": key, "toml": default, "path": path or secret, "secret": secret},
    )


@dataclass(frozen=True, slots=True)
class Service:
    """Who this process is."""

    id: str = _key(
        "mm-monitor-1",
        filled,
        "Tells apart several monitors that share a broker; part of MQTT client ids and logs.",
    )


@dataclass(frozen=True, slots=True)
class Kafka:
    """How to reach the brokers, and which partitions to read."""

    bootstrap: str = _key(
        "127.0.0.1:9092", addresses_of, "Brokers to ask first, `host:port`, with commas between."
    )
    client_id: str = _key("mm-monitor", filled, "Name under which the brokers log this client.")
    group: str = _key(
        "",
        text,
        "Consumer group of one worker, which is given all partitions; several need `worker`. Empty: read `partitions`.",
    )
    worker: tuple[int, int] | None = _key(
        "",
        worker_of,
        "`K/N`: this is the K-th of N workers, reads every N-th partition and judges the classes whose keys fall there "
        "([scaling](scaling.md)); a `group` then only has its offsets. `*/N`: this process runs those of the "
        "N that the `group` [gives it](scaling.md#workers-that-come-and-go). Empty: there is one worker.",
    )
    session: int = _key(
        "20s",
        SOME_TIME,
        "With `*/N`: after so long without a sign of life others take over what a process ran.",
    )
    partitions: tuple[int, ...] = _key(
        "all", partitions_of, 'Without a group: `"all"`, or a list of partition numbers.'
    )
    security_protocol: str = _key(
        "PLAINTEXT", choice(*PROTOCOLS), f"One of {', '.join(PROTOCOLS)}."
    )
    sasl_mechanism: str = _key("PLAIN", choice(*MECHANISMS), f"One of {', '.join(MECHANISMS)}.")
    sasl_username: str = _key("", text, "User, for the SASL protocols.")
    sasl_password_file: str = _key(
        "", secret_of, "File that holds the user's password, or `env:NAME`.", secret=True
    )
    sasl_token_file: str = _key(
        "",
        secret_of,
        "File that holds the token of OAUTHBEARER, read anew at every connection, or `env:NAME`; instead of user and "
        "password.",
        secret=True,
    )
    ssl_cafile: str = _key("", text, "Certificates to trust (PEM); empty: the system's.", path=True)
    ssl_certfile: str = _key("", text, "Our certificate (PEM), for mutual TLS.", path=True)
    ssl_keyfile: str = _key("", text, "Our private key (PEM), for mutual TLS.", path=True)
    fetch_max_wait: int = _key("50ms", SOME_TIME, "Longest that a broker may hold a fetch open.")
    fetch: str = _key(
        "auto",
        choice("auto", "raw", "getmany"),
        "How records are taken in: `raw` reads whole record batches, `getmany` has the client make an object of each "
        "record, which is ten times slower; `auto` is `raw` unless the installed aiokafka is one we do not know.",
    )
    max_records: int = _key(5000, COUNT, "Most records that one poll takes in by `getmany`.")


@dataclass(frozen=True, slots=True)
class Topics:
    """Where records come from and events go."""

    quotes: str = _key("mm.quotes", topic_of, "Quotes, keyed by class.")
    theo: str = _key("mm.theo", topic_of, "Theos, keyed by class, partitioned as the quotes.")
    control: str = _key(
        "mm.control",
        topic_of,
        "Phases, exemptions, feed, stress, underlyings, vols, reference, requests, fills, positions, sessions, "
        "rejects; JSON.",
    )
    reference: str = _key(
        "mm.reference", topic_or_none, "Compacted topic of contracts and makers; empty: none."
    )
    breaches: str = _key("mm.breaches", topic_of, "Breach events, as CloudEvents in JSON.")
    accruals: str = _key(
        "",
        topic_or_none,
        "Compacted topic to which every worker writes what its classes came to, for "
        "[`report rollup`](scaling.md#the-roll-up); empty: none.",
    )
    checkpoints: str = _key(
        "mm.checkpoints",
        topic_of,
        'Compacted topic of checkpoints, a partition for each share, with `checkpoint.store = "topic"`.',
    )
    dead_letter: str = _key(
        "mm.dead-letter", topic_or_none, "Records that could not be used; empty: none."
    )


@dataclass(frozen=True, slots=True)
class Codecs:
    """How records are written."""

    quotes: str = _key(
        "json", QUOTES_CODEC, "Quotes: `json`, `packed`, `fix`, `avro`, `protobuf` or `arrow`."
    )
    theo: str = _key("json", CODEC, "Theos: `json`, `packed`, `avro`, `protobuf` or `arrow`.")
    fix_maker: str = _key("49", MAKER_TAG, "The maker's tag in [FIX](fix.md#tags).")
    fix_contract: str = _key("55", CONTRACT_TAG, "The contract's tag in [FIX](fix.md#tags).")
    registry: str = _key(
        "", text, "Schema registry of avro and protobuf, `http://host:port`; empty: none."
    )
    registry_user: str = _key("", text, "Its user; empty: it asks for none.")
    registry_password_file: str = _key(
        "", secret_of, "File that holds that user's password, or `env:NAME`.", secret=True
    )


@dataclass(frozen=True, slots=True)
class Reference:
    """Contracts, makers and accounts from files; see also `topics.reference`."""

    directory: str = _key(
        "",
        text,
        "Directory of `contracts.csv`, `makers.csv`, `accounts.csv`, or of such by date "
        "(`YYYY-MM-DD`: the newest that is not after the trading date); empty: none.",
        path=True,
    )


@dataclass(frozen=True, slots=True)
class Rulebooks:
    """By what makers are judged."""

    names: tuple[str, ...] = _key(
        ["szse-2025"],
        list_of(filled, "rulebooks", at_least=1),
        "Shipped rulebooks by name, own ones by file (with a `/` or ending in `.toml`); each "
        "judges by itself.",
    )
    phases: str = _key(
        "calendar",
        choice("calendar", "feed"),
        "Who says in which phase the market is: the rulebook's `calendar`, or records (`feed`).",
    )


@dataclass(frozen=True, slots=True)
class Tape:
    """Event time: what is late, what is ahead, what is silent."""

    lateness: int = _key(
        "200ms",
        DURATION,
        "How far the watermark stays behind, for stragglers and for control records of other connections.",
    )
    max_ahead: int = _key(
        "5s", SOME_TIME, "A record further than this ahead of our clock is dead-lettered."
    )
    silent_after: int = _key(
        "30s", SOME_TIME, "A source silent for longer is down: its time is unknown."
    )
    theo_silent_after: int = _key(
        "",
        time_or_never,
        "A class whose theos have stopped for longer is down, for feeds that repeat theos; empty: never, and the "
        "rulebook's `theo.max_age` decides alone.",
    )
    sequence_header: str = _key(
        "",
        text,
        "Kafka header in which feeds number their records, `17` or `NAME:17`: a hole makes the time of the partition's "
        "classes unknown. Read by `getmany` only. Empty: none.",
    )
    clock_step: int = _key(
        "1s",
        SOME_TIME,
        "A greater step of our machine's clock makes time unknown until the next record, and does not move ours.",
    )
    idle_after: int = _key(
        "500ms", SOME_TIME, "A partition idle for longer no longer holds up the watermark."
    )
    clock_resolution: int = _key(
        "1ns",
        SOME_TIME,
        "Of the clock that writes ts_event; no latency is published finer than this.",
    )
    start: str = _key(
        "trading_date",
        choice("trading_date", "earliest", "latest"),
        "Without a checkpoint, read from the beginning of the `trading_date`, the `earliest` "
        "record or the `latest`.",
    )
    lost_after: int = _key(
        "3s",
        SOME_TIME,
        "A partition whose broker does not answer for longer is down: its time is unknown. More than a failover takes.",
    )
    far_ahead: int = _key("5s", SOME_TIME, "A partition this far ahead of the watermark is paused.")
    most_rows: int = _key(
        2_000_000,
        COUNT,
        "While more rows than these (of 56 bytes) wait for the watermark, only partitions that hold it back are read.",
    )


@dataclass(frozen=True, slots=True)
class Theo:
    """Theos that the theo topic does not give, computed from `vol` and `underlying` records or from the book.

    See [theo](theo.md#in-the-service). The journal keeps them, so it must have a directory.
    """

    sources: tuple[str, ...] = _key(
        [],
        list_of(choice(*(s for s in SOURCES if s != FEED)), "sources"),
        "Which sources are asked where the theo topic has nothing fresh, in this order: `vol`, `surface`, "
        "`fit` (to what makers quote on the expiry); empty: no theo is computed.",
    )
    model: str = _key("black76", choice(*MODELS), f"One of {', '.join(MODELS)}.")
    rate: float = _key("0%", rate_of, "Interest a year, continuous.")
    dividend: float = _key("0%", rate_of, "Dividend yield a year, continuous.")
    every: int = _key("1s", SOME_TIME, "Event time between two looks at what is to be computed.")
    max_age: int = _key(
        "1m", SOME_TIME, "A theo of the topic, or a price of the underlying, this old is missed."
    )
    vol_max_age: int = _key("24h", SOME_TIME, "A vol this old is missed.")
    expires_at: int = _key("24:00", time_of_day, "Time of day at which options expire.")
    timezone: str = _key("UTC", zone_of, "Whose time of day.")
    disagreement: float | None = _key(
        "5%",
        share_of,
        "By how much of the larger one a theo of the topic must differ from ours to be counted; empty: not compared.",
    )


@dataclass(frozen=True, slots=True)
class Signals:
    """[Signals](signals.md) of every maker while the day goes on: numbers to look at, never breaches."""

    enabled: bool = _key(
        False,
        boolean,
        "Watch? It costs about a microsecond for each quote and rulebook, ten times what judging does.",
    )
    every: int = _key("1s", SOME_TIME, "How often one maker of each rulebook is looked at.")


@dataclass(frozen=True, slots=True)
class Http:
    """The web page, `/metrics`, `/healthz`, `/readyz` and the JSON API."""

    host: str = _key("127.0.0.1", filled, "Address to listen on.")
    port: int = _key(8088, PORT, "Port to listen on; 0: any free one.")
    tokens_file: str = _key(
        "",
        text,
        "File of [tokens](security.md#tokens) and what each may see; empty: who reaches the port sees all.",
        path=True,
    )
    open_to_all: bool = _key(
        False, boolean, "Listen beyond loopback without tokens? Who reaches the port sees all."
    )
    certfile: str = _key("", text, "Our certificate (PEM), for HTTPS; empty: HTTP.", path=True)
    keyfile: str = _key("", text, "Its private key (PEM).", path=True)
    streams: int = _key(
        500, COUNT, "Most browsers and programs that follow the live stream at a time."
    )
    watched: int = _key(
        32,
        COUNT,
        "Most obligations whose quotes are remembered for a chart, each only while somebody looks at it.",
    )
    history: int = _key(
        2_000, COUNT, "Most changes that are remembered of one; a change takes about 300 bytes."
    )


@dataclass(frozen=True, slots=True)
class Metrics:
    """Series for single contracts at `/metrics`; those for makers and classes are always there.

    A pattern is a shell pattern of the contract, or of `maker/contract` if it has a slash.
    """

    per_contract: bool = _key(False, boolean, "Give obligations series of their own?")
    allow: tuple[str, ...] = _key([], PATTERNS, "Only those that match; empty: all.")
    deny: tuple[str, ...] = _key([], PATTERNS, "Never those that match.")
    max_series: int = _key(
        10_000,
        integer(0, MAX_INT),
        "Most obligations of a rulebook that get series; the rest is counted as dropped.",
    )


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """Alerts pushed to Alertmanager's API v2, and repeated as it wants."""

    urls: tuple[str, ...] = _key(
        [], list_of(url_of, "addresses"), "Every Alertmanager of the cluster; empty: off."
    )
    resend_every: int = _key("10s", SOME_TIME, "How often open alerts are sent again.")
    resolve_after: int = _key(
        "5m",
        SOME_TIME,
        "An open alert resolves by itself when the monitor has been gone for so long.",
    )
    resolved_for: int = _key("5m", DURATION, "How long a closed breach is still told.")
    timeout: int = _key("5s", SOME_TIME, "Longest that one request may take.")
    monitor_url: str = _key(
        "", url_or_none, "Where people reach this monitor, for links in alerts; empty: none."
    )
    runbooks_url: str = _key(
        "", url_or_none, "Where `deploy/runbooks` can be read, for links in alerts; empty: none."
    )
    dashboards_url: str = _key(
        "", url_or_none, "Grafana with `deploy/grafana`, for links in alerts; empty: none."
    )
    venue: str = _key(
        "",
        text,
        "Label `venue` of every alert, where several venues share Alertmanagers; empty: none.",
    )


@dataclass(frozen=True, slots=True)
class Mqtt:
    """Retained state of every maker and an event for every transition, over MQTT 5."""

    host: str = _key("", text, "The broker; empty: off.")
    port: int = _key(1883, integer(1, 65_535), "Its port.")
    username: str = _key("", text, "User; empty: anonymous.")
    password_file: str = _key(
        "", secret_of, "File that holds the user's password, or `env:NAME`.", secret=True
    )
    tls: bool = _key(False, boolean, "Speak TLS?")
    cafile: str = _key(
        "", text, "Certificates to trust (PEM), with `tls`; empty: the system's.", path=True
    )
    certfile: str = _key("", text, "Our certificate (PEM), for mutual TLS.", path=True)
    keyfile: str = _key("", text, "Its private key (PEM).", path=True)
    topic_prefix: str = _key("mm-monitor", mqtt_prefix_of, "First levels of every topic.")
    qos: int = _key(1, integer(0, 2), "Quality of service: 0, 1 or 2.")
    outbox_limit: int = _key(
        100_000, COUNT, "Most events kept while the broker is away; the oldest go first."
    )


@dataclass(frozen=True, slots=True)
class Breaches:
    """Breach events on Kafka (`topics.breaches`)."""

    enabled: bool = _key(True, boolean, "Write them?")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The [evidence log](evidence.md): every breach with its grounds, hash-chained, sealed day by day."""

    directory: str = _key("", text, "Directory of the logs; empty: none.", path=True)
    key_file: str = _key(
        "",
        text,
        "Ed25519 private key (PEM) that seals a day, as `mm-monitor evidence keygen` makes one.",
        path=True,
    )
    orders: bool = _key(
        True, boolean, "Also exemptions and planned maintenance, with who ordered them and why?"
    )
    lapses: bool = _key(
        True,
        boolean,
        "Also every lapse of a trading date once it is over, from `journal.directory` ([lapses](evidence.md#lapses))?",
    )


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Records that could not be used, with their bytes and the reason."""

    file: str = _key(
        "", text, "File to which they are appended, beside the topic; empty: none.", path=True
    )


@dataclass(frozen=True, slots=True)
class Journal:
    """What was judged, record by record, and what no replay could know otherwise ([revisions](revisions.md))."""

    directory: str = _key("", text, "Directory of the journal; empty: none.", path=True)
    tape: bool = _key(
        True, boolean, "Write down every record that is judged, a file for each trading date?"
    )
    captures: str = _key(
        "",
        text,
        "Directory that gets each trading date, once it is over, as a "
        "[capture directory](revisions.md#by-itself) `DATE` with Parquet files (extra `parquet`); empty: none.",
        path=True,
    )
    keep_days: int = _key(
        0,
        integer(0, MAX_INT),
        "Files and captures older than so many days of our clock are removed; 0: none.",
    )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where the service stands, so that after a restart it goes on as if it had never stopped."""

    store: str = _key(
        "sqlite",
        choice("sqlite", "topic"),
        "What they are kept in: files of `directory`, or `topics.checkpoints`, from where "
        "[any machine](operations.md#checkpoints-in-kafka) can go on.",
    )
    directory: str = _key(
        "",
        text,
        "Directory of them, for `sqlite`; empty: none, and a restart reads the log from `tape.start`.",
        path=True,
    )
    every: int = _key(
        "1s", SOME_TIME, "How often one is taken; one that is still being written is waited for."
    )
    release_within: int = _key(
        "10s",
        SOME_TIME,
        "With `*/N`: how long shares that go elsewhere may take, all together, to write their last one.",
    )


@dataclass(frozen=True, slots=True)
class Ledger:
    """Finished trading dates, for `mm-monitor report month`."""

    directory: str = _key("", text, "Directory of the ledger; empty: none.", path=True)


@dataclass(frozen=True, slots=True)
class Log:
    """What the process says on stderr."""

    level: str = _key("info", choice(*LEVELS), f"One of {', '.join(LEVELS)}.")
    format: str = _key("console", choice(*FORMATS), "For people (`console`) or machines (`json`).")


@dataclass(frozen=True, slots=True)
class Publish:
    """How fresh everything that is published is."""

    every: int = _key("200ms", SOME_TIME, "How often metrics, alerts and screens get a view.")
    accruals_every: int = _key(
        "1m", SOME_TIME, "How often `topics.accruals` is told of a date that goes on."
    )
