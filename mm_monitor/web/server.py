"""One HTTP server for people, scrapers and probes: the live page, `/metrics`, health, and a JSON
API.

It only reads: whatever it shows it gets from callables, at the time of the request, and shows of it what the
request's token may see.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from mm_monitor import __version__
from mm_monitor.core.own import own_view
from mm_monitor.core.view import StatusView
from mm_monitor.errors import ConfigError
from mm_monitor.formats import json_bytes
from mm_monitor.live_signals import Told
from mm_monitor.web import api
from mm_monitor.web.access import Access, read_tokens
from mm_monitor.web.guard import MOST_BYTES, guard, scope_of
from mm_monitor.web.pieces import one_by_one, packed

GetViews = Callable[[], Sequence[StatusView]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_ROWS = 5_000
_PAGES = {
    "/": ("index.html", "text/html"),
    "/static/board.js": ("board.js", "text/javascript"),
    "/static/board.css": ("board.css", "text/css"),
    "/static/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ConfigError("http.port", "a port from 0 to 65535", self.port)


@dataclass(frozen=True, slots=True)
class WebSources:
    """What the server reads, each at the time of a request; all return at once."""

    get_views: GetViews  # published, as of the watermark
    get_estimates: GetViews  # extended to now, for screens
    is_ready: Callable[[], tuple[bool, str]]  # and why not
    render_metrics: Callable[
        [str], Iterable[bytes]
    ]  # chunks of Prometheus text, of one maker or ("") of all
    get_signals: Callable[[], Iterable[Told]] = lambda: ()


class WebServer:
    """`start`, `stop`; `url` says where it listens, once it does."""

    def __init__(self, config: WebConfig, sources: WebSources) -> None:
        self._config = config
        self._sources = sources
        self._runner: web.AppRunner | None = None
        self._access = Access(None)
        self.port = config.port

    @property
    def url(self) -> str:
        """`http://host:port/` for a person's browser."""
        host = self._config.host
        shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
        scheme = "https" if self._config.certfile else "http"
        return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{self.port}/"

    def admit(self, tokens_file: str) -> None:
        """Ask for the tokens of this file from now on, for none without a file. InputError: nothing has changed."""
        self._access.replace(read_tokens(Path(tokens_file)) if tokens_file else None)

    async def start(self) -> None:
        """Listen. Raises MonitorError when the address cannot be had, or a file that is named cannot be used."""
        config = self._config
        self.admit(config.tokens_file)
        app = application(self._sources, self._access)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2, logger=_log_of_requests())
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
    return not isinstance(error, HttpProcessingError | ConnectionError)


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


def application(sources: WebSources, access: Access) -> web.Application:
    """The aiohttp application, not listening yet."""
    middlewares = [_answer_errors_as_json, guard(access)]
    app = web.Application(middlewares=middlewares, client_max_size=MOST_BYTES)
    app.on_response_prepare.append(_add_headers)
    pages = _Pages(sources)
    for path, (name, content_type) in _PAGES.items():
        app.router.add_get(path, _file(name, content_type))
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_get("/healthz", pages.healthz)
    app.router.add_get("/readyz", pages.readyz)
    app.router.add_get("/version", pages.version)
    app.router.add_get("/api/v1/status", pages.status)
    app.router.add_get("/api/v1/obligations", pages.obligations)
    app.router.add_get("/api/v1/breaches", pages.breaches)
    app.router.add_get("/api/v1/signals", pages.signals)
    return app


class _Pages:
    """The handlers."""

    def __init__(self, sources: WebSources) -> None:
        self._sources = sources

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Prometheus text, sent chunk by chunk so that the tape goes on in between."""
        chunks = self._sources.render_metrics(_maker(request))
        headers = {hdrs.CONTENT_TYPE: METRICS_TYPE, hdrs.VARY: hdrs.ACCEPT_ENCODING}
        packs = "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower()
        if packs:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):  # the scraper's own time is up
            async for piece in packed(chunks) if packs else one_by_one(chunks):
                await response.write(piece)
            await response.write_eof()
        return response

    async def healthz(self, request: web.Request) -> web.Response:
        """Alive: the event loop answers."""
        return _json({"status": "alive"})

    async def readyz(self, request: web.Request) -> web.Response:
        """Whether the verdicts can be used."""
        ready, reason = self._sources.is_ready()
        body = {"status": "ready" if ready else "not ready"}
        if scope_of(request) is not None:
            body["reason"] = reason
        return _json(body, 200 if ready else 503)

    async def version(self, request: web.Request) -> web.Response:
        """What is running."""
        return _json({"name": "mm-monitor", "version": __version__})

    async def status(self, request: web.Request) -> web.Response:
        """Makers and classes of each rulebook: `?at=now` for the estimate, `?rulebook=` for one."""
        ready, reason = self._sources.is_ready()
        shown = api.status(self._views(request))
        return _json({"ready": ready, "reason": reason, "rulebooks": shown})

    async def obligations(self, request: web.Request) -> web.Response:
        """`?maker=&class=&rulebook=&at=`, and `offset` and `limit` as there may be many."""
        maker, klass = request.query.get("maker", ""), request.query.get("class", "")
        offset = _number(request, "offset", 0, 2**31)
        left = _number(request, "limit", 1_000, MOST_ROWS)
        total, answer = 0, []
        for view in self._views(request):
            rows = api.matching(view, maker, klass)
            part = rows[max(0, offset - total) :][:left]
            total += len(rows)
            left -= len(part)
            shown = api.obligations(view, part)
            answer += [{"rulebook": view.rulebook_id, "at": view.at, **row} for row in shown]
        return _json({"total": total, "offset": offset, "obligations": answer})

    async def breaches(self, request: web.Request) -> web.Response:
        """`?open=true|false&maker=&class=&kind=&rulebook=`, newest first, `offset`, `limit`."""
        wanted = {
            key: request.query[key] for key in ("maker", "class", "kind") if request.query.get(key)
        }
        is_open = _choice(request, "open", ("", "true", "false"))
        found = [
            breach
            for breach in api.breaches(self._views(request))
            if all(breach[key] == value for key, value in wanted.items())
            and is_open in ("", "true" if breach["end"] is None else "false")
        ]
        offset = _number(request, "offset", 0, 2**31)
        limit = _number(request, "limit", 1_000, MOST_ROWS)
        part = found[offset : offset + limit]
        return _json({"total": len(found), "offset": offset, "breaches": part})

    async def signals(self, request: web.Request) -> web.Response:
        """`?maker=&rulebook=`, and `raised=true` for those that are worth a look; empty where nobody watches."""
        wanted = {key: request.query.get(key, "") for key in ("maker", "rulebook")}
        raised = _choice(request, "raised", ("", "true")) == "true"
        mine = _maker(request)
        told = [one for one in self._sources.get_signals() if mine in ("", one.maker)]
        found = [
            row
            for one in told
            if all(value in ("", getattr(one, key)) for key, value in wanted.items())
            for row in api.signals(one)
            if row["raised"] or not raised
        ]
        return _json({"total": len(found), "signals": found})

    def _views(self, request: web.Request) -> Sequence[StatusView]:
        estimate = _choice(request, "at", ("", "watermark", "now")) == "now"
        views = self._sources.get_estimates() if estimate else self._sources.get_views()
        rulebook, mine = request.query.get("rulebook", ""), _maker(request)
        chosen = [view for view in views if rulebook in ("", view.rulebook_id)]
        return [own_view(view, mine) for view in chosen] if mine else chosen


def _maker(request: web.Request) -> str:
    """The maker whose numbers alone the request may see; empty: it may see all."""
    scope = scope_of(request)
    if scope is None:
        raise web.HTTPUnauthorized
    return scope.maker


def _choice(request: web.Request, name: str, allowed: tuple[str, ...]) -> str:
    value = request.query.get(name, "")
    if value not in allowed:
        known = ", ".join(choice for choice in allowed if choice)
        raise web.HTTPBadRequest(text=f"{name}: one of {known}, got {value!r}")
    return value


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > most:
        raise web.HTTPBadRequest(text=f"{name}: a number from 0 to {most}, got {text!r}")
    return int(text)


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=json_bytes(body), status=status, content_type="application/json")


def _file(name: str, content_type: str) -> Handler:
    body = files("mm_monitor.web").joinpath("static", name).read_bytes()

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
        answer = _json({"error": error.text or error.reason}, error.status)
        for name in (hdrs.ALLOW, hdrs.WWW_AUTHENTICATE, hdrs.RETRY_AFTER):
            if name in error.headers:
                answer.headers[name] = error.headers[name]
        return answer
