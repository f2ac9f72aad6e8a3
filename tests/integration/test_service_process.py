"""`mm-monitor run` as a process against a real Kafka: it starts, says how it is, reads, and ends."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.subject import Subject, answered, run_command
from tests.integration.venue import MAKERS, Quoting, Venue, rulebook
from tests.services.kafka import Kafka

RULES = '[spread]\nterms = [{ relative = "3%", of = "theo" }]\n[presence]\nrequired = "90%"\n'


async def ready(subject: Subject, seconds: float = 30) -> str:
    """Wait until it is ready; returns the reason that it gives."""

    async def asked() -> str:
        status, body = await subject.get("readyz")
        return str(body["reason"]) if status == 200 else ""

    return await answered(asked, timeout=seconds)


async def test_it_starts_catches_up_reads_and_ends_with_the_last_picture(
    kafka: Kafka, tmp_path: Path
) -> None:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    async with venue.open():
        await venue.theo()
        for _ in range(50):
            await venue.quotes()
        text = venue.config(tape={"lateness": "200ms"})
        async with Subject(tmp_path, text) as subject:
            status, body = await subject.get("healthz")
            assert (status, body) == (200, {"status": "alive"})
            status, body = await subject.get("readyz")
            if status != 200:  # it may have been quick
                assert body["reason"] in (
                    "waiting for the first records of every partition",
                    "catching up with the log",
                )
            assert await ready(subject) == "ready"
            async with Quoting(venue) as quoting:
                await venue.control("stress", scope="K0", action="start")
                await venue.control("exemption", scope="*", maker="M0", kind="none", action="start")
                await asyncio.sleep(1.0)

            await answered(lambda: read(subject, 300 + 6 * len(quoting.sent)))
            assert await subject.metric("mm_monitor_records_total", kind="theo") == 2
            assert await subject.metric("mm_monitor_records_total", kind="stress") == 1
            # The rulebook names no kind of exemption.
            assert await subject.metric("mm_monitor_dead_letters_total", reason="unknown_kind") == 1
            _, shown = await subject.get("api/v1/status")
            assert {row["maker"] for row in shown["rulebooks"][0]["makers"]} == set(MAKERS)
            subject.signal(signal.SIGTERM)
            assert await subject.wait() == 0
            assert "Traceback" not in subject.stderr
            assert subject.logs[-1]["event"] == "stopped"
        watermarks = [e["watermark"] for e in venue.journal() if e["entry"] == "watermark"]
        assert watermarks == sorted(watermarks)
        assert watermarks[-1] >= quoting.sent[-1]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no-broker": ({"kafka": {"bootstrap": "127.0.0.1:1"}}, "127.0.0.1:1: .*connection refused"),
    "tls": ({"kafka": {"security_protocol": "SSL"}}, "TLS"),
    "no-topic": ({"topics": {"quotes": "nowhere"}}, "topic 'nowhere' does not exist"),
    "port": ({"http": {"port": "busy"}}, "http: .*in use"),
    "key": ({"http": {"colour": "red"}}, r"config-key\.toml: http\.colour: "),
    "rulebook": ({"rulebooks": {"names": ["no.toml"]}}, "a rulebook file, or one of .*no.toml"),
    "twins": ({"rulebooks": {"names": ["live.toml", "twin.toml"]}}, "an id of its own"),
    "timeless": ({"rulebooks": {"names": ["timeless.toml"]}}, "a rulebook with a calendar"),
    "journal": ({"journal": {"directory": "live.toml/x"}}, "journal.directory: .*Not a directory"),
    "checkpoint": ({"checkpoint": {"directory": "live.toml/x"}}, "checkpoint: .*Not a directory"),
    "secret": (
        {"mqtt": {"host": "127.0.0.1", "username": "u", "password_file": "no"}},
        "mqtt.password_file: a file that can be read",
    ),
}


async def refused(folder: Path, name: str, text: str) -> str:
    """What a monitor that cannot start says; checks that it ended with 2, soon, and in one sentence."""
    (folder / f"config-{name}.toml").write_text(text)
    code, out, err = await asyncio.to_thread(
        run_command, folder, "run", "--config", f"config-{name}.toml", seconds=40
    )
    assert (code, out) == (2, ""), err
    said = [line for line in err.splitlines() if line.startswith("mm-monitor: ")]
    assert len(said) == 1, err
    assert "Traceback" not in err
    return said[0]


async def test_what_cannot_start_says_why_in_a_sentence_and_ends_with_2(
    kafka: Kafka, tmp_path: Path
) -> None:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    venue.write_rulebook(rulebook(rules=RULES), "twin")
    venue.write_rulebook('id = "timeless"\nversion = 1\nsource = "a test"\n' + RULES, "timeless")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        REFUSED["port"][0]["http"]["port"] = taken.getsockname()[1]
        found = await asyncio.gather(
            *(
                refused(tmp_path, name, venue.config(**change))
                for name, (change, _) in REFUSED.items()
            )
        )
    for line, (name, (_, wanted)) in zip(found, REFUSED.items(), strict=True):
        assert re.search(wanted, line), name


@pytest.mark.criterion("TAPE-06")
async def test_a_broker_that_goes_away_costs_known_time_and_nothing_else(
    kafka: Kafka, tmp_path: Path
) -> None:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    async with venue.open(), Subject(tmp_path, venue.config()) as subject:
        await venue.theo()
        for _ in range(5):
            await venue.quotes()
        last_heard = await venue.quotes()
        await venue.theo(ts=last_heard)
        assert await ready(subject) == "ready"
        await answered(lambda: read(subject, 36))
        await asyncio.to_thread(kafka.kill)
        gone = time.time_ns()

        async def problem() -> str:
            status, body = await subject.get("readyz")
            assert status == 200
            return str(body["reason"]) if body["reason"] != "ready" else ""

        assert re.match("ready, but .*connection refused", await answered(problem))
        await asyncio.to_thread(kafka.start)
        await venue.led()
        heard = [await venue.theo(), await venue.quotes()]
        await answered(lambda: read(subject, 42))

        async def mended() -> bool:
            return bool((await subject.get("readyz"))[1]["reason"] == "ready")

        await answered(mended)
        assert await subject.metric("mm_monitor_duplicate_records_total") == 0
        assert await subject.metric("mm_monitor_dead_letters_total") == 0

        # Time had moved on a little before the loss showed: those `down`s of ours came late. And of two topics that
        # are read again the quotes may come first: nobody waits for a theo's partition that is down.
        controls, rows = await late_ones(venue, subject)
        assert {e["record"] for e in controls} <= {"feed"}
        assert {e[end] for e in rows for end in ("first", "last")} <= {heard[0]}
        feed = [e for e in venue.journal() if e.get("record") == "feed"]
        for scope in ("K0", "K1"):
            of = [e for e in feed if e["scope"] == scope]
            assert (of[0]["status"], of[0]["ts"]) == ("down", last_heard)
            assert of[-1]["status"] == "up"
            assert of[-1]["ts"] in heard  # the theo may come in well before the quotes

        async def known() -> list[dict[str, Any]]:
            rows = (await subject.get("api/v1/obligations"))[1]["obligations"]
            return [] if any(row["state"] == "unknown" for row in rows) else rows

        for row in await answered(known):
            down = [e for e in feed if (e["scope"], e["status"]) == (row["class"], "down")]
            assert row["unknown_ns"] == heard[-1] - down[-1]["ts"]  # what stands is known by quotes
            assert last_heard <= down[-1]["ts"] <= gone
        assert len(subject.logs) < 50, subject.stderr
        subject.signal(signal.SIGTERM)
        assert await subject.wait() == 0


async def late_ones(venue: Venue, subject: Subject) -> list[list[dict[str, Any]]]:
    """The journal's late controls and late rows, once it has all that were counted: it is flushed a moment later."""

    async def told() -> list[list[dict[str, Any]]]:
        counted = await subject.metric("mm_monitor_late_records_total")
        entries = venue.journal()
        late = [[e for e in entries if e["entry"] == kind] for kind in ("late_control", "late")]
        return late if counted == len(late[0]) + sum(e["records"] for e in late[1]) else []

    return await answered(told)


async def read(subject: Subject, quotes: int) -> bool:
    """Has it applied so many quotes?"""
    return await subject.metric("mm_monitor_records_total", kind="quote") == quotes
