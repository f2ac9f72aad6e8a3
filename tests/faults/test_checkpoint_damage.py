"""Whatever befalls a checkpoint on the disk: the one before is taken, aloud; never a wrong one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from mm_monitor.checkpoints import create
from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.checkpoints.record import (
    SCHEMA,
    Sections,
    base_of,
    difference,
    read_difference,
    read_whole,
    whole,
)
from mm_monitor.checkpoints.sqlite import FILES
from mm_monitor.checkpoints.writer import CheckpointWriter, readable
from mm_monitor.errors import CheckpointError
from mm_monitor.health import CheckpointStats


def sections(seed: int, size: int = 3000) -> Sections:
    """A large section of which little changes from seed to seed, one that changes whole, one that never does."""
    large = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    large[[seed * 97 % size, seed * 131 % size]] = seed
    return {"large": large.tobytes(), "small": b"%d" % seed * 20, "same": b"same" * 30, "none": b""}


def written(directory: Path, count: int, size: int = 3000) -> None:
    """Checkpoints 0 to count - 1, as a service writes them; every third is whole."""
    store = create("sqlite", directory)
    base = None
    for serial in range(count):
        now = sections(serial, size)
        if base is None or serial % 3 == 0:
            entry = whole(serial, now)
            base = base_of(entry, now)
        else:
            entry = difference(serial, base, now)
        store.write(entry)
    store.close()


def found(directory: Path) -> tuple[list[int], list[CheckpointError]]:
    """Serials of the checkpoints that can be used, newest first, each checked byte by byte; and what was refused."""
    refused: list[CheckpointError] = []
    store = create("sqlite", directory)
    entries = list(store.entries())
    refused += [CheckpointError("damaged", problem) for problem in store.problems()]
    usable = []
    for entry, read in readable(entries, refused.append):
        assert read == sections(entry.serial, len(read["large"]))
        usable.append(entry.serial)
    store.close()
    return usable, refused


@pytest.mark.parametrize("seed", range(8))
def test_a_difference_is_the_whole(seed: int) -> None:
    first, now = sections(seed), sections(seed + 5)
    entry = whole(7, first)
    base = base_of(entry, first)
    assert read_whole(entry) == first
    step = difference(8, base, now)
    assert read_difference(step, base) == now
    assert len(step.data) < len(entry.data) / 2
    changed = {"large": now["large"] + b"longer", "new": b"new"}
    assert read_difference(difference(9, base, changed), base) == changed


def test_a_record_cut_at_any_byte_or_changed_in_any_byte_is_refused() -> None:
    first, now = sections(1, 600), sections(2, 600)
    base = base_of(whole(0, first), first)
    for entry, read in ((whole(0, first), read_whole),
                        (difference(1, base, now), lambda e: read_difference(e, base))):  # fmt: skip
        for size in range(len(entry.data)):
            with pytest.raises(CheckpointError):
                read(Entry(entry.serial, entry.base, entry.data[:size]))
            bent = bytearray(entry.data)
            bent[size] ^= 0x10
            if size not in (6, 7):  # two bytes that mean nothing yet
                with pytest.raises(CheckpointError):
                    read(Entry(entry.serial, entry.base, bytes(bent)))


@pytest.mark.parametrize("schema", [SCHEMA - 1, SCHEMA + 1])
def test_an_older_or_newer_schema_says_so_and_the_one_before_is_taken(
    tmp_path: Path, schema: int
) -> None:
    written(tmp_path, 4)
    for name in FILES:
        with closing(sqlite3.connect(tmp_path / name)) as file, file:
            for data in file.execute("SELECT data FROM record WHERE serial = 3").fetchall():
                other = data[0][:4] + struct.pack("<H", schema) + data[0][6:]
                file.execute("UPDATE record SET data = ? WHERE serial = 3", (other,))
    usable, refused = found(tmp_path)
    assert usable == [2, 1, 0]
    assert [error.reason for error in refused] == ["schema"]
    assert f"of schema {schema}, this is {SCHEMA}" in str(refused[0])


def test_a_wrong_whole_record_takes_its_differences_along_and_no_others(tmp_path: Path) -> None:
    written(tmp_path, 6)
    for name in FILES:
        with closing(sqlite3.connect(tmp_path / name)) as file, file:
            file.execute("UPDATE record SET data = zeroblob(length(data)) WHERE serial = 3")
    usable, refused = found(tmp_path)
    assert usable == [2, 1, 0]
    assert [error.reason for error in refused] == ["damaged"] * 3


def _cuts(size: int, page: int = 4096) -> list[int]:
    """Around every boundary of pages, and some bytes of the head of the file."""
    around = {at + step for at in range(0, size + 1, page) for step in (-1, 0, 1)}
    return sorted(at for at in {*around, *range(0, 100, 9)} if 0 <= at < size)


@pytest.mark.parametrize("which", FILES)
def test_a_file_cut_anywhere_leaves_the_checkpoints_of_the_other(
    tmp_path: Path, which: str
) -> None:
    written(tmp_path / "sound", 6, size=20_000)
    (newest, *_), _ = found(tmp_path / "sound")
    assert newest == 5
    other = {name: [2, 1, 0] if name == FILES[1] else [5, 4, 3] for name in FILES}[which]
    for cut in _cuts((tmp_path / "sound" / which).stat().st_size):
        shutil.rmtree(tmp_path / "cut", ignore_errors=True)
        shutil.copytree(tmp_path / "sound", tmp_path / "cut")
        os.truncate(tmp_path / "cut" / which, cut)
        usable, refused = found(tmp_path / "cut")
        assert [serial for serial in usable if serial in other] == other, cut
        assert refused, cut
        if cut % 4096 == 0:  # and it can be written to again
            store = create("sqlite", tmp_path / "cut")
            store.write(whole(9, sections(9)))
            store.close()
            assert found(tmp_path / "cut")[0][0] == 9, cut


CROWDED = """
import resource, sys
from pathlib import Path
from mm_monitor.checkpoints import create
from mm_monitor.checkpoints.writer import CheckpointWriter
from mm_monitor.health import CheckpointStats
stats = CheckpointStats()
writer = CheckpointWriter(create("sqlite", Path(sys.argv[1])), stats)
def write(n):
    while not writer.offer(lambda: {"large": bytes([n]) * 300_000}):
        pass
    while not writer.idle:
        pass
write(1)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
write(2)
write(3)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
write(4)
writer.finish(None, 5)
print(stats.written, stats.failures)
"""


def test_a_full_disk_costs_checkpoints_and_no_service(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CROWDED, str(tmp_path)], capture_output=True, text=True,
                          timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-2:] == ["2", "2"], done.stdout
    assert (
        done.stdout.count("checkpoint_not_written") + done.stderr.count("checkpoint_not_written")
        == 1
    )
    store = create("sqlite", tmp_path)
    refused: list[CheckpointError] = []
    usable = [read["large"][0] for _, read in readable(list(store.entries()), refused.append)]
    assert (usable, refused) == ([4, 1], [])
    store.close()


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from mm_monitor.checkpoints import create
os.setgid(65534); os.setuid(65534)
try:
    create("sqlite", Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
@pytest.mark.parametrize("begun", [False, True])
def test_a_directory_that_cannot_be_written_to_is_said_at_once(tmp_path: Path, begun: bool) -> None:
    place = tmp_path / "kept"
    place.mkdir()
    if begun:
        written(place, 2)
    for path in (place, *place.iterdir()):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for above in place.parents:  # nobody may come so far
        if above.stat().st_uid == os.geteuid() and str(above).startswith("/tmp/"):
            above.chmod(above.stat().st_mode | 0o011)
    done = subprocess.run([sys.executable, "-c", UNPRIVILEGED, str(place)], capture_output=True, text=True,
                          timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"CheckpointError checkpoint: {place}"), done.stdout


def test_two_services_cannot_share_a_directory(tmp_path: Path) -> None:
    one = create("sqlite", tmp_path)
    with pytest.raises(CheckpointError, match="locked"):
        create("sqlite", tmp_path)
    one.close()
    create("sqlite", tmp_path).close()


def test_a_state_is_not_taken_while_one_is_being_written(tmp_path: Path) -> None:
    stats = CheckpointStats()
    writer = CheckpointWriter(create("sqlite", tmp_path), stats)
    began, go_on = threading.Event(), threading.Event()

    def slow() -> Sections:
        began.set()
        assert go_on.wait(10)
        return sections(0)

    assert writer.offer(slow)
    assert began.wait(10)
    assert not writer.offer(lambda: sections(9))
    go_on.set()
    assert writer.finish(lambda: sections(1), 10)
    assert stats.written == 2
    assert found(tmp_path) == ([1, 0], [])
