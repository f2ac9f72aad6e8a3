"""What a release has: `python tests/packaging/release.py DIRECTORY`, or `make dist`.

The sdist and the wheel are built twice, at other times in other directories, and must agree in every byte; the time
in them is that of the commit. Beside them: the manual page, a bill of materials of what the wheel needs, checksums.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MATERIALS = "cyclonedx-bom>=7,<8"


def run(*command: str | Path, **variables: str) -> str:
    """The output of a command that must work."""
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True
    )
    if done.returncode:
        words = " ".join(map(str, command))
        sys.exit(f"`{words}` gave {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def built(out: Path) -> dict[str, str]:
    """Build both into `out`; sha256 by name."""
    committed = run("git", "log", "-1", "--format=%ct").strip()
    with tempfile.TemporaryDirectory() as name:
        clone = Path(name) / "source"
        run("git", "clone", "--quiet", ROOT, clone)
        run(sys.executable, "-m", "build", "--outdir", out, clone, SOURCE_DATE_EPOCH=committed)
    (sdist,) = out.glob("*.tar.gz")
    even(sdist, int(committed))
    return {path.name: digest(path) for path in sorted(out.iterdir())}


def even(sdist: Path, when: int) -> None:
    """Write an sdist anew without what differs between builds: times, owners, order."""
    with tarfile.open(sdist) as old:
        members = [(m, old.extractfile(m)) for m in sorted(old.getmembers(), key=lambda m: m.name)]
        with (
            sdist.with_suffix(".even").open("wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=when) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
        ):
            for member, data in members:
                member.mtime, member.uid, member.gid, member.uname, member.gname = (
                    when,
                    0,
                    0,
                    "",
                    "",
                )
                member.pax_headers = {}
                new.addfile(member, data)
    sdist.with_suffix(".even").replace(sdist)


def digest(path: Path) -> str:
    """sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def environment(folder: Path, *packages: str) -> Path:
    """The Python of a new environment with some packages."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages)
    return python


def main(out: Path) -> int:
    """0 when all is in `out`; 1 when two builds differ."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "again").mkdir()
        first, second = built(out), built(work / "again")
        if first != second:
            sys.stderr.write(f"two builds differ:\n  {first}\n  {second}\n")
            return 1
        (wheel,) = out.glob("*.whl")
        with_it = environment(work / "with", str(wheel))
        materials = environment(work / "tool", MATERIALS).with_name("cyclonedx-py")
        bill = out / f"{wheel.name.split('-cp')[0]}.cdx.json"
        run(materials, "environment", "--output-reproducible", "--output-file", bill, with_it)
        (out / "mm-monitor.1").write_text(run(with_it, "-m", "mm_monitor.manual"))
    sums = "".join(f"{digest(path)}  {path.name}\n" for path in sorted(out.iterdir()))
    (out / "SHA256SUMS").write_text(sums)
    sys.stdout.write(sums)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
