"""What containers are made of and run by is what their programs and schemas want; no engine runs here."""

from __future__ import annotations

import json
import re
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from typer.main import get_command

from mm_monitor import rulebooks
from mm_monitor.cli import app
from mm_monitor.config import check_config
from mm_monitor.evidence.keys import SealingKey
from tests.deploy.folder import DEPLOY, read, tool
from tests.repo.source import ROOT

DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
COMPOSE = DEPLOY / "compose"
SERVICES: dict[str, Any] = read(COMPOSE / "compose.yaml")["services"]
OURS = {name for name, service in SERVICES.items() if "mm-monitor" in service["image"]}


def test_hadolint_has_nothing_to_say() -> None:
    assert tool("hadolint", str(DOCKERFILE)) == ""


def test_the_image_runs_as_nobody_and_copies_only_what_there_is() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert all(word in last for word in ("HEALTHCHECK", "/healthz", "VOLUME /var/lib/mm-monitor"))
    copied = {
        word
        for line in re.findall(r"^COPY (?!--)(.+)$", text, re.MULTILINE)
        for word in line.split()[:-1]
    }
    assert all((ROOT / word).exists() for word in copied)
    ignore = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8")
    assert {line[1:] for line in ignore.splitlines() if line.startswith("!")} == copied


def test_compose_keeps_its_schema() -> None:
    place = files("check_jsonschema").joinpath("builtin_schemas", "vendor", "compose-spec.json")
    schema = json.loads(place.read_text(encoding="utf-8"))
    found = Draft7Validator(schema).iter_errors(read(COMPOSE / "compose.yaml"))
    assert [f"{list(error.path)}: {error.message}" for error in found] == []


def test_compose_mounts_only_what_there_is_and_opens_nothing_to_the_world() -> None:
    volumes = read(COMPOSE / "compose.yaml")["volumes"]
    for name, service in SERVICES.items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            there = (COMPOSE / source).exists() if source.startswith(".") else source in volumes
            assert there, f"{name}: {mount}"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        assert ":latest" not in service["image"], name
        assert ":" in service["image"], name


def test_our_containers_are_confined() -> None:
    assert {"simulator", "mm-monitor", "alert-receiver", "keys"} == OURS
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name


def test_the_parts_of_compose_call_each_other_by_name() -> None:
    said = (COMPOSE / "monitor.toml").read_text(encoding="utf-8")
    said += (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    said += (DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
    for path in (DEPLOY / "grafana" / "provisioning").rglob("*.yml"):
        said += path.read_text(encoding="utf-8")
    called = set(re.findall(r"\b([a-z][a-z-]+):(?:8088|9090|9092|9093|9095)\b", said))
    assert not called - {"localhost"} - set(SERVICES)
    assert called > {"kafka", "alertmanager", "mm-monitor", "prometheus", "alert-receiver"}


def test_the_monitors_configuration_is_good(tmp_path: Path) -> None:
    session = tmp_path / "session" / "reference"
    session.mkdir(parents=True)
    book = Path(rulebooks.__file__).parent / "szse-2025.toml"
    shutil.copy(book, session / "rulebook.toml")
    SealingKey.create(tmp_path / "evidence.pem")
    text = (COMPOSE / "monitor.toml").read_text(encoding="utf-8")
    (tmp_path / "monitor.toml").write_text(
        text.replace("/session/", f"{tmp_path}/session/").replace("/keys", str(tmp_path))
    )
    assert check_config(tmp_path / "monitor.toml") == []


def test_the_simulator_has_the_options_that_compose_gives_it() -> None:
    command, *words = SERVICES["simulator"]["command"]
    simulate: Any = get_command(app)
    known = {o for parameter in simulate.commands[command].params for o in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known
    assert words[words.index("--reference") + 1] == "/session/reference"
