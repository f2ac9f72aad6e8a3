"""`mm-monitor doctor` on a good deployment, and on one in which nothing is as it should be."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from mm_monitor.doctor import Finding, examine
from tests.integration.subject import run_command
from tests.integration.venue import CONTRACTS, SECOND, Venue, quote, rulebook
from tests.services.alertmanager import Alertmanager
from tests.services.kafka import Kafka
from tests.services.mosquitto import Mosquitto

RULES = '[spread]\nterms = [{ absolute = "0.02" }]\n'


def deployment(venue: Venue, **sections: Any) -> Path:
    venue.write_rulebook(rulebook(rules=RULES))
    path = venue.folder / "monitor.toml"
    path.write_text(venue.config(**sections))
    return path


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


@pytest.mark.parametrize("place", ["password", "env:MQTT_PASSWORD"])
async def test_a_good_deployment_is_good(
    kafka: Kafka, mosquitto: Mosquitto, alertmanager: Alertmanager, tmp_path: Path, place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    venue = Venue(kafka, tmp_path)
    secret = tmp_path / "password"
    secret.write_text("any-s3cret")
    secret.chmod(0o600)
    monkeypatch.setenv("MQTT_PASSWORD", "any-s3cret")
    mqtt = {
        "host": mosquitto.host,
        "port": mosquitto.port,
        "username": "u",
        "password_file": place,
    }
    path = deployment(venue, mqtt=mqtt, alertmanager={"urls": [alertmanager.url]},
                      checkpoint={"directory": "kept"})  # fmt: skip
    async with venue.open():
        for contract, (klass, partition) in CONTRACTS.items():
            value = quote(time.time_ns(), contract=contract)
            await venue.send(venue.quotes_topic, value, partition, key=klass)
        findings = await examine(path)
    assert [finding for finding in findings if not finding.good] == []
    assert "s3cret" not in str(findings)
    found = by_check(findings)
    for check in ("python", "kernels", "configuration", "journal", "checkpoint", "mqtt.password_file", "tokens",
                  "brokers", "topic quotes", "co-partitioned", "retention control", "keys quotes", "format quotes",
                  "clock quotes", "alertmanager", "mqtt"):  # fmt: skip
        assert check in found
    assert "of 2 newest 0 without a key, 0 not where" in found["keys quotes"].found


def test_what_is_bad_is_told_with_what_to_do(kafka: Kafka, tmp_path: Path) -> None:
    venue = Venue(kafka, tmp_path, cleanup_policy="compact")
    short = kafka.unique_topic("control", retention_ms="60000")
    (tmp_path / "file").write_text("")
    (tmp_path / "secret").write_text("any")
    (tmp_path / "secret").chmod(0o644)
    theo = kafka.unique_topic("theo", 3)
    _write_badly(kafka, venue.quotes_topic, theo)
    path = deployment(
        venue,
        topics={"theo": theo, "control": short, "breaches": "nowhere"},
        journal={"directory": "file/journal"},
        mqtt={"host": "127.0.0.1", "port": 1, "username": "u", "password_file": "secret"},
        alertmanager={"urls": ["http://127.0.0.1:1"]},
        http={"host": "0.0.0.0", "open_to_all": True},
    )
    code, out, err = run_command(tmp_path, "doctor", "--config", str(path), "--json", seconds=60)
    assert code == 1, err
    bad = {
        finding["check"]: finding for finding in json.loads(out)["findings"] if not finding["good"]
    }
    assert set(bad) == {
        "journal", "mqtt.password_file", "tokens", "topic breaches", "co-partitioned", "cleanup quotes",
        "retention control", "keys quotes", "format quotes", "clock quotes", "keys theo", "format theo",
        "alertmanager", "mqtt",
    }  # fmt: skip
    assert all(finding["do"] for finding in bad.values())
    assert "quotes 2, theo 3 partitions" in bad["co-partitioned"]["found"]
    assert "0.0 hours" in bad["retention control"]["found"]
    assert "of 1 newest 0 without a key, 1 not where" in bad["keys quotes"]["found"]
    assert "of 1 newest 1 without a key, 0 not where" in bad["keys theo"]["found"]


def _write_badly(kafka: Kafka, quotes: str, theo: str) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    wrong = 1 - CONTRACTS["C0"][1]
    ahead = (time.time_ns() + 3600 * SECOND) // 1_000_000
    producer.produce(quotes, b"junk", key=b"K0", partition=wrong, timestamp=ahead)
    producer.produce(theo, b"junk", partition=0)
    producer.flush(20)


async def test_without_brokers_the_rest_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "monitor.toml"
    path.write_text('[kafka]\nbootstrap = "127.0.0.1:1"\n[journal]\ndirectory = "journal"\n')
    found = by_check(await examine(path))
    assert "connection refused" in found["brokers"].found
    assert found["journal"].good


async def test_a_mistake_in_the_file_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "monitor.toml"
    path.write_text("[http]\nport = 'many'\n")
    assert "http.port" in by_check(await examine(path))["configuration"].found
