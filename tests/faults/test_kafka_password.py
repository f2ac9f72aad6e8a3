"""A password or token that a broker no longer takes: a running service says so, goes on asking, and loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.proxy import Proxy
from tests.integration.subject import Subject, answered
from tests.integration.venue import MAKERS, MS, Quoting, Venue, rulebook
from tests.services.kafka.guarded import USER, GuardedKafka, token

RULES = '[spread]\nterms = [{ absolute = "0.02" }]\n[lapse]\nlongest_permitted = "300ms"\n'
OTHER, WRONG = "q3-Another-Secret", "q4-Not-The-Secret"
ROTATED = "rotated"  # a user of this test alone
REFUSED = "SASL: user name, password or token refused"


class Credentials:
    """A user and the file with what it is let in by, which go apart and agree again."""

    def __init__(self, kafka: GuardedKafka, file: Path, mechanism: str) -> None:
        self.kafka, self.file, self.mechanism = kafka, file, mechanism
        self.by_token = mechanism == "OAUTHBEARER"
        self.scram = mechanism.startswith("SCRAM")
        self.right = token() if self.by_token else kafka.password
        if self.scram:
            kafka.set_password(ROTATED, self.right, mechanism)
        self._write(self.right)

    def spoil(self) -> None:
        """At the broker, where it can be changed; in the file otherwise."""
        if self.scram:
            self.kafka.set_password(ROTATED, OTHER, self.mechanism)
        else:
            self._write(WRONG)

    def lose(self) -> None:
        """The file is gone for a while."""
        self.file.unlink()

    def mend(self) -> None:
        """In the file."""
        self._write(OTHER if self.scram else self.right)

    @property
    def keys(self) -> dict[str, Any]:
        """Of the configuration's section `kafka`."""
        file = "sasl_token_file" if self.by_token else "sasl_password_file"
        return {
            "bootstrap": f"127.0.0.1:{self.kafka.ports.between_names}", "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": self.mechanism, file: self.file.name,
            "sasl_username": ROTATED if self.scram else USER,
        }  # fmt: skip

    def _write(self, text: str) -> None:
        beside = self.file.with_suffix(".new")
        beside.write_text(text + "\n")
        beside.replace(self.file)


@pytest.mark.parametrize(
    "mechanism",
    ["SCRAM-SHA-256", *(pytest.param(m, marks=pytest.mark.slow) for m in ("PLAIN", "OAUTHBEARER"))],
)
async def test_credentials_that_become_wrong_while_the_service_runs(
    guarded_kafka: GuardedKafka, tmp_path: Path, mechanism: str
) -> None:
    credentials = Credentials(guarded_kafka, tmp_path / "secret", mechanism)
    venue = Venue(guarded_kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    text = venue.config(kafka=credentials.keys, tape={"lost_after": "1s"}, log={"level": "debug"})
    ports = guarded_kafka.ports
    line = Proxy(ports.line, ports.between_names)
    async with line, venue.open(), Subject(tmp_path, text) as subject:
        async with Quoting(venue) as quoting:
            await answered(lambda: _is(subject, lambda rows, reason: rows and reason == "ready"))
            credentials.spoil()
            line.cut()
            at = f"ready, but 127.0.0.1:{ports.between_names}: {REFUSED}"
            await answered(lambda: _is(subject, lambda _, reason: reason.startswith(at)))
            await answered(lambda: _down(subject, 2))  # both classes
            credentials.lose()
            lost = "ready, but kafka.sasl_"
            await answered(lambda: _is(subject, lambda _, reason: reason.startswith(lost)))
            away = await quoting.say("M1", "C0", bid=None, ask=None)  # nobody hears it yet
            credentials.mend()
            await answered(lambda: _is(subject, lambda _, reason: reason == "ready"))
            await answered(lambda: _rung(venue, away))
        said = len(MAKERS) * len(quoting.said) + 1
        await answered(lambda: _is(subject, lambda rows, _: rows >= said))
        assert await subject.metric("mm_monitor_records_total", kind="quote") == said
        assert await subject.metric("mm_monitor_late_records_total") == 0
        assert await _down(subject, 0)
        pages = [await subject.text(path) for path in ("metrics", "api/v1/status", "readyz")]
    [cause] = {e["cause"] for e in subject.logs if REFUSED in e.get("cause", "")}
    assert cause.startswith(f"127.0.0.1:{ports.between_names}: ")
    assert "kafka_answers_again" in [entry["event"] for entry in subject.logs]
    assert "Traceback" not in subject.stderr
    for secret in (credentials.right, OTHER, WRONG):
        assert secret not in "".join(pages) + subject.stderr


async def _is(subject: Subject, wanted: Callable[[float, str], Any]) -> bool:
    rows = await subject.metric("mm_monitor_records_total", kind="quote")
    _, page = await subject.get("readyz")
    return bool(wanted(rows, page["reason"]))


async def _down(subject: Subject, classes: int) -> bool:
    """Are so many classes unknown because their broker is lost?"""
    return await subject.metric("mm_monitor_feed_down_scopes", cause="broker_lost") == classes


async def _rung(venue: Venue, away: int) -> bool:
    """Has the breaches topic the lapse of M1, from the instant at which it went away?"""
    found = [event["data"]["breach"] for event in await venue.read(venue.breaches_topic)]
    return any(
        (b["maker"], b["contract"], b["start"] // MS) == ("M1", "C0", away // MS + 300)
        for b in found
    )
