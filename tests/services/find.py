"""Where the programs and jars of the real services are, if this machine has them."""

import os
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

POM = Path(__file__).parent / "kafka" / "pom.xml"
_POM_NAMESPACE = {"m": "http://maven.apache.org/POM/4.0.0"}


def program(*names: str) -> str | None:
    """The path of the first of these programs that is installed; daemons live in sbin."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def mosquitto() -> str | None:
    """The Mosquitto broker."""
    return program("mosquitto")


def prometheus() -> str | None:
    """The Prometheus server."""
    return program("prometheus")


def promtool() -> str | None:
    """Prometheus's checker of rules, configurations and expositions."""
    return program("promtool")


def alertmanager() -> str | None:
    """The Alertmanager; Debian renames it."""
    return program("prometheus-alertmanager", "alertmanager")


def amtool() -> str | None:
    """Alertmanager's checker and client."""
    return program("amtool")


def packaged(name: str) -> str | None:
    """A program that a Python package brings into its environment, or the one on the PATH."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else program(name)


def helm() -> str | None:
    """What renders charts for Kubernetes."""
    return packaged("helm")


def hadolint() -> str | None:
    """What finds fault with Dockerfiles."""
    return packaged("hadolint")


def chromium() -> str | None:
    """A browser."""
    return program("chromium", "chromium-browser", "google-chrome")


def chinese_font() -> str | None:
    """A font with Chinese characters, for pictures of pages."""
    folders = (Path("/usr/share/fonts/truetype/wqy"), Path("/usr/share/fonts/opentype/noto"))
    found = [font for folder in folders for font in folder.glob("*.tt[cf]")]
    return str(found[0]) if found else None


def java() -> str | None:
    """The Java runtime, of JAVA_HOME first."""
    home = os.environ.get("JAVA_HOME")
    return program(f"{home}/bin/java", "java") if home else program("java")


def kafka_version() -> str:
    """The Kafka version that pom.xml names."""
    version = ElementTree.parse(POM).findtext("m:properties/m:kafka.version", "", _POM_NAMESPACE)
    if not version:
        raise ValueError(f"{POM}: no <kafka.version> among its properties")
    return version


def cache_dir() -> Path:
    """What is kept between runs: $XDG_CACHE_HOME/mm-monitor, or ~/.cache/mm-monitor."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mm-monitor"


def kafka_jars() -> Path:
    """The directory of Kafka's jars; it exists only once they have all been fetched."""
    return cache_dir() / f"kafka-{kafka_version()}"
