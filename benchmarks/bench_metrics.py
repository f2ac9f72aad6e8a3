"""A scrape of `/metrics` from a real server in a process of its own, and how long its event loop was held meanwhile.

The server publishes a new picture before each scrape, so that no number is as it was. `idle` is how late the loop wakes
when nobody scrapes: what the machine itself does. `cpu of a hold` is what our thread itself worked while it held
the loop, which others on the machine cannot lengthen.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import statistics
import subprocess
import sys
from time import perf_counter, thread_time

from benchmarks.day import warm_engine
from benchmarks.measure import Row
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.prometheus import PrometheusConfig, PrometheusSink
from mm_monitor.web.server import WebConfig, WebServer, WebSources

TITLE = "/metrics: ms of a scrape, and the longest that the event loop was held, by series"
MAKERS = (2, 24, 120)  # 7 series for each obligation of so many makers in 600 contracts
SCRAPES = 15
SECOND = 1_000_000_000


def run() -> list[Row]:
    """10 000, 100 000 and 500 000 series, plain and packed by gzip."""
    return [row for makers in MAKERS for row in _measure(makers)]


def _measure(makers: int) -> list[Row]:
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bench_metrics", str(makers)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())

        def turn(coding: str) -> dict[str, float]:
            server.stdin.write("\n")
            server.stdin.flush()
            server.stdout.readline()  # a new picture is there, the longest hold is forgotten
            told = _scrape(port, coding)
            server.stdin.write("\n")
            server.stdin.flush()
            return told | json.loads(server.stdout.readline())

        rows = [_row(coding, [turn(coding) for _ in range(SCRAPES)]) for coding in ("", "gzip")]
    finally:
        server.stdin.close()
        server.wait(30)
    return rows


def _row(coding: str, turns: list[dict[str, float]]) -> Row:
    first, later = turns[0], turns[1:]
    times, holds = [t["ms"] for t in later], [t["hold"] for t in later]
    return {
        "series": int(first["series"]),
        "coding": coding or "plain",
        "MB": round(first["bytes"] / 1e6, 2),
        "first ms": round(first["ms"], 1),
        "ms": round(min(times), 1),
        "ms med": round(statistics.median(times), 1),
        "first hold ms": round(first["hold"], 1),
        "hold ms": round(min(holds), 1),
        "hold ms med": round(statistics.median(holds), 1),
        "hold ms max": round(max(holds), 1),
        "cpu of a hold max": round(max(t["worked"] for t in turns), 1),
        "idle ms": round(statistics.median(t["idle"] for t in turns), 1),
    }


def _scrape(port: int, coding: str) -> dict[str, float]:
    """As cheap a client as there is: what it costs is the server's time."""
    ask = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {coding or 'identity'}\r\nConnection: close\r\n\r\n"
    start = perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(ask.encode())
        parts = []
        while part := client.recv(1 << 20):
            parts.append(part)
    seconds = perf_counter() - start
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    text = _unchunked(body)
    if coding:
        assert b"content-encoding: gzip" in head.lower(), head
        text = gzip.decompress(text)
    lines = text.count(b"\n") - text.count(b"\n#") - 1
    return {"ms": seconds * 1e3, "bytes": len(body), "series": lines}


def _unchunked(body: bytes) -> bytes:
    parts, at = [], 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        if not size:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 4 + size


class Held:
    """How late a task wakes that sleeps 1 ms, and what our thread worked meanwhile: the longest of each."""

    def __init__(self) -> None:
        self.longest = self.worked = 0.0

    async def watch(self) -> None:
        """For ever."""
        while True:
            start, worked = perf_counter(), thread_time()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, perf_counter() - start - 0.001)
            self.worked = max(self.worked, thread_time() - worked)

    def taken(self) -> tuple[float, float]:
        """The longest of both in ms, which are then forgotten."""
        longest, worked = self.longest, self.worked
        self.longest = self.worked = 0.0
        return longest * 1e3, worked * 1e3


async def serve(makers: int) -> None:
    """Listen; the first word of a pair publishes anew, the second asks how long the loop was held since."""
    sink = _Sink(makers)
    web = WebServer(
        WebConfig(port=0), WebSources(lambda: (), lambda: (), lambda: (True, ""), sink.chunks)
    )
    await web.start()
    _say(web.port)
    held, reader = Held(), asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    watching = asyncio.create_task(held.watch())
    while await reader.readline():
        sink.renew()
        await asyncio.sleep(0.01)
        held.taken()
        await asyncio.sleep(0.05)
        idle, _ = held.taken()
        _say("ready")
        await reader.readline()
        hold, worked = held.taken()
        _say(json.dumps({"hold": hold, "worked": worked, "idle": idle}))
    watching.cancel()
    await web.stop()


class _Sink(PrometheusSink):
    """One that can take a later picture of its engine."""

    def __init__(self, makers: int) -> None:
        super().__init__(
            PrometheusConfig(contracts_allow=("*",), contracts_cap=10**7), SinkContext()
        )
        self.engine = warm_engine(makers=makers)
        self.at = self.engine.position

    def renew(self) -> None:
        """All series move: a second has passed."""
        self.at += SECOND
        self.publish(self.engine.at(self.at), [])


def _say(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
