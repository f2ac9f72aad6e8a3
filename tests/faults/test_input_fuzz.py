"""A slice of the proof that garbage at every door is refused aloud: no other error, no hang, no memory kept."""

from __future__ import annotations

import logging

import pytest

from tests.faults.garbage_in import targets
from tests.faults.garbage_in_http import door
from tests.faults.input_fuzz import attack


@pytest.mark.parametrize("name", targets())
def test_garbage_is_refused(name: str) -> None:
    assert attack(name, number=1, inputs=20) == ""


@pytest.mark.parametrize("name", targets())
def test_what_is_good_is_read(name: str) -> None:
    read, samples = targets()[name]
    for sample in samples:
        read(sample)


def test_a_token_in_a_request_that_is_none_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for broken in (
            b"Authorization\0: Bearer q5-Token\r\n",
            b"Authorization: Bearer q5-Token\0\r\n",
        ):
            door().ask(b"GET / HTTP/1.1\r\n" + broken + b"\r\n")
    assert "q5-Token" not in caplog.text
    assert "Traceback" not in caplog.text
