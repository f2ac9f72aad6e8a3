"""Builds the adapters that a configuration names. Adapters know nothing of the configuration file; this knows both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from mm_monitor.checkpoints import CheckpointStore, TopicPlace
from mm_monitor.checkpoints import create as create_store
from mm_monitor.codecs.fix_quotes import FixTags
from mm_monitor.codecs.registry import SchemaRegistry
from mm_monitor.config import Config
from mm_monitor.core.engine import Engine
from mm_monitor.core.reference import Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.schedule import Schedule
from mm_monitor.core.view import StatusView
from mm_monitor.core.watch.watched import WatchedEngine
from mm_monitor.desk.live import Desk
from mm_monitor.desk.orders import Record
from mm_monitor.desk.sending import send
from mm_monitor.health import HealthStats
from mm_monitor.journal import Journal, kept_looks
from mm_monitor.live_signals import LiveSignals
from mm_monitor.recording.writer import TapeWriter
from mm_monitor.reports.accruals import Value, messages
from mm_monitor.secret import read_secret
from mm_monitor.sinks import create
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.dead_letter import (
    DeadLetterFile,
    DeadLetterStream,
    DeadLetterTopic,
    DeadLetterTopicConfig,
)
from mm_monitor.sinks.protocol import Sink
from mm_monitor.sources.clock import SteadyClock
from mm_monitor.sources.kafka import KafkaSource
from mm_monitor.sources.kafka_options import KafkaFeeds, KafkaOptions, TapeTimes, client_settings
from mm_monitor.sources.reference_files import load_reference
from mm_monitor.theo.cascade import FEED, Cascade, Settings, Theo
from mm_monitor.theo.models import MODELS, Market
from mm_monitor.theo.pricer import Hours, KeptLook, Pricer
from mm_monitor.theo.terms import ExpiryClock

NS = 1_000_000_000
DAY = 86_400 * NS


def starting_reference(config: Config, trading_date: str) -> Reference:
    """The directory of names as of the trading date; empty when the reference topic will fill it."""
    if not config.reference.directory:
        return Reference()
    return load_reference(Path(config.reference.directory), trading_date)


def kafka_options(config: Config) -> KafkaOptions:
    """How to reach the brokers."""
    k = config.kafka
    return KafkaOptions(
        bootstrap=k.bootstrap, client_id=k.client_id, group=k.group, partitions=k.partitions, worker=k.worker,
        security_protocol=k.security_protocol, sasl_mechanism=k.sasl_mechanism, sasl_username=k.sasl_username,
        sasl_password_file=k.sasl_password_file, sasl_token_file=k.sasl_token_file, ssl_cafile=k.ssl_cafile,
        ssl_certfile=k.ssl_certfile, ssl_keyfile=k.ssl_keyfile, fetch_max_wait=k.fetch_max_wait,
        fetch=k.fetch, max_records=k.max_records, sequence_header=config.tape.sequence_header,
    )  # fmt: skip


def make_desk(
    config: Config, rulebooks: Sequence[Rulebook], reference: Reference, now: Callable[[], int]
) -> Desk:
    """Who carries out what is ordered on the board."""
    client = client_settings(kafka_options(config))

    async def write(records: Sequence[Record]) -> None:
        await send(client, config.topics.control, records)

    kinds = {kind for book in rulebooks for kind in book.exemptions}
    evidence = config.evidence.directory
    zone = next((book.calendar.timezone for book in rulebooks if book.calendar), "UTC")
    return Desk(kinds, zone, Path(evidence) if evidence else None, write, now, reference)


def make_source(
    config: Config,
    reference: Reference,
    *,
    now: Callable[[], int],
    clock: SteadyClock,
    expect: Callable[[], bool],
) -> KafkaSource:
    """The Kafka source of quotes, theo, control and reference."""
    topics, tape = config.topics, config.tape
    feeds = KafkaFeeds(
        topics.quotes, topics.theo, topics.control, "" if config.reference.directory else topics.reference,
        config.codecs.quotes, config.codecs.theo, FixTags.of(config.codecs.fix_maker, config.codecs.fix_contract),
        _registry(config),
    )  # fmt: skip
    times = TapeTimes(
        tape.lateness,
        tape.max_ahead,
        tape.silent_after,
        tape.idle_after,
        tape.theo_silent_after,
        lost_after=tape.lost_after,
    )
    return KafkaSource(
        kafka_options(config),
        feeds,
        reference,
        times=times,
        now=now,
        clock=clock,
        expect_traffic=expect,
    )


def _registry(config: Config) -> SchemaRegistry | None:
    """Of the schemas of avro and protobuf. ConfigError for a password that cannot be read."""
    codecs = config.codecs
    if not codecs.registry:
        return None
    key, place = "codecs.registry_password_file", codecs.registry_password_file
    password = read_secret(key, place) if place else ""
    return SchemaRegistry(codecs.registry, codecs.registry_user, password)


def start_at(config: Config, begins: int | None, now: int) -> int | str | None:
    """Where to begin reading: an event time in ns, "latest", or None for the earliest record.

    `begins` is when the trading date did; where no calendar says, the day of UTC stands for it.
    """
    if config.tape.start == "earliest":
        return None
    if config.tape.start == "latest":
        return "latest"
    return begins if begins is not None else now // DAY * DAY


def make_checkpoints(config: Config) -> CheckpointStore | None:
    """The store of checkpoints, open; None where none are kept. CheckpointError where nothing can be."""
    kept = config.checkpoint
    if kept.store == "topic":
        k, _ = config.kafka.worker or (1, 1)
        client = client_settings(kafka_options(config))
        return create_store("topic", TopicPlace(client, config.topics.checkpoints, k - 1))
    return create_store("sqlite", Path(kept.directory)) if kept.directory else None


def make_pricer(
    config: Config,
    reference: Reference,
    journal: Journal,
    start: int | str | None,
    now: Callable[[], int],
) -> Pricer | None:
    """Who computes theos; None where the configuration names no source. `start` is what `start_at` gave."""
    theo = config.theo
    if not theo.sources:
        return None
    since = now() if isinstance(start, str) else start or 0
    market = Market(MODELS[theo.model], theo.rate, theo.dividend)
    settings = Settings(market, (FEED, *theo.sources), theo.max_age, theo.vol_max_age,
                        disagreement=theo.disagreement)  # fmt: skip

    def keep(ts: int, theos: Sequence[Theo]) -> bool:
        return journal.look(now(), KeptLook.of(ts, theos, reference))

    hours = Hours(ExpiryClock(theo.expires_at, theo.timezone), theo.every, since)
    kept = kept_looks(Path(config.journal.directory), since)
    return Pricer(Cascade(settings), reference, hours, keep, kept)


def make_engine(
    config: Config, rulebooks: Sequence[Rulebook], reference: Reference,
    sources: Mapping[int, tuple[str, int]], signals: LiveSignals,
) -> Engine:  # fmt: skip
    """The engine, watched where the configuration wants signals, which `signals` then tells."""
    by_feed = config.rulebooks.phases == "feed"
    if not config.signals.enabled:
        return Engine(rulebooks, reference, sources, phases_judge=by_feed)
    engine = WatchedEngine(rulebooks, reference, sources, daily=True, phases_judge=by_feed)
    signals.watch(engine)
    return engine


def make_tape(
    config: Config, engine: Engine, now: Callable[[], int], failed: Callable[[], None]
) -> TapeWriter | None:
    """Who writes down what is judged; None without a journal. A date ends by the first calendar that there is."""
    if not (config.journal.directory and config.journal.tape):
        return None
    calendars = [e.rulebook.calendar for e in engine.evaluators if e.rulebook.calendar]
    schedule = Schedule(calendars[0]) if calendars else None
    return TapeWriter(Path(config.journal.directory), engine, schedule, now=now, failed=failed)


def make_sinks(config: Config, context: SinkContext, engine: Engine) -> list[Sink]:
    """Prometheus always; Alertmanager, MQTT, Kafka, the evidence log and accruals where the configuration names one."""
    chosen = [*_sink_options(config), *_accruals_options(config, engine)]
    return [create(name, options, context) for name, options in chosen]


def make_breaches_sink(config: Config, context: SinkContext) -> Sink | None:
    """The sink of `topics.breaches`, None where it is off."""
    named = [(name, options) for name, options in _sink_options(config) if name == "kafka"]
    return create(*named[0], context) if named else None


def _accruals_options(config: Config, engine: Engine) -> list[tuple[str, dict[str, Any]]]:
    if not config.topics.accruals:
        return []
    settings = client_settings(kafka_options(config))
    settings.pop("bootstrap_servers")
    rulebooks = {evaluator.rulebook.id: evaluator.rulebook for evaluator in engine.evaluators}
    worker = config.kafka.worker or (1, 1)

    def words(view: StatusView, final: bool) -> Iterator[tuple[bytes, Value]]:
        return messages(view, rulebooks[view.rulebook_id], engine.reference, worker, final=final)

    options: dict[str, Any] = {
        "bootstrap": config.kafka.bootstrap, "topic": config.topics.accruals, "client": settings,
        "every": config.publish.accruals_every / NS, "words": words,
    }  # fmt: skip
    return [("accruals", options)]


def _sink_options(config: Config) -> list[tuple[str, dict[str, Any]]]:
    m, a, q = config.metrics, config.alertmanager, config.mqtt
    chosen: list[tuple[str, dict[str, Any]]] = [
        (
            "prometheus",
            {
                "contracts_allow": (m.allow or ("*",)) if m.per_contract else (),
                "contracts_deny": m.deny,
                "contracts_cap": m.max_series,
                "clock_resolution": config.tape.clock_resolution,
            },
        )
    ]
    if a.urls:
        seconds = {
            name: getattr(a, name) / NS
            for name in ("resend_every", "resolve_after", "resolved_for", "timeout")
        }
        links = {
            name: getattr(a, name) for name in ("monitor_url", "runbooks_url", "dashboards_url")
        }
        labels = {"venue": a.venue} if a.venue else {}
        chosen.append(("alertmanager", {"urls": a.urls, "labels": labels, **links, **seconds}))
    if q.host:
        chosen.append(("mqtt", {f.name: getattr(q, f.name) for f in fields(q)}))
    if config.breaches.enabled:
        settings = client_settings(kafka_options(config))
        settings.pop("bootstrap_servers")
        options = {
            "bootstrap": config.kafka.bootstrap,
            "topic": config.topics.breaches,
            "client": settings,
        }
        chosen.append(("kafka", options))
    if config.evidence.directory:
        e = config.evidence
        chosen.append(("evidence", {"directory": e.directory, "key_file": e.key_file}))
    return chosen


def make_dead_letters(config: Config, health: HealthStats) -> list[DeadLetterStream]:
    """Streams of records that could not be used: a file, a topic, both or neither."""
    streams: list[DeadLetterStream] = []
    if config.dead_letter.file:
        streams.append(DeadLetterFile(Path(config.dead_letter.file), health))
    if config.topics.dead_letter:
        settings = client_settings(kafka_options(config))
        bootstrap = settings.pop("bootstrap_servers")
        topic = DeadLetterTopicConfig(bootstrap, config.topics.dead_letter, client=settings)
        streams.append(DeadLetterTopic(topic, health))
    return streams
