"""The service's one TOML file, read into frozen sections with a default for every key.

Durations are text in the file and int ns here; relative paths are resolved against the file's own
directory. Secrets are never in the file, only the names of the files that hold them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
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
    partitions_of,
    rate_of,
    share_of,
    time_of_day,
    topic_of,
    topic_or_none,
    url_of,
    url_or_none,
    worker_of,
    zone_of,
)
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.errors import ConfigError, ConfigErrors, InputError, MonitorError
from mm_monitor.logs import FORMATS, LEVELS
from mm_monitor.rulebooks import load
from mm_monitor.tables import (
    INVALID,
    Key,
    Parser,
    Place,
    attempt,
    boolean,
    choice,
    filled,
    integer,
    list_of,
    read_bytes,
    read_table,
    read_toml,
    table_of,
    text,
)
from mm_monitor.theo.cascade import FEED, SOURCES
from mm_monitor.theo.models import MODELS

MAX_INT = 2**31 - 1


def _key(default: object, parse: Parser, doc: str, *, path: bool = False) -> Any:
    """A field with its default as it would stand in the file; `path` names a file or directory."""
    value = parse(default, Place("", []))
    key = Key(parse, default=value, doc=doc)
    return field(default=value, metadata={"key": key, "toml": default, "path": path})


# Sections -----------------------------------------------------------------------------------------


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
        "", text, "Consumer group that shares the partitions out; empty: read `partitions`."
    )
    worker: tuple[int, int] | None = _key(
        "",
        worker_of,
        "`K/N`: this is the K-th of N workers, reads every N-th partition and judges the classes whose keys fall there "
        "([scaling](scaling.md)); a `group` then only has its offsets. Empty: there is one worker.",
    )
    partitions: tuple[int, ...] = _key(
        "all", partitions_of, 'Without a group: `"all"`, or a list of partition numbers.'
    )
    security_protocol: str = _key(
        "PLAINTEXT", choice(*PROTOCOLS), f"One of {', '.join(PROTOCOLS)}."
    )
    sasl_mechanism: str = _key("PLAIN", choice(*MECHANISMS), f"One of {', '.join(MECHANISMS)}.")
    sasl_username: str = _key("", text, "User, for the SASL protocols.")
    sasl_password_file: str = _key("", text, "File that holds the user's password.", path=True)
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
    dead_letter: str = _key(
        "mm.dead-letter", topic_or_none, "Records that could not be used; empty: none."
    )


@dataclass(frozen=True, slots=True)
class Codecs:
    """How records are written."""

    quotes: str = _key("json", QUOTES_CODEC, "Quotes: `json`, `packed` or `fix`.")
    theo: str = _key("json", CODEC, "Theos: `json` or `packed`.")
    fix_maker: str = _key("49", MAKER_TAG, "The maker's tag in [FIX](fix.md#tags).")
    fix_contract: str = _key("55", CONTRACT_TAG, "The contract's tag in [FIX](fix.md#tags).")


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
    far_ahead: int = _key("5s", SOME_TIME, "A partition this far ahead of the watermark is paused.")


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


@dataclass(frozen=True, slots=True)
class Mqtt:
    """Retained state of every maker and an event for every transition, over MQTT 5."""

    host: str = _key("", text, "The broker; empty: off.")
    port: int = _key(1883, integer(1, 65_535), "Its port.")
    username: str = _key("", text, "User; empty: anonymous.")
    password_file: str = _key("", text, "File that holds the user's password.", path=True)
    topic_prefix: str = _key("mm-monitor", filled, "First levels of every topic.")
    qos: int = _key(1, integer(0, 2), "Quality of service: 0, 1 or 2.")
    outbox_limit: int = _key(
        10_000, COUNT, "Most events kept while the broker is away; the oldest go first."
    )


@dataclass(frozen=True, slots=True)
class Breaches:
    """Breach events on Kafka (`topics.breaches`)."""

    enabled: bool = _key(True, boolean, "Write them?")


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Records that could not be used, with their bytes and the reason."""

    file: str = _key(
        "", text, "File to which they are appended, beside the topic; empty: none.", path=True
    )


@dataclass(frozen=True, slots=True)
class Journal:
    """What no replay could know otherwise: idle partitions, feed gaps, the watermark."""

    directory: str = _key("", text, "Directory of the journal; empty: none.", path=True)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where the service stands, so that after a restart it goes on as if it had never stopped."""

    directory: str = _key(
        "",
        text,
        "Directory of this service's checkpoints; empty: none, and a restart reads the log from `tape.start`.",
        path=True,
    )
    every: int = _key(
        "1s", SOME_TIME, "How often one is taken; one that is still being written is waited for."
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


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. `Config()` is the empty file."""

    service: Service = field(default_factory=Service)
    kafka: Kafka = field(default_factory=Kafka)
    topics: Topics = field(default_factory=Topics)
    codecs: Codecs = field(default_factory=Codecs)
    reference: Reference = field(default_factory=Reference)
    rulebooks: Rulebooks = field(default_factory=Rulebooks)
    tape: Tape = field(default_factory=Tape)
    theo: Theo = field(default_factory=Theo)
    signals: Signals = field(default_factory=Signals)
    http: Http = field(default_factory=Http)
    metrics: Metrics = field(default_factory=Metrics)
    alertmanager: Alertmanager = field(default_factory=Alertmanager)
    mqtt: Mqtt = field(default_factory=Mqtt)
    breaches: Breaches = field(default_factory=Breaches)
    dead_letter: DeadLetters = field(default_factory=DeadLetters)
    journal: Journal = field(default_factory=Journal)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    ledger: Ledger = field(default_factory=Ledger)
    log: Log = field(default_factory=Log)
    publish: Publish = field(default_factory=Publish)


SECTIONS: dict[str, type[Any]] = {f.name: type(getattr(Config(), f.name)) for f in fields(Config)}


# Reading ------------------------------------------------------------------------------------------


def load_config(path: str | Path) -> Config:
    """Read the file at `path`. Raises ConfigErrors with all that is wrong, InputError if it can't.

    Only the file itself is looked at; `check_config` also looks at what it names.
    """
    path = Path(path)
    return parse_config(read_bytes(path), file=str(path), base=path.parent)


def parse_config(data: bytes, *, file: str = "", base: Path | None = None) -> Config:
    """A config from the bytes of its file. Raises ConfigErrors.

    `file` names it in errors, and paths in it are relative to `base`.
    """
    place = Place(file, [])
    table = read_toml(data, file)
    values = attempt(lambda value, at: read_table(value, schema(), at), table, place)
    if values is INVALID:
        raise ConfigErrors(place.errors)
    config = Config(**values)
    for path, requirement in _contradictions(config):
        place.key(path[0]).key(path[1]).wrong(requirement)
    if place.errors:
        raise ConfigErrors(place.errors)
    return _resolved(config, (base or Path()).absolute())


def check_config(path: str | Path) -> list[str]:
    """What is wrong with the file and with the rulebooks and files that it names, one each line."""
    try:
        config = load_config(path)
        errors = [ConfigError(at, what, file=str(path)) for at, what in _missing(config)]
        return [str(error) for error in errors]
    except MonitorError as error:
        return str(error).splitlines()


def load_rulebooks(config: Config) -> list[Rulebook]:
    """The rulebooks that the config names, in its order. Raises MonitorError.

    Two of one id, or one without the calendar that `phases` wants, are ConfigErrors.
    """
    rulebooks = [load(name) for name in config.rulebooks.names]
    wrong = [ConfigError(path, what) for path, what in _unfit(config, dict(enumerate(rulebooks)))]
    if wrong:
        raise ConfigErrors(wrong)
    return rulebooks


def read_secret(path: str) -> str:
    """The content of a secret's file without the newline at its end. Raises InputError."""
    try:
        return Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"a readable file that holds a secret ({error})", file=path) from None


def schema() -> dict[str, Key]:
    """The keys of the whole file."""

    def section(of: type[Any]) -> Key:
        keys = {f.name: f.metadata["key"] for f in fields(of)}
        return Key(table_of(keys, lambda values, place: of(**values)), default=of(), keys=keys)

    return {name: section(of) for name, of in SECTIONS.items()}


def _contradictions(config: Config) -> Iterator[tuple[tuple[str, str], str]]:
    """Keys that are sound by themselves and not together."""
    kafka, topics = config.kafka, config.topics
    if kafka.worker and kafka.partitions:
        yield ("kafka", "partitions"), '"all" with kafka.worker, which says which are read'
    if kafka.worker and config.ledger.directory:
        yield ("ledger", "directory"), "none with kafka.worker: a maker is judged by the roll-up"
    if kafka.group and kafka.partitions:
        yield ("kafka", "partitions"), '"all" with a group, which shares them out by itself'
    if kafka.security_protocol.startswith("SASL"):
        for name in ("sasl_username", "sasl_password_file"):
            if not getattr(kafka, name):
                yield ("kafka", name), f"required with {kafka.security_protocol}"
    if bool(kafka.ssl_certfile) != bool(kafka.ssl_keyfile):
        name = "ssl_keyfile" if kafka.ssl_certfile else "ssl_certfile"
        yield ("kafka", name), "a certificate and its key go together"
    yield from _topics_apart(topics)
    if not topics.reference and not config.reference.directory:
        yield ("reference", "directory"), "required without topics.reference"
    if config.theo.sources and not config.journal.directory:
        yield ("journal", "directory"), "required with theo.sources: it keeps what is computed"
    if config.mqtt.password_file and not config.mqtt.username:
        yield ("mqtt", "username"), "required with a password"
    if config.alertmanager.resolve_after <= config.alertmanager.resend_every:
        yield ("alertmanager", "resolve_after"), "more than resend_every, or alerts flap"


def _topics_apart(topics: Topics) -> Iterator[tuple[tuple[str, str], str]]:
    seen: dict[str, str] = {}
    for f in fields(topics):
        topic = getattr(topics, f.name)
        if topic and topic in seen:
            yield ("topics", f.name), f"a topic of its own: {topic} is topics.{seen[topic]}"
        seen.setdefault(topic, f.name)


def _resolved(config: Config, base: Path) -> Config:
    sections = {}
    for name, of in SECTIONS.items():
        section = getattr(config, name)
        paths = {f.name: getattr(section, f.name) for f in fields(of) if f.metadata["path"]}
        absolute = {key: str(base / path) for key, path in paths.items() if path}
        sections[name] = replace(section, **absolute)
    names = tuple(
        str(base / name) if "/" in name or name.endswith(".toml") else name
        for name in config.rulebooks.names
    )
    sections["rulebooks"] = replace(sections["rulebooks"], names=names)
    return Config(**sections)


def _missing(config: Config) -> Iterator[tuple[str, str]]:
    """What the file names and is not there, or not sound: (path, requirement)."""
    yield from _unreadable(config)
    rulebooks: dict[int, Rulebook] = {}
    for i, name in enumerate(config.rulebooks.names):
        try:
            rulebooks[i] = load(name)
        except MonitorError as error:
            yield from ((f"rulebooks.names[{i}]", line) for line in str(error).splitlines())
    yield from _unfit(config, rulebooks)


def _unfit(config: Config, rulebooks: Mapping[int, Rulebook]) -> Iterator[tuple[str, str]]:
    """Rulebooks, by their place, that are sound by themselves and cannot judge here."""
    ids: dict[str, int] = {}
    for i, rulebook in rulebooks.items():
        path, name = f"rulebooks.names[{i}]", config.rulebooks.names[i]
        if rulebook.id in ids:
            yield path, f"an id of its own: {rulebook.id} is rulebooks.names[{ids[rulebook.id]}]"
        ids.setdefault(rulebook.id, i)
        if config.rulebooks.phases == "calendar" and rulebook.calendar is None:
            yield path, f'a rulebook with a calendar, for phases = "calendar"; {name} has none'


def _unreadable(config: Config) -> Iterator[tuple[str, str]]:
    for name in SECTIONS:
        section = getattr(config, name)
        for f in fields(section):
            path, value = f"{name}.{f.name}", getattr(section, f.name)
            if not f.metadata["path"] or not value:
                continue
            if path == "reference.directory" and not Path(value).is_dir():
                yield path, f"a directory that is there, got {value!r}"
            elif f.name.endswith("file") and name in ("kafka", "mqtt") and not _readable(value):
                yield path, f"a file that can be read, got {value!r}"


def _readable(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except OSError:
        return False
