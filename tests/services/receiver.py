"""A real HTTP server to which services post: it keeps the path and the JSON of every request."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.services.process import HOST


class Receiver:
    """Listens in a thread of its own; `posts` are (path, decoded body), oldest first."""

    def __init__(self, answer: str = "ok") -> None:
        """`answer` is the body of every reply."""
        self.posts: list[tuple[str, Any]] = []
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                posts.append((self.path, json.loads(body)))
                data = answer.encode()
                self.send_response(202 if "enqueue" in self.path else 200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing on the test's output."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return f"http://{HOST}:{self._server.server_port}"

    def to(self, path: str) -> list[Any]:
        """The bodies posted to `path`."""
        return [body for at, body in list(self.posts) if at == path]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
