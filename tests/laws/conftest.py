"""More time for the laws: a random tape may look at the budget at risk four times a second over a whole day."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ten minutes for each: one such tape takes seconds, and shrinking or a busy machine many of them."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(600))
