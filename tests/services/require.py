"""What a test does when a real service cannot be had: it skips by name, and fails where CI=true.

`SKIPPED` remembers which services were missed, for the last lines of the test run.
"""

import os
from collections.abc import Callable

import pytest

from tests.services import find

SKIPPED: dict[str, str] = {}

_HINT = "`make services` fetches it"


def _kafka_missing() -> str | None:
    if find.java() is None:
        return f"no Java runtime on the PATH; {_HINT}"
    if not find.kafka_jars().is_dir():
        return f"no Kafka jars in {find.kafka_jars()}; {_HINT}"
    return None


def _program_missing(name: str, finder: Callable[[], str | None]) -> str | None:
    return None if finder() else f"no program `{name}` on the PATH; {_HINT}"


_CHECKS: dict[str, Callable[[], str | None]] = {
    "kafka": _kafka_missing,
    "mosquitto": lambda: _program_missing("mosquitto", find.mosquitto),
    "prometheus": lambda: _program_missing("prometheus", find.prometheus),
    "promtool": lambda: _program_missing("promtool", find.promtool),
    "chromium": lambda: _program_missing("chromium", find.chromium),
    "alertmanager": lambda: _program_missing("prometheus-alertmanager", find.alertmanager),
    "amtool": lambda: _program_missing("amtool", find.amtool),
    "helm": lambda: _program_missing("helm", find.helm),
    "hadolint": lambda: _program_missing("hadolint", find.hadolint),
}
NAMES = tuple(_CHECKS)


def in_ci() -> bool:
    """Whether a missing service is a failure."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def missing_reason(name: str) -> str | None:
    """Why the service cannot be used here, or None when it can; KeyError for an unknown name."""
    return _CHECKS[name]()


def require_service(name: str) -> None:
    """Goes on when the service is there; else skips the running test, or fails it where CI=true."""
    reason = missing_reason(name)
    if reason is None:
        return
    SKIPPED[name] = reason
    message = f"needs a real {name}: {reason}"
    if in_ci():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
