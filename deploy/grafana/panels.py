"""Pieces of Grafana dashboards as plain data: panels, variables, annotations, and their places on the page.

A panel is a dict without a place; `placed` lays panels out in rows of 24 columns and numbers them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
TAG = "mm-monitor"
SCHEMA = 39
WIDTH = 24
GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"


def target(expr: str, legend: str = "", *, ref: str = "A", instant: bool = False) -> Json:
    """One query; `instant` for the values of now."""
    kind = {"instant": True, "range": False, "format": "table"} if instant else {"range": True}
    return {"datasource": SOURCE, "refId": ref, "expr": expr, "legendFormat": legend, **kind}


def targets(*queries: tuple[str, str], instant: bool = False) -> list[Json]:
    """Several queries with their legends, named A, B, C."""
    return [
        target(expr, legend, ref=chr(ord("A") + i), instant=instant)
        for i, (expr, legend) in enumerate(queries)
    ]


def thresholds(*steps: tuple[float | None, str]) -> Json:
    """Colours from values on; the first step begins below all."""
    return {"mode": "absolute", "steps": [{"value": value, "color": c} for value, c in steps]}


def panel(
    kind: str, title: str, queries: list[Json], *, doc: str, unit: str = "short",
    width: int = 12, height: int = 8, options: Json | None = None, custom: Json | None = None,
    steps: Json | None = None, overrides: Sequence[Json] = (), mappings: Sequence[Json] = (),
    links: Sequence[Json] = (),
) -> Json:  # fmt: skip
    """A panel of some kind, without a place."""
    defaults: Json = {"unit": unit, "custom": custom or {}, "mappings": list(mappings)}
    defaults["thresholds"] = steps or thresholds((None, GREEN))
    if links:
        defaults["links"] = list(links)
    return {
        "type": kind, "title": title, "description": doc, "datasource": SOURCE, "targets": queries,
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "options": options or {}, "gridPos": {"w": width, "h": height, "x": 0, "y": 0},
    }  # fmt: skip


def stat(title: str, expr: str, *, doc: str, unit: str = "short", steps: Json | None = None,
         mappings: Sequence[Json] = (), width: int = 6, links: Sequence[Json] = ()) -> Json:  # fmt: skip
    """One number with its colour and its course behind it."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background", "graphMode": "area", "textMode": "auto",
    }  # fmt: skip
    return panel("stat", title, [target(expr)], doc=doc, unit=unit, width=width, height=4,
                 options=options, steps=steps, mappings=mappings, links=links)  # fmt: skip


def lines(title: str, *queries: tuple[str, str], doc: str, unit: str = "short", width: int = 12,
          stacked: bool = False, steps: Json | None = None, links: Sequence[Json] = ()) -> Json:  # fmt: skip
    """Series over time; `stacked` where they are parts of a whole."""
    custom: Json = {"lineWidth": 1, "fillOpacity": 30 if stacked else 0, "showPoints": "never"}
    if stacked:
        custom["stacking"] = {"mode": "normal", "group": "A"}
    if steps:
        custom["thresholdsStyle"] = {"mode": "line"}
    options = {
        "legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull"],
                   "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }  # fmt: skip
    return panel("timeseries", title, targets(*queries), doc=doc, unit=unit, width=width,
                 options=options, custom=custom, steps=steps, links=links)  # fmt: skip


def states(title: str, expr: str, legend: str, *, doc: str, mappings: Sequence[Json]) -> Json:
    """Which state each series was in, over time."""
    options = {"showValue": "never", "mergeValues": True, "rowHeight": 0.9, "alignValue": "left",
               "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
               "tooltip": {"mode": "single", "sort": "none"}}  # fmt: skip
    return panel("state-timeline", title, [target(expr, legend)], doc=doc, width=24,
                 options=options, custom={"fillOpacity": 70, "lineWidth": 0},
                 mappings=mappings)  # fmt: skip


def table(
    title: str, key: str, columns: Mapping[str, tuple[str, str]], *, doc: str, width: int = 24,
    links: Sequence[Json] = (), keep: Sequence[str] = (),
) -> Json:  # fmt: skip
    """A row for each value of label `key`; `columns` are name -> (query of now, unit)."""
    queries = targets(*((expr, "") for expr, _ in columns.values()), instant=True)
    refs = {f"Value #{query['refId']}": name for query, name in zip(queries, columns, strict=True)}
    names = list(refs) if len(refs) > 1 else ["Value"]
    shown = dict(zip(names, columns, strict=True))
    overrides = [
        {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
        for name, (_, unit) in columns.items()
    ]  # fmt: skip
    made = panel("table", title, queries, doc=doc, width=width, overrides=overrides, links=links,
                 options={"showHeader": True, "cellHeight": "sm"},
                 custom={"align": "auto", "filterable": True})  # fmt: skip
    fields = [key, *keep, *names]
    made["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "filterFieldsByName", "options": {"include": {"names": fields}}},
        {"id": "organize", "options": {"renameByName": shown, "excludeByName": {},
                                       "indexByName": {n: i for i, n in enumerate(fields)}}},
    ]  # fmt: skip
    return made


def row(title: str) -> Json:
    """A heading over the panels that follow."""
    return {"type": "row", "title": title, "collapsed": False, "panels": [],
            "gridPos": {"w": WIDTH, "h": 1, "x": 0, "y": 0}}  # fmt: skip


def placed(panels: Iterable[Json]) -> list[Json]:
    """From left to right, and down where a line is full; each with an id of its own."""
    x = y = tallest = 0
    made = []
    for number, one in enumerate(panels, 1):
        w, h = one["gridPos"]["w"], one["gridPos"]["h"]
        if x + w > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        made.append({**one, "id": number, "gridPos": {"w": w, "h": h, "x": x, "y": y}})
        x, tallest = x + w, max(tallest, h)
    return made


def variable(name: str, label: str, query: str, *, every: bool = False) -> Json:
    """Values of a label, asked of Prometheus; `every` offers all of them at once."""
    return {
        "type": "query", "name": name, "label": label, "datasource": SOURCE,
        "query": {"query": query, "refId": f"{name}-values"},
        "refresh": 2, "sort": 1, "includeAll": every, "multi": every, "options": [],
        **({"allValue": ".*"} if every else {}),
    }  # fmt: skip


def address(name: str, label: str, default: str) -> Json:
    """Where something else is reached; whoever provisions the dashboards changes the default."""
    return {"type": "textbox", "name": name, "label": label, "hide": 2, "query": default,
            "current": {"text": default, "value": default}}  # fmt: skip


DATASOURCE = {"type": "datasource", "name": "datasource", "label": "Prometheus",
              "query": "prometheus", "refresh": 1}  # fmt: skip
RULEBOOK = variable("rulebook", "Rulebook", "label_values(mm_monitor_rulebook_info, rulebook)")
ADDRESSES = [
    address("alertmanager", "Alertmanager", "http://localhost:9093"),
    address("monitor", "Monitor", "http://localhost:8088"),
    address("runbooks", "Runbooks", "http://docs.example/runbooks"),
]


def annotation(name: str, expr: str, colour: str, title: str, text: str, **more: Any) -> Json:
    """Marks on every panel, from a query."""
    return {"name": name, "datasource": SOURCE, "enable": True, "hide": False, "iconColor": colour,
            "expr": expr, "titleFormat": title, "textFormat": text, "step": "15s", **more}  # fmt: skip


def link(title: str, url: str, *, blank: bool = False) -> Json:
    """A link of a field, which may name the field's own labels."""
    return {"title": title, "url": url, "targetBlank": blank}


def dashboard(
    uid: str, title: str, doc: str, variables: Sequence[Json], annotations: Sequence[Json],
    panels: Iterable[Json],
) -> Json:  # fmt: skip
    """A whole dashboard, which leads to all others and to the alerts."""

    def outside(name: str, url: str, icon: str) -> Json:
        return {"type": "link", "title": name, "url": url, "icon": icon, "targetBlank": True,
                "asDropdown": False, "includeVars": False, "keepTime": False, "tags": [],
                "tooltip": ""}  # fmt: skip

    return {
        "uid": uid, "title": title, "description": doc, "tags": [TAG], "schemaVersion": SCHEMA,
        "version": 1, "editable": True, "graphTooltip": 1, "timezone": "browser",
        "refresh": "10s", "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [DATASOURCE, *variables, *ADDRESSES]},
        "annotations": {"list": list(annotations)},
        "links": [
            {"type": "dashboards", "title": "mm-monitor", "tags": [TAG], "asDropdown": True,
             "includeVars": True, "keepTime": True, "targetBlank": False, "icon": "external link",
             "tooltip": "", "url": ""},
            outside("Alerts", "${alertmanager}/#/alerts", "bell"),
            outside("Board", "${monitor}/", "dashboard"),
            outside("Runbooks", "${runbooks}", "doc"),
        ],
        "panels": placed(panels),
    }  # fmt: skip
