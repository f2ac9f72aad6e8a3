"""Logs in both formats, ours and the standard library's alike."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from mm_monitor.errors import ConfigError
from mm_monitor.logs import configure


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    structlog.get_logger("mm_monitor.test").info("breach_opened", maker="做市商", start=1)
    logging.getLogger("third.party").warning("it said %s", "no")
    structlog.get_logger("mm_monitor.test").debug("not shown")
    captured = capsys.readouterr()
    ours, theirs = map(json.loads, captured.err.splitlines())
    assert (ours["event"], ours["maker"], ours["start"]) == ("breach_opened", "做市商", 1)
    assert (ours["level"], ours["logger"]) == ("info", "mm_monitor.test")
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"]) == ("it said no", "warning")
    assert captured.out == ""


def test_an_exception_is_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger("mm_monitor.test").exception("failed")
    [line] = capsys.readouterr().err.splitlines()
    assert "ValueError: broken" in json.loads(line)["exception"]


def test_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "console")
    structlog.get_logger("mm_monitor.test").debug("breach_opened", maker="M0")
    text = capsys.readouterr().err
    assert "breach_opened" in text
    assert "maker=M0" in text


def test_chatty_libraries_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    logging.getLogger("aiokafka").info("rebalancing")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("level", "form"), [("loud", "json"), ("info", "xml")])
def test_unknown_settings_are_refused(level: str, form: str) -> None:
    with pytest.raises(ConfigError, match=r"log\.(level|format): one of .*, got '(loud|xml)'"):
        configure(level, form)


def test_a_library_that_repeats_itself_is_heard_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    for _ in range(3):
        logging.getLogger("aiokafka.client").error("no connection to %s", "k1")
        logging.getLogger("aiokafka.client").error("no connection to %s", "k2")
        logging.getLogger("aiokafkaesque").error("another library")
    said = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert said == ["no connection to k1", "no connection to k2", *["another library"] * 3]
