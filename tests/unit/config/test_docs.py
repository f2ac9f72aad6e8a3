"""The configuration page and the example say what the code does."""

from pathlib import Path

from mm_monitor.config import check_config, load_config
from mm_monitor.config_docs import render_docs


def test_the_page_is_what_the_code_says() -> None:
    assert Path("docs/configuration.md").read_text() == render_docs(), (
        "run: .venv/bin/python -m mm_monitor.config_docs > docs/configuration.md"
    )


def test_the_example_is_accepted() -> None:
    assert check_config("deploy/monitor.example.toml") == []
    assert load_config("deploy/monitor.example.toml").codecs.quotes == "packed"
