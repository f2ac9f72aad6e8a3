"""The document of the API: it is one, it names every path and parameter, and answers are as it says."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import aiohttp
import pytest
from jsonschema import Draft202012Validator

from mm_monitor.web.access import Access
from mm_monitor.web.pages import WebSources
from mm_monitor.web.server import WebConfig, WebServer, application
from tests.repo.source import ROOT
from tests.unit.sinks.builders import START, S, Slot, breach, view

DOCUMENT: dict[str, Any] = json.loads(
    files("mm_monitor.web").joinpath("static", "openapi.json").read_text(encoding="utf-8")
)
VIEWS = [
    view(
        [Slot("M0", "C0", "A", unknown=3), Slot("M1", "C0", "A", quoted=0, lapsed=0)],
        [breach("M0", "C0"), breach("M1", "C0", end=START + 60 * S)],
        market_hole=[("C0", 5 * S)],
    )
]
SOURCES = WebSources(lambda: VIEWS, lambda: VIEWS, lambda: (True, ""), lambda maker: iter([b""]))
# Not of the API: pages, scrapes and probes.
APART = re.compile(r"/(static/.*|login|logout|metrics|healthz|readyz|api/v1/openapi.json)?")


def validator(path: str) -> Draft202012Validator:
    """Of what a path answers with 200."""
    content = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    return Draft202012Validator({**content["schema"], "components": DOCUMENT["components"]})


def test_every_schema_is_one_and_is_used() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    schemas, text = DOCUMENT["components"]["schemas"], json.dumps(DOCUMENT)
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        assert f'"#/components/schemas/{name}"' in text, name
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named == set(schemas)


def test_it_names_every_path_and_the_board_page_does_too() -> None:
    resources = application(SOURCES, Access(None)).router.resources()
    paths = {resource.canonical for resource in resources}
    assert {path for path in paths if not APART.fullmatch(path)} == set(DOCUMENT["paths"])
    page = (ROOT / "docs" / "board.md").read_text(encoding="utf-8")
    assert all(f"`{path}`" in page for path in DOCUMENT["paths"] if path != "/version")


READ = [path for path, methods in DOCUMENT["paths"].items() if "get" in methods]


@pytest.mark.parametrize("path", [path for path in READ if "stream" not in path])
async def test_answers_and_refusals_are_as_it_says(path: str) -> None:
    server = WebServer(WebConfig(port=0), SOURCES)
    await server.start()
    parameters = DOCUMENT["paths"][path]["get"]["parameters"]
    async with aiohttp.ClientSession(server.url) as session:
        for query in ("", *(f"?{one['name']}={_example(one)}" for one in parameters)):
            async with session.get(path + query) as answer:
                told, status = await answer.json(), answer.status
            documented = DOCUMENT["paths"][path]["get"]["responses"]
            assert str(status) in documented, (path, query, told)
            if status == 200:
                assert [e.message for e in validator(path).iter_errors(told)] == [], (path, query)
            else:
                assert set(told) == {"error"}
    await server.stop()


def _example(parameter: dict[str, Any]) -> object:
    schema = parameter["schema"]
    return schema["enum"][0] if "enum" in schema else 1 if schema["type"] == "integer" else "x"


async def test_anybody_may_read_it() -> None:
    server = WebServer(WebConfig(port=0), SOURCES)
    await server.start()
    async with (
        aiohttp.ClientSession(server.url) as session,
        session.get("/api/v1/openapi.json") as answer,
    ):
        assert (answer.content_type, await answer.json()) == ("application/json", DOCUMENT)
    await server.stop()
