"""Fetches the real services for tests: Debian packages as root, Kafka's jars from Maven Central.

What cannot be had is named and left; only with CI=true does that fail
(`python -m tests.services.install`).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.services import find
from tests.services.require import NAMES, in_ci, missing_reason

# The Debian package of each program, and the daemon that it starts, if it starts one.
_PACKAGES = {
    "mosquitto": ("mosquitto", find.mosquitto),
    "prometheus": ("prometheus", find.prometheus),
    "prometheus-alertmanager": ("prometheus-alertmanager", find.alertmanager),
    "chromium": ("", find.chromium),
    "fonts-wqy-microhei": ("", find.chinese_font),
    "default-jre-headless": ("", find.java),
    "maven": ("", lambda: find.program("mvn")),
}
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_COMMAND_TIMEOUT = 600


def _say(words: str) -> None:
    print(f"==> services: {words}", flush=True)


def _run(command: list[str], **environment: str) -> str | None:
    """Runs a command in silence; None when it worked, else the last lines that it wrote."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **environment},
            timeout=_COMMAND_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        return str(failure)
    return None if done.returncode == 0 else "\n".join(done.stdout.splitlines()[-5:])


def _apt(*arguments: str) -> str | None:
    return _run(
        ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", *arguments],
        DEBIAN_FRONTEND="noninteractive",
    )


def install_packages() -> None:
    """Installs the Debian packages whose programs are missing; does nothing without root or apt."""
    packages = [package for package, (_daemon, finder) in _PACKAGES.items() if finder() is None]
    if find.kafka_jars().is_dir() and "maven" in packages:
        packages.remove("maven")
    if not packages:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        _say(f"cannot install {', '.join(packages)} (needs Debian's apt-get and root)")
        return
    _say(f"installing {', '.join(packages)}")
    _apt("update")  # its own failure shows as that of the installation
    for package in packages:  # one by one: one that fails takes no other with it
        problem = _apt("install", "--no-install-recommends", package)
        if problem:
            _say(f"{package} was not installed:\n{problem}")
        elif daemon := _PACKAGES[package][0]:
            _stop_daemon(daemon)


def _stop_daemon(name: str) -> None:
    """Stops what the package's installation may have started; tests run their own."""
    if shutil.which("service"):
        _run(["service", name, "stop"])
    if Path("/run/systemd/system").is_dir():
        _run(["systemctl", "disable", "--quiet", name])


def fetch_kafka() -> None:
    """Copies the broker's jars into the user's cache, all or none."""
    jars = find.kafka_jars()
    maven = find.program("mvn")
    if jars.is_dir():
        return
    if maven is None:
        _say("cannot fetch Apache Kafka (needs Maven: mvn is not on the PATH)")
        return
    _say(f"fetching Apache Kafka {find.kafka_version()} from Maven Central into {jars}")
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent) as scratch:
        fetched = Path(scratch) / "jars"
        problem = _run(
            [maven, "-B", "-q", "-f", str(find.POM), _COPY, f"-DoutputDirectory={fetched}"]
        )
        if problem:
            _say(f"Kafka was not fetched:\n{problem}")
        elif not jars.is_dir():  # another run may have been faster
            fetched.rename(jars)


def main() -> int:
    """Fetches what is missing, says what still is; 1 when something is and CI=true."""
    install_packages()
    fetch_kafka()
    missing = {name: reason for name in NAMES if (reason := missing_reason(name))}
    for name, reason in missing.items():
        _say(f"WITHOUT a real {name}: {reason}")
    if missing:
        print("    The tests that need them will be skipped by name (a failure with CI=true).")
    else:
        _say(f"{', '.join(NAMES)} are here")
    return 1 if missing and in_ci() else 0


if __name__ == "__main__":
    sys.exit(main())
