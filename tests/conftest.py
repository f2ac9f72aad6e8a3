"""What every test gets: profiles for Hypothesis, the real services, and word of missing ones."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.services.fixtures import (
    _services_are_up,
    alertmanager,
    guarded_kafka,
    kafka,
    mark_by_fixture,
    mosquitto,
    prometheus,
)
from tests.services.require import SKIPPED

__all__ = [
    "_services_are_up",
    "alertmanager",
    "guarded_kafka",
    "kafka",
    "mosquitto",
    "prometheus",
]

# No deadline: a shared machine is slow when it likes. A law leaves max_examples to the profile.
for _name, _examples in (("quick", 25), ("slice", 150), ("default", 500), ("long", 5000)):
    settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
_usual = "slice" if os.environ.get("CI") else "default"  # a machine that has twenty minutes
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", _usual))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that use real services."""
    mark_by_fixture(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says at the end which real services were missing, and why."""
    for name, reason in sorted(SKIPPED.items()):
        terminalreporter.write_line(f"WITHOUT a real {name}: {reason}", yellow=True)
