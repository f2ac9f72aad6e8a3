"""Builds the sdist, the wheel from that sdist, installs it in a new environment and uses it there.

A script, not a pytest module, because it takes most of a minute and needs a package index;
`make packaging` runs it.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNELS = ("_engine", "_merge", "_decode", "_messages", "_pricing")
_MADE = (".so", ".pyc", ".c")

# Runs in the new environment, isolated from this checkout (-I), in an empty directory.
_IMPORT_ALL = """
import importlib, pkgutil, sys
import mm_monitor, mm_monitor.kernels
assert mm_monitor.__file__.startswith(sys.prefix), mm_monitor.__file__
for kernel in {kernels!r}:
    importlib.import_module("mm_monitor.kernels." + kernel)
optional, count = {{"pyarrow", "confluent_kafka"}}, 0
for module in pkgutil.walk_packages(mm_monitor.__path__, "mm_monitor."):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
        count += 1
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in optional:
            raise
        print("   ", module.name, "needs an extra:", missing.name)
print("   ", count, "modules import")
"""


class CheckFailed(Exception):
    """The package is not what a user needs; the message says what is wrong with it."""


def _run(*command: str | Path, cwd: Path) -> str:
    """The output of a command; CheckFailed with all that it wrote when it fails."""
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        words = " ".join(str(word) for word in command)
        raise CheckFailed(f"`{words}` gave {done.returncode}:\n{done.stdout}")
    return done.stdout


def _sources(folder: str) -> set[str]:
    """The files under a folder of the repository that a person wrote."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in _MADE
    }


def _demand(wanted: set[str], found: set[str], where: str) -> None:
    if missing := sorted(wanted - found):
        raise CheckFailed(f"{where} lacks {', '.join(missing)}")


def build(out: Path) -> tuple[Path, Path]:
    """Builds into `out` and returns the sdist and the wheel that was built from it."""
    _run(sys.executable, "-m", "build", "--outdir", out, ROOT, cwd=out)
    (sdist,) = out.glob("*.tar.gz")
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


def check_contents(sdist: Path, wheel: Path) -> None:
    """Every source is in the sdist, every file of the package and every kernel in the wheel."""
    with tarfile.open(sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    _demand(_sources("cext") | _sources("mm_monitor"), found, sdist.name)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    _demand(_sources("mm_monitor"), names, wheel.name)
    compiled = {Path(name).name.partition(".")[0] for name in names if name.endswith(".so")}
    _demand(set(KERNELS), compiled, wheel.name)


def check_use(wheel: Path, scratch: Path) -> None:
    """Installs the wheel without extras in a new environment and uses it from elsewhere."""
    environment, elsewhere = scratch / "env", scratch / "elsewhere"
    elsewhere.mkdir()
    venv.create(environment, with_pip=True)
    python, program = environment / "bin" / "python", environment / "bin" / "mm-monitor"
    _run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel, cwd=elsewhere)
    print(_run(python, "-I", "-c", _IMPORT_ALL.format(kernels=KERNELS), cwd=elsewhere), end="")
    commands: list[list[str | Path]] = [
        [program, "--version"],
        [python, "-I", "-m", "mm_monitor", "--version"],
        [program, "rules", "list"],
    ]
    for command in commands:
        print("    $", *(Path(word).name for word in command))
        print(_run(*command, cwd=elsewhere), end="")


def main() -> int:
    """0 when the package is whole; else says what is wrong and returns 1."""
    scratch = Path(tempfile.mkdtemp(prefix="mm-monitor-packaging-"))
    try:
        sdist, wheel = build(scratch)
        check_contents(sdist, wheel)
        check_use(wheel, scratch)
    except CheckFailed as failure:
        print(f"packaging: {failure}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"==> packaging: {sdist.name} and {wheel.name} are whole and work")
    return 0


if __name__ == "__main__":
    sys.exit(main())
