"""The service's one TOML file, read into frozen sections with a default for every key.

Durations are text in the file and int ns here; relative paths are resolved against the file's own
directory. Secrets are never in the file, only where they are kept: in which file or environment variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mm_monitor.config_sections import (
    Alertmanager,
    Breaches,
    Checkpoint,
    Codecs,
    DeadLetters,
    Evidence,
    Http,
    Journal,
    Kafka,
    Ledger,
    Log,
    Metrics,
    Mqtt,
    Publish,
    Reference,
    Rulebooks,
    Service,
    Signals,
    Tape,
    Theo,
    Topics,
)
from mm_monitor.config_values import is_loopback
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.errors import ConfigError, ConfigErrors, MonitorError
from mm_monitor.rulebooks import load
from mm_monitor.secret import read_secret, variable_of
from mm_monitor.tables import (
    INVALID,
    Key,
    Place,
    attempt,
    read_bytes,
    read_table,
    read_toml,
    table_of,
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
    evidence: Evidence = field(default_factory=Evidence)
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
    if {"id", "version"} <= table.keys() and not table.keys() & SECTIONS.keys():
        what = "a configuration of the service; this is a rulebook, which `mm-monitor rules lint` looks over"
        raise ConfigErrors([ConfigError("file", what, file=file)])
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


def schema() -> dict[str, Key]:
    """The keys of the whole file."""

    def section(of: type[Any]) -> Key:
        keys = {f.name: f.metadata["key"] for f in fields(of)}
        return Key(table_of(keys, lambda values, place: of(**values)), default=of(), keys=keys)

    return {name: section(of) for name, of in SECTIONS.items()}


def _contradictions(config: Config) -> Iterator[tuple[tuple[str, str], str]]:
    """Keys that are sound by themselves and not together."""
    kafka, topics = config.kafka, config.topics
    if config.checkpoint.store == "topic" and config.checkpoint.directory:
        yield ("checkpoint", "directory"), 'none with store = "topic", which is in Kafka'
    if kafka.worker and kafka.worker[0] == 0:
        if not kafka.group:
            yield ("kafka", "group"), 'required with worker = "*/N": it gives out the shares'
        if config.checkpoint.store != "topic":
            yield ("checkpoint", "store"), '"topic" with kafka.worker = "*/N": shares move'
    if kafka.worker and kafka.partitions:
        yield ("kafka", "partitions"), '"all" with kafka.worker, which says which are read'
    if kafka.worker and config.ledger.directory:
        yield ("ledger", "directory"), "none with kafka.worker: a maker is judged by the roll-up"
    if kafka.group and kafka.partitions:
        yield ("kafka", "partitions"), '"all" with a group, which shares them out by itself'
    if config.tape.sequence_header and kafka.fetch == "raw":
        yield ("tape", "sequence_header"), 'none with kafka.fetch = "raw", which reads no headers'
    yield from _half_known(config)
    yield from _topics_apart(topics)
    if not topics.reference and not config.reference.directory:
        yield ("reference", "directory"), "required without topics.reference"
    if config.theo.sources and not config.journal.directory:
        yield ("journal", "directory"), "required with theo.sources: it keeps what is computed"
    yield from _captures(config)
    yield from _open_doors(config)
    if bool(config.evidence.directory) != bool(config.evidence.key_file):
        name = "key_file" if config.evidence.directory else "directory"
        yield ("evidence", name), "the logs and the key that seals them go together"
    if config.alertmanager.resolve_after <= config.alertmanager.resend_every:
        yield ("alertmanager", "resolve_after"), "more than resend_every, or alerts flap"


def _half_known(config: Config) -> Iterator[tuple[tuple[str, str], str]]:
    """How we show who we are, said by halves."""
    kafka, mqtt = config.kafka, config.mqtt
    if kafka.security_protocol.startswith("SASL"):
        by_token = kafka.sasl_mechanism == "OAUTHBEARER"
        for name in ("sasl_token_file",) if by_token else ("sasl_username", "sasl_password_file"):
            if not getattr(kafka, name):
                yield ("kafka", name), f"required with {kafka.security_protocol}"
    if bool(kafka.ssl_certfile) != bool(kafka.ssl_keyfile):
        name = "ssl_keyfile" if kafka.ssl_certfile else "ssl_certfile"
        yield ("kafka", name), "a certificate and its key go together"
    if mqtt.password_file and not mqtt.username:
        yield ("mqtt", "username"), "required with a password"
    if bool(mqtt.certfile) != bool(mqtt.keyfile):
        yield (
            ("mqtt", "keyfile" if mqtt.certfile else "certfile"),
            ("a certificate and its key go together"),
        )
    if not mqtt.tls and (mqtt.cafile or mqtt.certfile):
        yield ("mqtt", "tls"), "true, for the certificates that are named"


def _captures(config: Config) -> Iterator[tuple[tuple[str, str], str]]:
    kept = config.journal
    if kept.captures and not (kept.directory and kept.tape):
        yield (
            ("journal", "captures"),
            "none without journal.directory and its tape, which they are made from",
        )
    if kept.captures and find_spec("pyarrow") is None:
        yield ("journal", "captures"), "none without pyarrow: pip install 'mm-monitor[parquet]'"


def _open_doors(config: Config) -> Iterator[tuple[tuple[str, str], str]]:
    http = config.http
    if bool(http.certfile) != bool(http.keyfile):
        name = "keyfile" if http.certfile else "certfile"
        yield ("http", name), "a certificate and its key go together"
    if not (is_loopback(http.host) or http.tokens_file or http.open_to_all):
        yield (
            ("http", "tokens_file"),
            f"required to listen on {http.host}; or open_to_all = true, if everybody may see all",
        )


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
        secrets = {f.name for f in fields(of) if f.metadata["secret"]}
        absolute = {
            key: str(base / path)
            for key, path in paths.items()
            if path and not (key in secrets and variable_of(path))
        }
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
            if f.metadata["secret"]:
                yield from _unknown(path, value)
            elif path == "reference.directory" and not Path(value).is_dir():
                yield path, f"a directory that is there, got {value!r}"
            elif (
                f.name.endswith("file")
                and name in ("kafka", "mqtt", "evidence", "http")
                and not _readable(value)
            ):
                yield path, f"a file that can be read, got {value!r}"


def _unknown(key: str, place: str) -> Iterator[tuple[str, str]]:
    try:
        read_secret(key, place)
    except ConfigError as error:
        yield key, f"{error.requirement}, got {place!r}"


def _readable(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except OSError:
        return False
