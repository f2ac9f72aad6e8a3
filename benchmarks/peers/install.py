"""The peers' own environment under `build/peers/venv`, with the versions that `requirements.txt` pins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parents[1] / "build" / "peers"
PYTHON = PLACE / "venv" / "bin" / "python"
REQUIREMENTS = HERE / "requirements.txt"
_VERSIONS = "import json; from importlib.metadata import distributions as all; \
print(json.dumps({d.name.lower(): d.version for d in all()}))"
SECONDS = 600


def pins() -> dict[str, str]:
    """Package -> the version we compare with."""
    lines = REQUIREMENTS.read_text().splitlines()
    pairs = [line.partition("==") for line in lines if line and not line.startswith("#")]
    return {name: version for name, _, version in pairs}


def installed() -> dict[str, str]:
    """Package -> version of all that is there; makes the environment if there is none."""
    if not PYTHON.exists():
        PLACE.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", str(PLACE / "venv")], check=True)
    done = subprocess.run(
        [str(PYTHON), "-c", _VERSIONS], capture_output=True, text=True, check=True
    )
    versions: dict[str, str] = json.loads(done.stdout)
    return versions


def install() -> dict[str, str]:
    """Install each peer by itself; package -> why it could not be, for those that could not."""
    failed, present = {}, installed()
    for name, version in pins().items():
        if present.get(name) == version:
            continue
        sys.stdout.write(f"==> peers: installing {name} {version}\n")
        sys.stdout.flush()
        words = [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        try:
            done = subprocess.run(
                [*words, f"{name}=={version}"], capture_output=True, text=True, timeout=SECONDS,
                check=False,
            )  # fmt: skip
            words_of_pip = done.stderr.strip().splitlines()[-1:]
            reason = "" if done.returncode == 0 else " ".join(words_of_pip) or "pip failed"
        except subprocess.TimeoutExpired:
            reason = f"not installed within {SECONDS} s"
        if reason:
            failed[name] = reason
    return failed
