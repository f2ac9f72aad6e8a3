"""Looks a deployment over before it is needed: what was found, whether it is good, and what to do if it is not.

Nothing is changed but a small file, written and removed again, in each directory that the monitor will write to;
nothing is sent to a broker. What belongs to Kafka is in `doctor_kafka`.
"""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from cryptography import x509

from mm_monitor import doctor_kafka
from mm_monitor.config import SECTIONS, Config, check_config, load_config
from mm_monitor.errors import MonitorError
from mm_monitor.rulebooks import lint, load
from mm_monitor.secret import variable_of
from mm_monitor.sinks.mqtt import MqttConfig, cannot_reach
from mm_monitor.web.access import read_tokens

FREE = 1 << 30  # bytes that a disk must have left, or
FREE_SHARE = 0.05  # of it
EXPIRES = timedelta(days=14)
OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `do` is what to do where it is not good."""

    check: str
    good: bool
    found: str
    do: str = ""


async def examine(path: Path) -> list[Finding]:
    """All findings on the deployment whose configuration is at `path`. What cannot be looked at is a finding too."""
    findings = [_python(), _kernels()]
    wrong = check_config(path)
    findings += [Finding("configuration", False, line, "mend the file") for line in wrong]
    if wrong:
        return findings
    config = load_config(path)
    findings.append(Finding("configuration", True, f"{path} is sound"))
    findings += [*_rulebooks(config), *_directories(config), *_secrets(config), *_tokens(config)]
    findings += [*_certificates(config)]
    async for check, good, found, do in doctor_kafka.examine(config):
        findings.append(Finding(check, good, found, do))
    findings += [finding async for finding in _sinks(config)]
    return findings


def as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    """For machines."""
    return [{**asdict(found), "do": "" if found.good else found.do} for found in findings]


# This machine --------------------------------------------------------------------------------------


def _python() -> Finding:
    found = f"Python {platform.python_version()}"
    return Finding(
        "python", sys.version_info >= OLDEST_PYTHON, found, "install Python 3.11 or newer"
    )


def _kernels() -> Finding:
    try:
        from mm_monitor import kernels
    except ImportError as error:
        return Finding("kernels", False, str(error), "compile them: make build")
    return Finding("kernels", True, f"compiled, from {Path(kernels.__file__).parent.name}")


def _rulebooks(config: Config) -> Iterator[Finding]:
    for name in config.rulebooks.names:
        errors = [str(finding) for finding in lint(load(name)) if finding.level == "error"]
        said = "; ".join(errors) or "nobody is asked for what nobody can do"
        yield Finding(f"rulebook {Path(name).name}", not errors, said, "mm-monitor rules lint")


def _directories(config: Config) -> Iterator[Finding]:
    named = {
        "journal": config.journal.directory,
        "checkpoint": config.checkpoint.directory,
        "evidence": config.evidence.directory,
        "ledger": config.ledger.directory,
        "dead_letter": str(Path(config.dead_letter.file).parent) if config.dead_letter.file else "",
    }
    for name, directory in named.items():
        if directory:
            yield _writable(name, Path(directory))
    if not config.checkpoint.directory and config.checkpoint.store != "topic":
        yield Finding("checkpoint", True, "none: a restart reads the trading date again")


def _writable(name: str, directory: Path) -> Finding:
    there = next(path for path in (directory, *directory.parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".doctor-") as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        disk = shutil.disk_usage(there)
    except OSError as error:
        do = f"let the monitor's user write there: uid {os.geteuid()}"
        return Finding(name, False, f"{there}: cannot be written: {error.strerror}", do)
    enough = disk.free >= FREE and disk.free >= FREE_SHARE * disk.total
    found = f"{directory}: writable, {disk.free / 1e9:.1f} GB of {disk.total / 1e9:.1f} GB free"
    return Finding(name, enough, found, "make room: at least 1 GiB and a twentieth of the disk")


def _files(config: Config, *endings: str) -> Iterator[tuple[str, Path]]:
    for section in SECTIONS:
        values = getattr(config, section)
        for f in fields(values):
            value = getattr(values, f.name)
            if f.name.endswith(endings) and isinstance(value, str) and value:
                yield f"{section}.{f.name}", Path(value)


def _secrets(config: Config) -> Iterator[Finding]:
    """A file is for its owner alone; of a variable nobody but the system says who sees it."""
    for key, path in _files(config, "password_file", "token_file", "keyfile", "key_file"):
        variable = variable_of(str(path))
        if variable is not None:
            yield Finding(key, True, f"the environment variable {variable} is set")
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        found = f"{path} is of mode {mode:04o}"
        yield Finding(key, not mode & 0o077, found, f"chmod 600 {path}: others can read it")


def _tokens(config: Config) -> Iterator[Finding]:
    http = config.http
    if not http.tokens_file:
        found = f"none, and {http.host} listens" + (" to all" if http.open_to_all else "")
        yield Finding("tokens", not http.open_to_all, found, "name a file in http.tokens_file")
        return
    try:
        scopes = read_tokens(Path(http.tokens_file)).values()
    except MonitorError as error:
        yield Finding("tokens", False, str(error), "make them with mm-monitor token")
        return
    all_of_it = sum(not scope.maker for scope in scopes)
    found = f"{all_of_it} of operations, {len(scopes) - all_of_it} of makers"
    plain = not http.certfile and http.host not in ("127.0.0.1", "::1", "localhost")
    do = "name http.certfile, or put a proxy with TLS before it: tokens can be read on the way"
    yield Finding("tokens", not plain, found + (", over plain HTTP" if plain else ""), do)


def _certificates(config: Config) -> Iterator[Finding]:
    for key, path in _files(config, "cafile", "certfile"):
        try:
            ends = min(
                c.not_valid_after_utc for c in x509.load_pem_x509_certificates(path.read_bytes())
            )
        except (OSError, ValueError) as error:
            yield Finding(key, False, f"{path}: {error}", "name a file of PEM certificates")
            continue
        good = ends - datetime.now(UTC) > EXPIRES
        found = f"{path}: valid until {ends:%Y-%m-%d}"
        yield Finding(key, good, found, "renew it, then restart the monitor")


# Sinks ---------------------------------------------------------------------------------------------


async def _sinks(config: Config) -> AsyncIterator[Finding]:
    for url in config.alertmanager.urls:
        yield await _alertmanager(url)
    if config.mqtt.host:
        q = config.mqtt
        where = f"{q.host}:{q.port}"
        cause = await cannot_reach(MqttConfig(**{f.name: getattr(q, f.name) for f in fields(q)}))
        found = f"{where}: {cause}" if cause else f"{where} lets us in"
        yield Finding("mqtt", not cause, found, "see docs/security.md, MQTT")


async def _alertmanager(url: str) -> Finding:
    timeout = aiohttp.ClientTimeout(total=5)
    do = "start it, or mend alertmanager.urls"
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url.rstrip('/')}/api/v2/status") as answer,
        ):
            good = answer.status == 200
            return Finding("alertmanager", good, f"{url} answers {answer.status}", do)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Finding("alertmanager", False, f"{url}: {str(error) or 'no answer within 5 s'}", do)
