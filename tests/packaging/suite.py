"""The tests on the wheel that is built from the sdist: `python -m tests.packaging.suite [WORDS FOR PYTEST]`.

In a new environment, with the tests copied to where the package's sources are not, so that they import what a user
installs. Left out are those that read or rebuild the sources themselves (`ABOUT_SOURCES`).
"""

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.packaging.check import ROOT, CheckFailed, build

SOURCES = ("mm_monitor", "cext", "setup.py")
ABOUT_SOURCES = (
    "tests/repo", "tests/packaging", "tests/laws/test_mutants.py",
    "tests/acceptance/test_scorecards.py::test_every_sentence_has_its_chinese",
    "tests/deploy/test_containers.py::test_the_image_runs_as_nobody_and_copies_only_what_there_is",
)  # fmt: skip
EVERYTHING = ("-m", "not slow")

_FROM_THE_WHEEL = "import mm_monitor, sys; sys.exit(not mm_monitor.__file__.startswith(sys.prefix))"


def _without_sources(place: Path) -> None:
    """Copies to `place` what git keeps, all but the package and its kernels."""
    kept = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    for name in kept.split("\0"):
        if name and name.partition("/")[0] not in SOURCES:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name, follow_symlinks=False)


def run(scratch: Path, words: list[str]) -> int:
    """Builds, installs and tests under `scratch`; what pytest returned with `words` behind what is left out."""
    sdist, wheel = build(scratch)
    print(f"==> suite: {wheel.name} of {sdist.name}, in a new environment", flush=True)
    environment, place = scratch / "env", scratch / "place"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"{wheel}[dev]"],
        check=True,
    )
    _without_sources(place)
    subprocess.run([python, "-c", _FROM_THE_WHEEL], cwd=place, check=True)
    left_out = [f"--deselect={name}" for name in ABOUT_SOURCES]
    return subprocess.run(
        [python, "-m", "pytest", "-q", *left_out, *words], cwd=place, check=False
    ).returncode


def main() -> int:
    """0 when every test passed on the installed wheel."""
    scratch = Path(tempfile.mkdtemp(prefix="mm-monitor-suite-"))
    try:
        return run(scratch, sys.argv[1:] or list(EVERYTHING))
    except (CheckFailed, subprocess.CalledProcessError) as failure:
        print(f"suite: {failure}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
