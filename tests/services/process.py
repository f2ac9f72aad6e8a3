"""A server process of ours: started on a free port, waited for, stopped, never left behind.

`start`, `stop` and `kill` block; a test whose own event loop must go on meanwhile calls them
through `asyncio.to_thread`.
"""

import atexit
import contextlib
import random
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"
# Below Linux's range for outgoing connections: a client that retries a port inside that range while
# the server is down can end up connected to itself, and then the server cannot come back.
_PORTS = range(20_000, 32_000)


class ServiceError(RuntimeError):
    """A service did not start, answer or stop; the message ends with the last lines of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    for port in random.SystemRandom().sample(_PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ServiceError(f"no free port between {_PORTS.start} and {_PORTS.stop} on {HOST}")


def listening(port: int) -> bool:
    """Whether something accepts connections on 127.0.0.1:`port`."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


class _Reaper:
    """Kills the services of a test run that dies without cleaning up (see reaper.py)."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def tell(self, sign: str, pid: int) -> None:
        """Adds (`+`) or removes (`-`) one process that must not outlive this one."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("reaper.py"))],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(f"{sign} {pid}\n")
        self._process.stdin.flush()


_REAPER = _Reaper()


class Service(ABC):
    """One server: `port` is chosen once, so that it comes back where clients look for it."""

    name = "service"
    start_timeout = 20.0
    stop_timeout = 20.0

    def __init__(self, workdir: Path) -> None:
        """Keeps configuration, data and log in `workdir`, which is created."""
        self.workdir = workdir
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.log_path = workdir / f"{self.name}.log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @abstractmethod
    def command(self) -> list[str]:
        """Writes the configuration and returns the command line of the server in the foreground."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether the server answers as a client would expect."""

    def start(self) -> None:
        """Starts the server and returns when it answers; does nothing while it runs."""
        if self.running:
            return
        command = self.command()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.workdir,
                start_new_session=True,  # Ctrl-C is for the test run; it stops us in its own order
            )
        _REAPER.tell("+", self._process.pid)
        atexit.register(self.kill)
        self._await_ready()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + self.start_timeout
        while not self.ready():
            if not self.running or time.monotonic() > deadline:
                cause = "did not answer in time" if self.running else "ended while starting"
                self.kill()
                raise ServiceError(f"{self.name} on {self.address} {cause}:\n{self.log_tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Asks the server to end (SIGTERM) and waits; kills it when it does not."""
        if self._process is not None and self.running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self.stop_timeout)
        self.kill()

    def kill(self) -> None:
        """Ends the server at once (SIGKILL), as a crash would."""
        if self._process is None:
            return
        if self.running:
            self._process.kill()
        self._process.wait()
        _REAPER.tell("-", self._process.pid)
        atexit.unregister(self.kill)
        self._process = None

    def restart(self) -> None:
        """Stops and starts again on the same port, with the same data."""
        self.stop()
        self.start()

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that the server logged."""
        if not self.log_path.exists():
            return "(no log)"
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()
