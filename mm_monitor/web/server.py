"""One HTTP server for people, scrapers and probes: the live page, `/metrics`, health, and a JSON
API.

Whatever it shows it gets from callables, at the time of the request, and shows of it what the request's token may
see. It only reads, but for what operations order (`orders.py`).
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from mm_monitor.errors import ConfigError
from mm_monitor.web.access import Access, read_tokens
from mm_monitor.web.guard import MOST_BYTES, guard
from mm_monitor.web.orders import OrderPages
from mm_monitor.web.pages import Pages, WebSources, json_answer
from mm_monitor.web.stream import Hub

__all__ = ["WebConfig", "WebServer", "WebSources", "application"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HUB = web.AppKey("hub", Hub)
STREAMS = 500  # clients that may follow the stream at a time
IDLE_SECONDS = 75.0  # that a connection may be open without a whole request; then it is closed
_TYPES = {
    ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
    ".json": "application/json", ".txt": "text/plain",
}  # fmt: skip
# Pages by the path under which they are found; all other files of `static` are under their own names.
_PAGES = {"/": "index.html", "/login": "login.html", "/api/v1/openapi.json": "openapi.json"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Where to listen, to whom, and by what certificate."""

    host: str = "127.0.0.1"
    port: int = 8088  # 0 = any free one
    tokens_file: str = ""  # empty: everybody who reaches the port sees all
    certfile: str = ""  # PEM; empty: plain HTTP
    keyfile: str = ""
    streams: int = STREAMS  # clients that may follow the stream at a time

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ConfigError("http.port", "a port from 0 to 65535", self.port)


class WebServer:
    """`start`, `stop`; `url` says where it listens, once it does."""

    def __init__(self, config: WebConfig, sources: WebSources) -> None:
        self._config = config
        self._sources = sources
        self._runner: web.AppRunner | None = None
        self._access = Access(None)
        self.port = config.port
        self._app: web.Application | None = None

    @property
    def following(self) -> int:
        """How many follow the stream."""
        return 0 if self._app is None else self._app[_HUB].following

    @property
    def url(self) -> str:
        """`http://host:port/` for a person's browser."""
        host = self._config.host
        shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
        scheme = "https" if self._config.certfile else "http"
        return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{self.port}/"

    def admit(self, tokens_file: str) -> None:
        """Ask for the tokens of this file from now on, for none without a file. InputError: nothing has changed."""
        changed = self._access.replace(read_tokens(Path(tokens_file)) if tokens_file else None)
        if changed and self._app is not None:
            self._app[
                _HUB
            ].dismiss()  # who follows comes back at once, with a token that still opens

    async def start(self) -> None:
        """Listen. Raises MonitorError when the address cannot be had, or a file that is named cannot be used."""
        config = self._config
        self.admit(config.tokens_file)
        app = self._app = application(self._sources, self._access, config.streams)
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=2, logger=_log_of_requests(),
            keepalive_timeout=IDLE_SECONDS,
        )  # fmt: skip
        await runner.setup()
        site = web.TCPSite(runner, config.host, config.port, ssl_context=_tls(config))
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            requirement = f"an address that can be listened on ({error.strerror or error})"
            where = f"{self._config.host}:{self._config.port}"
            raise ConfigError("http", requirement, where) from None
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port and every connection; idempotent."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()


def _log_of_requests() -> logging.Logger:
    """Without what strangers send: a request that is none would be logged with its headers, and a token among them."""
    logger = logging.getLogger("mm_monitor.web")
    logger.addFilter(_is_ours)
    return logger


def _is_ours(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | ConnectionError | web.RequestPayloadError)


def _tls(config: WebConfig) -> ssl.SSLContext | None:
    if not config.certfile:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.certfile, config.keyfile)
    except (OSError, ssl.SSLError) as error:
        requirement = f"a certificate and its key in PEM ({error.strerror or error})"
        raise ConfigError("http.certfile", requirement, config.certfile) from None
    return context


def application(sources: WebSources, access: Access, streams: int = STREAMS) -> web.Application:
    """The aiohttp application, not listening yet."""
    middlewares = [_answer_errors_as_json, guard(access)]
    app = web.Application(middlewares=middlewares, client_max_size=MOST_BYTES)
    app.on_response_prepare.append(_add_headers)
    pages = Pages(sources, access, streams)
    app[_HUB] = pages.hub
    app.on_shutdown.append(pages.hub.close)
    for path, file in _static().items():
        app.router.add_get(path, _file(file))
    for path, handler in (
        ("/metrics", pages.metrics),
        ("/healthz", pages.healthz),
        ("/readyz", pages.readyz),
        ("/version", pages.version),
        ("/api/v1/board", pages.board),
        ("/api/v1/status", pages.status),
        ("/api/v1/obligations", pages.obligations),
        ("/api/v1/breaches", pages.breaches),
        ("/api/v1/holes", pages.holes),
        ("/api/v1/contract", pages.contract),
        ("/api/v1/signals", pages.signals),
    ):
        app.router.add_get(path, handler)
    app.router.add_get("/api/v1/stream", pages.stream, allow_head=False)
    orders = OrderPages(sources.orders, access)
    app.router.add_get("/api/v1/orders", orders.known)
    app.router.add_post("/api/v1/acknowledgements", orders.acknowledge)
    app.router.add_post("/api/v1/exemptions", orders.exempt)
    app.router.add_post("/api/v1/maintenance", orders.maintain)
    app.router.add_post("/login", pages.login)
    app.router.add_post("/logout", pages.logout)
    return app


def _static() -> dict[str, Traversable]:
    """The files that anybody may have, by path."""
    folder = files("mm_monitor.web").joinpath("static")
    vendored = folder.joinpath("vendor")
    found = {f"/static/{file.name}": file for file in folder.iterdir() if file.is_file()}
    found |= {f"/static/vendor/{file.name}": file for file in vendored.iterdir()}
    return found | {path: folder.joinpath(name) for path, name in _PAGES.items()}


def _file(file: Traversable) -> Handler:
    body, content_type = file.read_bytes(), _TYPES[Path(file.name).suffix]

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    return handler


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


@web.middleware
async def _answer_errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPError as error:
        answer = json_answer({"error": error.text or error.reason}, error.status)
        for name in (hdrs.ALLOW, hdrs.WWW_AUTHENTICATE, hdrs.RETRY_AFTER):
            if name in error.headers:
                answer.headers[name] = error.headers[name]
        return answer
    except web.RequestPayloadError:
        return json_answer({"error": "a body that can be read"}, 400)
