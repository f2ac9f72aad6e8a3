"""Kafka settings and causes: files that cannot be read, ports that speak something else."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import AuthenticationFailedError

from mm_monitor.errors import ConfigError
from mm_monitor.sources.kafka_cause import why_unreachable
from mm_monitor.sources.kafka_options import KafkaOptions, Password, client_settings


def test_plain_settings_carry_no_secrets() -> None:
    settings = client_settings(KafkaOptions(bootstrap="a:1,b:2"))
    assert settings["bootstrap_servers"] == "a:1,b:2"
    assert not any("sasl" in name or "ssl" in name for name in settings)


def test_sasl_takes_its_password_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret \n")
    options = KafkaOptions(security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512",
                           sasl_username="u", sasl_password_file=str(secret))  # fmt: skip
    settings = client_settings(options)
    assert settings["sasl_plain_password"] == "s3cret "
    assert settings["sasl_mechanism"] == "SCRAM-SHA-512"
    assert isinstance(settings["ssl_context"], ssl.SSLContext)


def test_a_password_is_read_again_for_whoever_connects(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("first\n")
    password = Password.of(str(secret))
    secret.write_text("second\n")
    assert (password, password.now(), password.now().now()) == ("first", "second", "second")
    secret.unlink()
    with pytest.raises(
        AuthenticationFailedError, match="sasl_password_file: a file that can be read"
    ):
        password.now()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"security_protocol": "SASL_PLAINTEXT", "sasl_password_file": "/none"},
         "kafka.sasl_password_file"),
        ({"security_protocol": "SSL", "ssl_cafile": "/none"}, "kafka.ssl_cafile"),
        ({"security_protocol": "SSL", "ssl_certfile": "/none"}, "kafka.ssl_certfile"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError, match=rf"{path}: .*got '/none'"):
        client_settings(KafkaOptions(**fields))


@asynccontextmanager
async def server(
    serve: Callable[..., Any], tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    running = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"127.0.0.1:{running.sockets[0].getsockname()[1]}"
    finally:
        running.close()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.close()


async def test_a_port_that_hangs_up() -> None:
    async with server(hang_up) as address:
        cause = await why_unreachable(KafkaOptions(bootstrap=address))
    assert cause.startswith(f"{address}: the broker closed the connection")


async def test_a_port_that_speaks_no_tls() -> None:
    async with server(hang_up) as address:
        cause = await why_unreachable(KafkaOptions(bootstrap=address, security_protocol="SSL"))
    assert "TLS" in cause


async def test_a_certificate_that_nobody_signed(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
         certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    async with server(hang_up, tls) as address:
        refused = await why_unreachable(KafkaOptions(bootstrap=address, security_protocol="SSL"))
        assert "certificate is not trusted" in refused
        trusting = KafkaOptions(
            bootstrap=address, security_protocol="SSL", ssl_cafile=str(certificate)
        )
        assert "certificate" not in await why_unreachable(trusting)


async def test_every_address_is_tried_and_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = KafkaOptions(bootstrap=f"127.0.0.1:{port},no-such-host.invalid:9")
    cause = await why_unreachable(options)
    assert f"127.0.0.1:{port}: connection refused" in cause
    assert "no-such-host.invalid:9: the host name cannot be resolved" in cause
