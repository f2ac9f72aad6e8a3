"""An embedded Kafka-protocol broker for demo and tests: librdkafka's mock cluster, as a process.

It keeps about 5 MB or 100 000 records a partition and drops the oldest beyond that, has no groups,
no administration and no disk: whoever produces must not run ahead of the reader (see `pacing`).
The process ends when its standard input closes, so it never outlives its parent, however that
ends.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, BinaryIO

from mm_monitor.errors import MonitorError

START_SECONDS = 20.0
STOP_SECONDS = 5.0


class EmbeddedBroker:
    """`async with EmbeddedBroker() as broker: connect(broker.bootstrap)`.

    Raises MonitorError when confluent-kafka is not installed or the process does not come up.
    """

    def __init__(self) -> None:
        self.bootstrap = ""
        self._process: asyncio.subprocess.Process | None = None
        self._said: BinaryIO | None = None  # standard error: a pipe that nobody reads would fill up

    async def __aenter__(self) -> EmbeddedBroker:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """Process id of the running broker."""
        if self._process is None:
            raise MonitorError("the embedded broker is not running")
        return self._process.pid

    async def start(self) -> None:
        """Start the process and wait until it listens; `bootstrap` is then `host:port`."""
        require_confluent()
        self._said = TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mm_monitor.simulator.broker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._said,
            # A Ctrl-C in the terminal is for the parent, which stops the broker when it is done.
            start_new_session=True,
        )
        try:
            self.bootstrap = await asyncio.wait_for(self._first_line(), START_SECONDS)
        except TimeoutError:
            await self.stop()
            raise MonitorError(f"the embedded broker was not up in {START_SECONDS:.0f} s") from None

    async def stop(self) -> None:
        """End the process; idempotent."""
        if self._said is not None:
            self._said.close()
            self._said = None
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _first_line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode().strip()
        if line:
            return line
        assert self._said is not None
        await self._process.wait()
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip()
        await self.stop()
        raise MonitorError(f"the embedded broker did not start: {said or 'it said nothing'}")


def require_confluent() -> None:
    """Raise MonitorError with the remedy when confluent-kafka is missing."""
    if find_spec("confluent_kafka") is None:
        raise MonitorError(
            "the embedded broker needs confluent-kafka: pip install 'mm-monitor[demo]'"
        )


def start_cluster() -> tuple[Any, str]:
    """A mock cluster of one broker, and its `host:port`. It lives as long as the returned object.

    Topics come into being on first use, with four partitions.
    """
    require_confluent()
    from confluent_kafka import Producer

    producer = Producer({"test.mock.num.brokers": 1, "log_level": 3})
    brokers = producer.list_topics(timeout=START_SECONDS).brokers
    broker = next(iter(brokers.values()))
    return producer, f"{broker.host}:{broker.port}"


def main() -> None:
    """Run a broker until standard input closes; its `host:port` goes to --port-file or stdout."""
    parser = argparse.ArgumentParser(prog="python -m mm_monitor.simulator.broker")
    parser.add_argument("--port-file", type=Path, help="write host:port there, whole or not at all")
    port_file: Path | None = parser.parse_args().port_file
    try:
        cluster, bootstrap = start_cluster()
    except MonitorError as error:
        sys.exit(str(error))
    if port_file is None:
        sys.stdout.write(bootstrap + "\n")
        sys.stdout.flush()
    else:
        partial = port_file.with_name(port_file.name + ".partial")
        partial.write_text(bootstrap + "\n")
        partial.replace(port_file)
    sys.stdin.buffer.read()
    del cluster


if __name__ == "__main__":
    main()
