"""The evidence log is what was written, or the verifier says in which line it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_monitor.errors import MonitorError
from mm_monitor.evidence import verifier
from mm_monitor.evidence.keys import SealingKey
from mm_monitor.evidence.log import EvidenceLog, logs_of
from mm_monitor.evidence.part import part_of
from mm_monitor.evidence.verifier import Fault, signed, verify

DAY = 86_400 * 10**9
NOON = 20_301 * DAY + DAY // 2  # 2025-08-01
KEY = SealingKey(Ed25519PrivateKey.generate())


def entries(count: int, first: int = 0) -> list[dict[str, object]]:
    return [
        {"entry": "breach", "id": f"b{i}", "maker": f"M{i % 3}"}
        for i in range(first, first + count)
    ]


@contextmanager
def opened(directory: Path, now: int = NOON) -> Iterator[EvidenceLog]:
    log = EvidenceLog(directory, KEY, "test")
    log.open(now)
    yield log
    log.close()


def sealed(directory: Path, count: int = 4) -> Path:
    """A day's log with its seal; another day has begun."""
    with opened(directory) as log:
        log.append(entries(count), NOON)
        log.roll(NOON + DAY)
    return logs_of(directory)[0]


def test_a_day_is_sealed_when_the_next_has_begun(tmp_path: Path) -> None:
    first, second = logs_of(sealed(tmp_path).parent)
    one, other = verify(first.read_bytes(), KEY.public), verify(second.read_bytes())
    assert (one.date, one.entries, one.key) == ("2025-08-01", 6, KEY.public)
    assert (other.date, other.entries, other.key) == ("2025-08-02", 1, "")
    assert other.previous == one.last


def test_every_byte_that_is_changed_is_found_in_its_line(tmp_path: Path) -> None:
    data = sealed(tmp_path, 2).read_bytes()
    for at in range(len(data)):
        line = data.count(b"\n", 0, at) + 1
        for other in {data[at] ^ 1, data[at] ^ 0x20, 10} - {data[at]}:
            with pytest.raises(Fault) as caught:
                verify(data[:at] + bytes([other]) + data[at + 1 :])
            assert str(caught.value).startswith(f"line {line}:"), (at, other, str(caught.value))


def test_every_cut_but_one_that_undoes_the_seal_is_found(tmp_path: Path) -> None:
    data = sealed(tmp_path, 2).read_bytes()
    unsealed = len(data[: data.rfind(b"\n", 0, data.rfind(b"\n", 0, -1)) + 1])
    for size in range(len(data)):
        whole_lines = data[:size].endswith(b"\n") and size <= unsealed
        if not whole_lines:
            with pytest.raises(Fault):
                verify(data[:size])


@given(st.integers(0, 3), st.integers(0, 3))
def test_lines_that_change_places_are_found(one: int, other: int) -> None:
    lines = PLAIN.splitlines(keepends=True)
    lines[one], lines[other] = lines[other], lines[one]
    if one != other:
        with pytest.raises(Fault, match=f"^line {min(one, other) + 1}:"):
            verify(b"".join(lines))


def _plain() -> bytes:
    before, text = verifier.NOTHING, b""
    for body in (b'{"date":"d","entry":"begin","previous":""}', b'{"a":1}', b'{"a":2}', b'{"a":3}'):
        before = verifier.chained(before, body)
        text += before + b" " + body + b"\n"
    return text


PLAIN = _plain()


def test_another_key_is_refused(tmp_path: Path) -> None:
    data = sealed(tmp_path).read_bytes()
    with pytest.raises(Fault, match="sealed by another key"):
        verify(data, "0" * 64)


def test_a_log_that_was_written_anew_is_not_signed_by_the_key(tmp_path: Path) -> None:
    """Who changes an entry and all hashes after it lacks the signature."""
    lines = sealed(tmp_path).read_bytes().splitlines(keepends=True)
    before, forged = verifier.NOTHING, b""
    for line in lines[:-1]:
        body = line[65:-1].replace(b'"maker":"M1"', b'"maker":"M2"')
        before = verifier.chained(before, body)
        forged += before + b" " + body + b"\n"
    with pytest.raises(Fault, match="line 7: the signature is not this key's"):
        verify(forged + lines[-1], KEY.public)


@settings(max_examples=settings().max_examples // 10)  # thirty milliseconds each
@given(st.binary(max_size=40), st.integers(0, 2**32))
def test_signatures_are_those_of_the_standard(message: bytes, seed: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "little"))
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert signed(public, message, signature)
    assert not signed(public, message + b"x", signature)
    order = verifier.ORDER.to_bytes(32, "little")
    high = int.from_bytes(signature[32:], "little") + int.from_bytes(order, "little")
    assert not signed(public, message, signature[:32] + high.to_bytes(32, "little"))


def test_a_part_tells_a_maker_its_own_and_verifies(tmp_path: Path) -> None:
    data = sealed(tmp_path, 6).read_bytes()
    part = part_of(data, "M1")
    found = verify(part, KEY.public)
    assert (found.entries, found.withheld) == (8, 4)
    told = [
        json.loads(line[65:]) for line in part.splitlines()[:-1] if not line[65:].startswith(b"sha")
    ]
    assert [entry["entry"] for entry in told] == ["begin", "breach", "breach", "seal"]
    assert b'"M0"' not in part
    assert b'"M2"' not in part
    assert part_of(part, "M1") == part


def test_the_verifier_needs_nothing_but_python(tmp_path: Path) -> None:
    path = sealed(tmp_path / "logs")
    alone = tmp_path / "verifier.py"
    alone.write_bytes(Path(verifier.__file__).read_bytes())
    assert len(alone.read_text().splitlines()) < 150
    command = [sys.executable, "-I", "-S", str(alone), "--key", KEY.public, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{path}: 6 entries, 0 withheld, sealed by {KEY.public}\n"
    path.write_bytes(path.read_bytes().replace(b'"b1"', b'"b7"'))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"{path}: line 3: changed, or not the line that followed\n"


# Going on -----------------------------------------------------------------------------------------


def test_what_was_written_before_is_not_written_twice(tmp_path: Path) -> None:
    for first in (0, 2, 0):
        with opened(tmp_path) as log:
            log.append(entries(4, first), NOON)
            log.append(entries(4, first), NOON)
    assert verify(logs_of(tmp_path)[0].read_bytes()).entries == 1 + 6


def test_half_a_line_is_cut_off_and_written_again(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append(entries(2), NOON)
    path = logs_of(tmp_path)[0]
    data = path.read_bytes()
    for size in range(data.find(b"\n") + 1, len(data)):
        path.write_bytes(data[:size])
        with opened(tmp_path) as log:
            log.append(entries(2), NOON)
        assert verify(path.read_bytes()).entries == 3


@pytest.mark.parametrize("cut", [1, 50, 139, 140, 141, 300])
def test_a_day_that_was_killed_while_it_was_sealed_is_sealed(tmp_path: Path, cut: int) -> None:
    path, last = logs_of(sealed(tmp_path).parent)
    last.unlink()
    path.write_bytes(path.read_bytes()[:-cut])
    with opened(tmp_path, NOON + 3 * DAY):
        pass
    one, other = (verify(p.read_bytes()) for p in logs_of(tmp_path))
    assert (one.key, other.date, other.previous) == (KEY.public, "2025-08-04", one.last)


def test_an_empty_log_is_begun_anew(tmp_path: Path) -> None:
    first, second = logs_of(sealed(tmp_path).parent)
    second.write_bytes(second.read_bytes()[:20])
    with opened(tmp_path, NOON + DAY):
        pass
    assert verify(second.read_bytes()).previous == verify(first.read_bytes()).last


def test_a_clock_that_is_set_back_ends_no_day(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append(entries(1), NOON - DAY)
        log.append(entries(1, 1), NOON)
    assert [path.name for path in logs_of(tmp_path)] == ["evidence-2025-08-01.log"]


def test_a_log_that_was_changed_is_not_taken_up(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append(entries(3), NOON)
    path = logs_of(tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b'"b1"', b'"b7"'))
    with pytest.raises(MonitorError, match=r"2025-08-01.log: line 3: changed"), opened(tmp_path):
        pass


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with (
        opened(tmp_path),
        pytest.raises(MonitorError, match="another process"),
        opened(tmp_path),
    ):
        pass


def test_a_disk_that_is_full_loses_nothing(tmp_path: Path) -> None:
    """In a process of its own, whose files may not grow beyond some sizes."""
    script = Path(__file__).with_name("full_disk.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 3
    assert verify(logs_of(tmp_path)[0].read_bytes()).entries == 1 + 40


# Keys ---------------------------------------------------------------------------------------------


def test_a_key_is_written_for_its_owner_alone_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "evidence.pem"
    made = SealingKey.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert SealingKey.load(path).public == made.public
    with pytest.raises(MonitorError, match="cannot be written: File exists"):
        SealingKey.create(path)


def test_what_is_no_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(MonitorError, match="cannot be read"):
        SealingKey.load(path)
    path.write_text("secret")
    with pytest.raises(MonitorError, match="Ed25519 private key in PEM is wanted"):
        SealingKey.load(path)


@pytest.mark.parametrize("restarts", [False, True])
def test_what_is_handed_over_again_on_the_next_day_is_not_written_again(
    tmp_path: Path, restarts: bool
) -> None:
    """As by a service that was killed after it had written an entry and before it took it out of the inbox."""
    with opened(tmp_path) as log:
        log.append(entries(2), NOON)
        if not restarts:
            log.append(entries(3), NOON + DAY)
    if restarts:
        with opened(tmp_path, NOON + DAY):
            pass  # killed once more, when the day's log had begun
        with opened(tmp_path, NOON + DAY) as log:
            log.append(entries(3), NOON + DAY)
    told = [json.loads(line[65:]).get("id") for path in logs_of(tmp_path)
            for line in path.read_text().splitlines() if "signature" not in line]  # fmt: skip
    assert [id_ for id_ in told if id_] == ["b0", "b1", "b2"]
