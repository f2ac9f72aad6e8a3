"""The board: what followers of the stream cost, what a watched contract costs the tape, how soon a browser shows data.

The server is a process of its own that publishes a new picture five times a second; its processor time is read from
`/proc`. `none` is what that alone takes. Clients read all that they are sent.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np

from benchmarks.day import CONTRACTS, MAKERS, OPEN, first_rows, warm_engine
from benchmarks.measure import Row
from mm_monitor.core.batch import Batch, Rows
from mm_monitor.core.view import StatusView
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.prometheus import PrometheusConfig, PrometheusSink
from mm_monitor.surroundings import around
from mm_monitor.watching import Watching
from mm_monitor.web.server import WebConfig, WebServer, WebSources

TITLE = f"the board, {MAKERS} makers x {CONTRACTS} contracts"
CLIENTS = (0, 20, 200)
SECONDS = 12.0
LOADS = 7
ROUNDS = 40


def run() -> list[Row]:
    """Followers, a watched contract, and a browser where there is one."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bench_board"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert server.stdout is not None
    assert server.stdin is not None
    try:
        port = int(server.stdout.readline())
        followers = [_follow(server.pid, port, n) for n in CLIENTS]
        browser = _browser(port)
    finally:
        server.stdin.close()
        server.wait(30)
    none = followers[0][0]
    rows: list[Row] = []
    for n, (share, received) in zip(CLIENTS, followers, strict=True):
        more = 0.0 if not n else share - none
        rows.append(_row(f"{n} followers: share of a core", share, "of which the stream", more))
        if n:
            rows.append(_row(f"{n} followers: kB a second each", received / n / SECONDS / 1e3))
    return [*rows, *_watched(), *browser]


def _row(what: str, value: float, beside: str = "", other: float = 0.0) -> Row:
    return {"what": what, "value": round(value, 4), "beside": beside, "and": round(other, 4)}


def _cpu(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _follow(pid: int, port: int, clients: int) -> tuple[float, int]:
    """Share of a core that the server takes, and bytes that all clients got."""
    return asyncio.run(_following(pid, port, clients))


async def _following(pid: int, port: int, clients: int) -> tuple[float, int]:
    received = 0

    async def read(reader: asyncio.StreamReader) -> None:
        nonlocal received
        while data := await reader.read(1 << 20):
            received += len(data)

    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(clients)]
    for _, writer in pairs:
        writer.write(b"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    tasks = [asyncio.create_task(read(reader)) for reader, _ in pairs]
    await asyncio.sleep(2)
    received, before, began = 0, _cpu(pid), perf_counter()
    await asyncio.sleep(SECONDS)
    share = (_cpu(pid) - before) / (perf_counter() - began)
    total = received
    for task, (_, writer) in zip(tasks, pairs, strict=True):
        task.cancel()
        writer.close()
    return share, total


def _watched() -> list[Row]:
    """ns a tick of the same rows, looked at by nobody, and with eight contracts under the glass."""
    found = {}
    for watched in (0, 8):
        engine, clock = warm_engine(), itertools.count(0.0, 0.2)
        watching = Watching(engine, 32, 2_000, clock=lambda clock=clock: next(clock))  # type: ignore[misc]
        names = [contract.name for contract in engine.reference.contracts[:watched]]
        for name in names:
            watching.seen(
                (engine.evaluators[0].rulebook.id, engine.reference.makers[0], name), OPEN
            )
        runs = []
        for k in range(ROUNDS):
            rows = _later(first_rows(MAKERS), engine.position, k)
            start = thread_time()
            watching.apply(Batch(rows))
            runs.append((thread_time() - start) / len(rows) * 1e9)
        found[watched] = statistics.median(runs)
    return [
        _row(f"{watched} contracts watched: ns a tick of a full requote", ns, "more", ns - found[0])
        for watched, ns in found.items()
    ]


def _later(rows: Rows, position: int, k: int) -> Rows:
    rows["ts"] = position + np.arange(1, len(rows) + 1) * 1_000
    rows["offset"] += (k + 1) * len(rows)
    return rows


def _browser(port: int) -> Sequence[Row]:
    """Time from the address to the first cell with data, and the bytes of all that was loaded by then."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return []
    from tests.board.browser import ARGUMENTS
    from tests.services import find

    if find.chromium() is None:
        return []
    times, weights = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find.chromium(), args=list(ARGUMENTS))
        for _ in range(LOADS):
            page = browser.new_context().new_page()
            start = perf_counter()
            page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
            page.wait_for_selector(".heat td a")
            times.append(perf_counter() - start)
            size = "performance.getEntriesByType('resource').reduce((n, one) => n + one.decodedBodySize, 0)"
            weights.append(page.evaluate(size))
            page.close()
        browser.close()
    return [
        _row("browser: ms to data", min(times) * 1e3, "median", statistics.median(times) * 1e3),
        _row("browser: kB of the page and its parts", max(weights) / 1e3),
    ]


async def serve() -> None:
    """Listen, and publish a new picture five times a second until the input ends."""
    engine = warm_engine()
    views: list[list[StatusView]] = [engine.at(engine.position)]
    sink = PrometheusSink(PrometheusConfig(), SinkContext())
    get: Callable[[], list[StatusView]] = lambda: views[0]  # noqa: E731
    sources = WebSources(
        get, get, lambda: (True, ""), sink.chunks, get_arounds=lambda: around(engine)
    )
    web = WebServer(WebConfig(port=0), sources)
    await web.start()
    sys.stdout.write(f"{web.port}\n")
    sys.stdout.flush()
    publishing = asyncio.create_task(_publish(views))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    publishing.cancel()
    await web.stop()


async def _publish(views: list[list[StatusView]]) -> None:
    """The same numbers as another picture: what taking one costs is measured elsewhere."""
    while True:
        await asyncio.sleep(0.2)
        views[0] = list(views[0])


if __name__ == "__main__":
    asyncio.run(serve())
