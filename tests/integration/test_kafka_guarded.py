"""A Kafka that wants TLS and to know who asks: every protocol and mechanism, and what is wrong with a wrong one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from mm_monitor.core.reference import Reference
from mm_monitor.errors import MonitorError
from mm_monitor.sources.kafka import KafkaSource
from mm_monitor.sources.kafka_cause import why_unreachable
from mm_monitor.sources.kafka_options import KafkaFeeds, KafkaOptions, client_settings
from tests.integration.subject import Subject, answered, run_command
from tests.services.certificates import Authority
from tests.services.kafka.guarded import MECHANISMS, USER, GuardedKafka, token

TOPICS = ("quotes", "theo", "control", "breaches", "dead-letter")


class Door:
    """How to get in, with every secret in a file of its own."""

    def __init__(self, kafka: GuardedKafka, folder: Path) -> None:
        self.kafka, self.folder = kafka, folder
        self.stem = folder.name
        self.topics = {name: kafka.unique_topic(name) for name in TOPICS}
        self.secrets = {"password": kafka.password, "token": token(), "wrong": "q9-Not-The-Secret"}
        for name, text in self.secrets.items():
            (folder / name).write_text(text + "\n")
        (folder / "names").mkdir()
        (folder / "names" / "makers.csv").write_text("maker,class\nM0,*\n")
        (folder / "names" / "contracts.csv").write_text(
            "contract,class,tick,kind\nC0,A,0.0001,call\n"
        )
        self.client = kafka.authority.identity("client")

    def options(self, listener: str, mechanism: str = "", **other: Any) -> KafkaOptions:
        """Right ones for a listener, but for what `other` says."""
        protocol = {"tls": "SSL", "guarded": "SASL_SSL", "named": "SASL_PLAINTEXT"}[listener]
        found = KafkaOptions(bootstrap=self.kafka.at(listener), security_protocol=protocol)
        if "SSL" in protocol:
            found = replace(found, ssl_cafile=str(self.kafka.authority.cafile))
        if listener == "tls":
            found = replace(
                found, ssl_certfile=str(self.client.cert), ssl_keyfile=str(self.client.key)
            )
        if mechanism == "OAUTHBEARER":
            found = replace(
                found, sasl_mechanism=mechanism, sasl_token_file=str(self.folder / "token")
            )
        elif mechanism:
            found = replace(found, sasl_mechanism=mechanism, sasl_username=USER,
                            sasl_password_file=str(self.folder / "password"))  # fmt: skip
        return replace(found, **other)

    def source(self, options: KafkaOptions) -> KafkaSource:
        """A source that reads by these options."""
        quotes, theo, control = (self.topics[name] for name in TOPICS[:3])
        feeds = KafkaFeeds(quotes, theo, control)
        return KafkaSource(options, feeds, Reference())

    def text(self, options: KafkaOptions) -> str:
        """The configuration of a service with these options."""
        names = ("bootstrap", "security_protocol", "sasl_mechanism", "sasl_username", "sasl_password_file",
                 "sasl_token_file", "ssl_cafile", "ssl_certfile", "ssl_keyfile")  # fmt: skip
        kafka = "\n".join(f'{name} = "{getattr(options, name)}"' for name in names)
        topics = "\n".join(f'{n.replace("-", "_")} = "{t}"' for n, t in self.topics.items())
        return f"""
[kafka]
{kafka}
[topics]
reference = ""
{topics}
[reference]
directory = "names"
[http]
port = 0
[log]
format = "json"
level = "debug"
"""


@pytest.fixture(scope="module")
def door(guarded_kafka: GuardedKafka, tmp_path_factory: pytest.TempPathFactory) -> Door:
    return Door(guarded_kafka, tmp_path_factory.mktemp("door"))


ALL = [("tls", ""), *(("guarded", m) for m in MECHANISMS), ("named", "SCRAM-SHA-256")]


@pytest.mark.parametrize(("listener", "mechanism"), ALL)
async def test_reads_and_writes_by_every_protocol_and_mechanism(
    door: Door, listener: str, mechanism: str
) -> None:
    options = door.options(listener, mechanism)
    async with AIOKafkaProducer(**client_settings(options)) as producer:
        await producer.send_and_wait(door.topics["quotes"], b"no quote", key=b"A")
    source = door.source(options)
    await source.start()
    try:
        await answered(lambda: _any_dead(source))
    finally:
        await source.stop()


async def _any_dead(source: KafkaSource) -> bool:
    return any(delivery.decoded.dead for delivery in await source.poll())


def _wrong(door: Door, what: str) -> KafkaOptions:
    folder = door.folder
    right = door.options("guarded", "SCRAM-SHA-512")
    stranger = Authority(folder / "stranger", "a stranger")
    changes: dict[str, dict[str, Any]] = {
        "password": {"sasl_password_file": str(folder / "wrong")},
        "password of PLAIN": {
            "sasl_password_file": str(folder / "wrong"),
            "sasl_mechanism": "PLAIN",
        },
        "user": {"sasl_username": "nobody"},
        "token": {"sasl_mechanism": "OAUTHBEARER", "sasl_token_file": str(folder / "wrong")},
        "authority": {"ssl_cafile": str(stranger.cafile)},
        "host name": {"bootstrap": door.kafka.at("guarded", "127.0.0.1")},
        "no TLS": {"security_protocol": "SASL_PLAINTEXT"},
        "no SASL": {"security_protocol": "SSL"},
    }
    if what == "no certificate":
        return replace(door.options("tls"), ssl_certfile="", ssl_keyfile="")
    return replace(right, **changes[what])


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("password", "SASL: user name, password or token refused"),
        ("password of PLAIN", "SASL: user name, password or token refused"),
        ("user", "SASL: user name, password or token refused"),
        ("token", "SASL: user name, password or token refused"),
        ("authority", "TLS: the broker's certificate is not trusted"),
        ("host name", "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        ("no certificate", "TLS"),
        ("no TLS", "it may want TLS"),
        ("no SASL", "it may want TLS or SASL"),
    ],
)
async def test_what_is_wrong_is_said(door: Door, what: str, cause: str) -> None:
    source = door.source(_wrong(door, what))
    with pytest.raises(MonitorError) as said:
        await source.start()
    assert cause in str(said.value)
    assert not _told(door, str(said.value))


def _told(door: Door, text: str) -> list[str]:
    """Names of the secrets that a text gives away."""
    return [name for name, secret in door.secrets.items() if secret in text]


async def test_a_wrong_password_ends_the_command_with_a_cause_and_exit_code_2(door: Door) -> None:
    config = door.folder / "wrong.toml"
    config.write_text(door.text(_wrong(door, "password")))
    code, out, err = run_command(door.folder, "run", "--config", str(config))
    assert code == 2
    assert "SASL: user name, password or token refused" in err
    assert "Traceback" not in err
    assert not _told(door, out + err)


PAGES = ("", "metrics", "healthz", "version", "api/v1/status", "api/v1/openapi.json")


@pytest.mark.parametrize("place", ["{folder}/{name}", "env:THE_{name}"])
async def test_a_service_says_everything_but_its_secrets(
    door: Door, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its most talkative: on its pages, on its standard error, to who checks it; MQTT is out of reach."""
    for name, secret in door.secrets.items():
        monkeypatch.setenv(f"THE_{name}", secret)
    kept = {name: place.format(folder=door.folder, name=name) for name in door.secrets}
    options = door.options("guarded", "SCRAM-SHA-512", sasl_password_file=kept["password"])
    mqtt = (
        f'[mqtt]\nhost = "127.0.0.1"\nport = 1\nusername = "u"\npassword_file = "{kept["wrong"]}"\n'
    )
    async with Subject(door.folder, door.text(options) + mqtt, "talkative") as subject:
        await answered(lambda: _says(subject, '"reading"', '"mqtt_unreachable"'))
        told = [await subject.text(path) for path in PAGES]
        for command in ("check-config", "doctor --json --config"):
            _, *said = run_command(door.folder, *command.split(), str(subject.config))
            told += said
        assert '"kafka.sasl_password_file"' in told[-2]  # by the doctor
        subject.signal(1)
        await answered(lambda: _says(subject, '"config_taken_up"'))
        subject.signal(15)
        assert await subject.wait() == 0
    assert not _told(door, "".join(told) + subject.stderr)


async def _says(subject: Subject, *words: str) -> bool:
    return all(word in subject.stderr for word in words)


async def test_a_token_in_the_environment_gets_in(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_TOKEN", door.secrets["token"])
    options = door.options("guarded", "OAUTHBEARER", sasl_token_file="env:THE_TOKEN")
    assert await why_unreachable(options) == ""


async def test_an_admin_gets_in_by_the_same_settings(door: Door) -> None:
    admin = AIOKafkaAdminClient(**client_settings(door.options("guarded", "OAUTHBEARER")))
    await admin.start()
    try:
        assert set(door.topics.values()) <= set(await admin.list_topics())
    finally:
        await admin.close()
