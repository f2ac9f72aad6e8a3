"""The broker of deploy/mosquitto: TLS, passwords or certificates, and every maker reads its own and nothing else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from structlog.testing import capture_logs

from mm_monitor.errors import ConfigError
from mm_monitor.sinks import Sink, SinkContext, create
from tests.contracts.far_sides import context
from tests.services.certificates import Authority
from tests.services.mosquitto import GuardedMosquitto
from tests.services.require import require_service
from tests.services.wait import eventually
from tests.unit.sinks.builders import Slot, breach, opened, view

ROOT = Path(__file__).parents[2]
PASSWORDS = {name: f"{name}-q7-Secret" for name in ("mm-monitor", "operations", "M0", "M1")}
VIEW = view([Slot("M0", "C0", "A"), Slot("M1", "C0", "A")])


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedMosquitto]:
    require_service("mosquitto")
    folder = tmp_path_factory.mktemp("guarded-mosquitto")
    with GuardedMosquitto(folder, ROOT / "deploy" / "mosquitto", PASSWORDS) as running:
        for name in ("mm-monitor", "M0"):
            running.authority.identity(name)
        (folder / "password").write_text(PASSWORDS["mm-monitor"] + "\n")
        (folder / "wrong").write_text("q8-Not-The-Secret\n")
        yield running


def by_password(broker: GuardedMosquitto, **other: Any) -> dict[str, Any]:
    return {
        "host": broker.host, "port": broker.port, "username": "mm-monitor", "tls": True,
        "password_file": str(broker.workdir / "password"), "cafile": str(broker.authority.cafile),
        "state_every": 0.1, **other,
    }  # fmt: skip


def by_certificate(broker: GuardedMosquitto) -> dict[str, Any]:
    own = {"certfile": str(broker.workdir / "mm-monitor.crt"),
           "keyfile": str(broker.workdir / "mm-monitor.key")}  # fmt: skip
    return {**by_password(broker, port=broker.by_certificate, username="", password_file=""), **own}


@asynccontextmanager
async def sending(options: dict[str, Any], told: SinkContext | None = None) -> AsyncIterator[Sink]:
    sink = create("mqtt", options, told or context())
    await sink.start()
    try:
        yield sink
    finally:
        await sink.stop()


def trusting(broker: GuardedMosquitto, name: str = "") -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=str(broker.authority.cafile))
    if name:
        tls.load_cert_chain(broker.workdir / f"{name}.crt", broker.workdir / f"{name}.key")
    return tls


def reader(broker: GuardedMosquitto, user: str, password: str | None = None) -> aiomqtt.Client:
    return aiomqtt.Client(broker.host, broker.port, username=user, tls_context=trusting(broker),
                          password=password or PASSWORDS[user])  # fmt: skip


async def heard(client: aiomqtt.Client, sink: Sink, maker: str) -> set[str]:
    """Topics that a subscriber to everything gets, until an event of `maker` has come, which is sent last."""
    await client.subscribe("#", qos=1)
    sink.publish([VIEW], [opened(breach(m)) for m in sorted(("M0", "M1"), key=maker.__eq__)])
    topics = set()
    async with asyncio.timeout(20):
        async for message in client.messages:
            topics.add(message.topic.value)
            states = sum("/makers/" in topic for topic in topics)
            if any(topic.endswith(f"/{maker}") for topic in topics) and states:
                return {topic for topic in topics if "/status/" not in topic}
    raise AssertionError(topics)


@pytest.mark.parametrize(("mine", "other"), [("M0", "M1"), ("M1", "M0")])
async def test_a_maker_reads_its_own_and_nothing_else(
    broker: GuardedMosquitto, mine: str, other: str
) -> None:
    async with sending(by_password(broker)) as sink:
        async with reader(broker, "operations") as all_of_it:
            await heard(all_of_it, sink, other)  # from here on both states are retained
        async with reader(broker, mine) as client:
            topics = await heard(client, sink, mine)
    root = "mm-monitor/szse-2025"
    assert topics == {f"{root}/makers/{mine}/state", f"{root}/events/lapse/{mine}"}


async def test_a_maker_may_write_nothing(broker: GuardedMosquitto) -> None:
    forged = "mm-monitor/szse-2025/makers/M0/state"
    async with reader(broker, "operations") as operations:
        await operations.subscribe("#", qos=1)
        async with reader(broker, "M0") as maker:
            await maker.publish(forged, b"forged", qos=1)
        async with sending(by_password(broker)) as sink:
            sink.publish([VIEW], [opened(breach("M1"))])
            async with asyncio.timeout(20):
                async for message in operations.messages:
                    assert message.payload != b"forged"
                    if "/events/" in message.topic.value:
                        return


@pytest.mark.parametrize(
    ("user", "password"),
    [("M0", "wrong"), ("nobody", "wrong"), ("M0", PASSWORDS["M1"]), (None, None)],
)
async def test_a_stranger_is_refused(
    broker: GuardedMosquitto, user: str | None, password: str | None
) -> None:
    client = aiomqtt.Client(broker.host, broker.port, username=user, password=password,
                            tls_context=trusting(broker))  # fmt: skip
    with pytest.raises(aiomqtt.MqttError):
        async with client:
            pass


async def test_a_client_certificate_is_who_we_are(broker: GuardedMosquitto) -> None:
    async with sending(by_certificate(broker)) as sink:
        client = aiomqtt.Client(
            broker.host, broker.by_certificate, tls_context=trusting(broker, "M0")
        )
        async with client:
            topics = await heard(client, sink, "M0")
    assert all("M1" not in topic for topic in topics)


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("password", "Not authorized"),
        ("authority", "CERTIFICATE_VERIFY_FAILED"),
        ("host name", "certificate is not valid for '127.0.0.1'"),
        ("no certificate", "the broker may want a certificate of ours"),
        ("no TLS", "the port may want TLS"),
    ],
)
async def test_what_is_wrong_is_said_and_costs_nobody_anything(
    broker: GuardedMosquitto, tmp_path: Path, what: str, cause: str
) -> None:
    stranger = Authority(tmp_path, "a stranger")
    wrong = {
        "password": by_password(broker, password_file=str(broker.workdir / "wrong")),
        "authority": by_password(broker, cafile=str(stranger.cafile)),
        "host name": by_password(broker, host="127.0.0.1"),
        "no certificate": by_password(broker, port=broker.by_certificate, timeout=0.5),
        "no TLS": by_password(broker, tls=False, timeout=0.5),
    }[what]
    told = context()
    with capture_logs() as logs:
        async with sending(wrong, told) as sink:
            sink.publish([VIEW], [opened(breach("M0"))])
            await eventually(lambda: told.health.sink_failures["mqtt"])
            assert sink.lag_seconds > 0
    errors = [str(line["error"]) for line in logs if line["event"] == "mqtt_unreachable"]
    assert cause in errors[0]
    assert not [secret for secret in (*PASSWORDS.values(), "q8-Not") if secret in str(logs)]


async def test_a_password_that_is_mended_in_its_file_is_taken(
    broker: GuardedMosquitto, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("not yet")
    told = context()
    async with sending(by_password(broker, password_file=str(secret)), told) as sink:
        sink.publish([VIEW], [opened(breach("M0"))])
        await eventually(lambda: told.health.sink_failures["mqtt"])
        secret.unlink()  # as whoever writes it anew may do; it is no reason to end
        await eventually(lambda: told.health.sink_failures["mqtt"] > 1)
        secret.write_text(PASSWORDS["mm-monitor"])
        await eventually(lambda: not sink.pending)


@pytest.mark.parametrize("key", ["password_file", "cafile", "certfile"])
async def test_a_file_that_is_not_there_is_said_at_the_start(
    broker: GuardedMosquitto, key: str
) -> None:
    sink = create("mqtt", by_password(broker, **{key: "/none"}), context())
    with pytest.raises(ConfigError, match=rf"mqtt.{key}: .*got '/none'"):
        await sink.start()
