"""Prints the version of each real service that the tests use."""

import re
import subprocess
import sys
import zipfile

from tests.services import find
from tests.services.require import in_ci, missing_reason


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


def _number(text: str) -> str:
    found = re.search(r"\d+(\.\d+)+\S*", text)
    return found.group().strip(",\"'") if found else "of unknown version"


def _kafka() -> str:
    """The version that the jar itself carries, not the one that was asked for."""
    jar = next(find.kafka_jars().glob("kafka-clients-*.jar"))
    with zipfile.ZipFile(jar) as contents:
        properties = contents.read("kafka/kafka-version.properties").decode()
    return _number(
        dict(line.split("=", 1) for line in properties.splitlines() if "=" in line)["version"]
    )


def version(name: str) -> str:
    """The version of one service, or `missing: ` and the reason."""
    if reason := missing_reason(name):
        return f"missing: {reason}"
    if name == "kafka":
        return f"{_kafka()} (Java {_number(_output([str(find.java()), '-version']))})"
    if name == "mosquitto":
        return _number(_output([str(find.mosquitto()), "-h"]))
    programs = {
        "prometheus": find.prometheus,
        "promtool": find.promtool,
        "alertmanager": find.alertmanager,
        "chromium": find.chromium,
        "helm": find.helm,
        "hadolint": find.hadolint,
    }
    word = "version" if name == "helm" else "--version"
    return _number(_output([str(programs[name]()), word]))


def main() -> int:
    """One line for each service; 1 when one is missing and CI=true."""
    versions = {
        name: version(name)
        for name in (
            "kafka",
            "mosquitto",
            "prometheus",
            "promtool",
            "alertmanager",
            "chromium",
            "helm",
            "hadolint",
        )
    }
    print("Real services used:")
    for name, words in versions.items():
        print(f"  {name:<13} {words}")
    missing = any(words.startswith("missing") for words in versions.values())
    return 1 if missing and in_ci() else 0


if __name__ == "__main__":
    sys.exit(main())
