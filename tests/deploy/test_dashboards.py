"""The dashboards are what their code says, in the form that Grafana publishes, and what they refer to is there.

That their queries have answers is proved in test_stack.py.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.__main__ import FOLDER, written
from mm_monitor.sinks import alerts as alerts_sink
from tests.deploy.folder import DEPLOY, RULE_FILES, alerts, read
from tests.repo.source import ROOT

BOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.json"))
}
UIDS = {board["uid"] for board in BOARDS.values()}
EACH = pytest.mark.parametrize("name", BOARDS)
GRAFANAS_OWN = {"datasource", "__rate_interval"}


def texts(value: Any) -> Iterator[str]:
    """Every text anywhere in it."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():  # fmt: skip
        yield from texts(inner)


def test_the_files_are_what_the_code_writes() -> None:
    assert {path.name: path.read_text() for path in FOLDER.glob("*.json")} == written()


@EACH
def test_grafanas_own_model_knows_every_field(name: str) -> None:
    model = Dashboard.from_json(BOARDS[name])
    assert list(lost(BOARDS[name], json.loads(json.dumps(model, cls=JSONEncoder)))) == []


def lost(ours: Any, theirs: Any, where: str = "") -> Iterator[str]:
    """Paths of what the model did not take over as it was. Queries are the datasource's own, annotations' too."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key in theirs:
                yield from lost(value, theirs[key], f"{where}.{key}")
            elif value not in (None, [], {}) and ".annotations.list" not in where:
                yield f"{where}.{key}"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for i, (mine, its) in enumerate(zip(ours, theirs, strict=True)):
            yield from lost(mine, its, f"{where}[{i}]")
    elif ours != theirs:
        yield f"{where}: {ours!r} became {theirs!r}"


@EACH
def test_every_variable_that_is_used_is_defined_and_every_other_way_round(name: str) -> None:
    board = BOARDS[name]
    defined = {one["name"] for one in board["templating"]["list"]}
    said = " ".join(texts(board))
    used = {word for word in re.findall(r"\$\{?(\w+)", said) if word != "__data"}
    assert used - defined - {"__rate_interval", "__data", "__field"} == set()
    assert defined - used - GRAFANAS_OWN == set()


@EACH
def test_panels_have_names_places_and_queries_of_their_own(name: str) -> None:
    panels = BOARDS[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert all((panel["title"], panel["description"])), panel
            refs = [target["refId"] for target in panel["targets"]]
            assert len(set(refs)) == len(refs) > 0


@EACH
def test_links_lead_to_dashboards_that_exist(name: str) -> None:
    linked = set(re.findall(r"/d/([\w-]+)", " ".join(texts(BOARDS[name]))))
    assert linked <= UIDS
    assert any("${alertmanager}" in link["url"] for link in BOARDS[name]["links"])


def test_alerts_lead_to_dashboards_that_exist() -> None:
    for rule in alerts():
        (uid,) = re.findall(r"/d/([\w-]+)", rule["annotations"]["dashboard_url"])
        assert uid in UIDS
    said = inspect.getsource(alerts_sink)
    assert set(re.findall(r'"(mm-[a-z]+)"', said)) <= UIDS


@EACH
def test_every_series_that_a_dashboard_reads_is_exported_or_recorded(name: str) -> None:
    pages = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rules = "\n".join(path.read_text(encoding="utf-8") for path in RULE_FILES)
    recorded = set(re.findall(r"record: (\S+)", rules))
    read_names = set(re.findall(r"[a-z_]*:?mm_monitor_\w+(?::\w+)?", " ".join(texts(BOARDS[name]))))
    plain = {re.sub("_(bucket|sum)$", "", name) for name in read_names if ":" not in name}
    assert {one for one in plain if f"`{one}`" not in pages} == set()
    assert {one for one in read_names if ":" in one} <= recorded


def test_the_provisioning_names_what_is_there() -> None:
    folder = DEPLOY / "grafana" / "provisioning"
    (provider,) = read(folder / "dashboards" / "mm-monitor.yml")["providers"]
    compose = (DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8")
    assert f"../grafana/dashboards:{provider['options']['path']}:ro" in compose
    sources = read(folder / "datasources" / "prometheus.yml")["datasources"]
    assert [source["type"] for source in sources] == ["prometheus", "alertmanager"]
