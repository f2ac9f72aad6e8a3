"""The handlers: what each path answers, of what its request's token may see.

What is the same for several who ask at once is rendered once (`shared.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import hdrs, web

from mm_monitor import __version__
from mm_monitor.core.own import own_view
from mm_monitor.core.view import StatusView
from mm_monitor.formats import json_bytes
from mm_monitor.live_signals import Told
from mm_monitor.surroundings import Around
from mm_monitor.watching import Seen
from mm_monitor.web import api
from mm_monitor.web.access import Access, Scope
from mm_monitor.web.boards import Boarded, board
from mm_monitor.web.contracts import contract_json
from mm_monitor.web.guard import scope_of
from mm_monitor.web.login import forget, keep, sent_token
from mm_monitor.web.orders import Orders
from mm_monitor.web.pieces import one_by_one, packed
from mm_monitor.web.shared import Rendering, Shared
from mm_monitor.web.stream import Hub

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_ROWS = 5_000
GetViews = Callable[[], Sequence[StatusView]]


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
    get_arounds: Callable[[], Sequence[Around]] = lambda: ()
    get_doubts: Callable[[], Sequence[Mapping[str, object]]] = lambda: ()
    get_health: Callable[[], Mapping[str, object]] = dict
    now: Callable[[], int] = lambda: 0  # our clock, ns
    # One obligation (rulebook, maker, contract) with what is remembered since an instant; does its own maker ask?
    look: Callable[[tuple[str, str, str], int, bool], Seen | None] = lambda *_: None
    orders: Orders | None = None  # who carries out what operations order


class Pages:
    """The handlers."""

    def __init__(self, sources: WebSources, access: Access, streams: int) -> None:
        self._sources, self._access = sources, access
        self._shared = Shared(sources.get_views)
        self.hub = Hub(self._board, streams)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Prometheus text, sent chunk by chunk so that the tape goes on in between."""
        mine = _maker(request)
        headers = {hdrs.CONTENT_TYPE: METRICS_TYPE, hdrs.VARY: hdrs.ACCEPT_ENCODING}
        packs = "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower()
        if packs:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        pack = packed if packs else one_by_one
        rendering = self._shared.of(
            ("metrics", mine, packs), lambda: pack(self._sources.render_metrics(mine))
        )
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):  # the scraper's own time is up
            async for piece in rendering.pieces():
                await response.write(piece)
            await response.write_eof()
        return response

    async def healthz(self, request: web.Request) -> web.Response:
        """Alive: the event loop answers."""
        return json_answer({"status": "alive"})

    async def readyz(self, request: web.Request) -> web.Response:
        """Whether the verdicts can be used."""
        ready, reason = self._sources.is_ready()
        body = {"status": "ready" if ready else "not ready"}
        if scope_of(request) is not None:
            body["reason"] = reason
        return json_answer(body, 200 if ready else 503)

    async def version(self, request: web.Request) -> web.Response:
        """What is running."""
        return json_answer({"name": "mm-monitor", "version": __version__})

    async def status(self, request: web.Request) -> web.Response:
        """Makers and classes of each rulebook: `?at=now` for the estimate, `?rulebook=` for one."""
        ready, reason = self._sources.is_ready()

        def made() -> object:
            return {"ready": ready, "reason": reason, "rulebooks": api.status(self._views(request))}

        return await self._answer(request, made)

    async def board(self, request: web.Request) -> web.Response:
        """All that the overview shows; the stream sends the same."""
        return _bytes(await self._board(Scope(_maker(request))))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The board anew every second, as server-sent events."""
        return await self.hub.follow(request, Scope(_maker(request)))

    async def _board(self, scope: Scope) -> bytes:
        sources, tokens = self._sources, self._access.asks

        def made() -> object:
            of = Boarded(
                sources.get_views(), sources.get_arounds(), sources.get_doubts(), sources.get_health(), sources.now()
            )  # fmt: skip
            return board(of, scope.maker, tokens=tokens)

        return await self._rendering(("board", scope.maker), made).whole()

    async def obligations(self, request: web.Request) -> web.Response:
        """`?maker=&class=&contract=&rulebook=&at=&sort=slack`, and `offset` and `limit` as there may be many."""
        wanted = [request.query.get(name, "") for name in ("maker", "class", "contract")]
        by_slack = _choice(request, "sort", ("", "slack")) == "slack"
        offset = _number(request, "offset", 0, 2**31)
        limit = _number(request, "limit", 1_000, MOST_ROWS)

        def made() -> object:
            total, left, answer = 0, limit, []
            for view in self._views(request):
                rows = api.matching(view, *wanted)
                if by_slack:
                    rows = api.least_slack_first(view, rows)
                part = rows[max(0, offset - total) :][:left]
                total += len(rows)
                left -= len(part)
                shown = api.obligations(view, part)
                answer += [{"rulebook": view.rulebook_id, "at": view.at, **row} for row in shown]
            return {"total": total, "offset": offset, "obligations": answer}

        return await self._answer(request, made)

    async def breaches(self, request: web.Request) -> web.Response:
        """`?open=true|false&id=&maker=&class=&kind=&rulebook=`, newest first, `offset`, `limit`."""
        names = ("id", "maker", "class", "kind")
        wanted = {key: request.query[key] for key in names if request.query.get(key)}
        is_open = _choice(request, "open", ("", "true", "false"))
        offset = _number(request, "offset", 0, 2**31)
        limit = _number(request, "limit", 1_000, MOST_ROWS)

        def made() -> object:
            found = [
                breach
                for breach in api.breaches(self._views(request))
                if all(breach[key] == value for key, value in wanted.items())
                and is_open in ("", "true" if breach["end"] is None else "false")
            ]
            part = found[offset : offset + limit]
            return {"total": len(found), "offset": offset, "breaches": part}

        return await self._answer(request, made)

    async def holes(self, request: web.Request) -> web.Response:
        """`?rulebook=`: contracts on which no maker was valid for a while; a maker is told of none."""

        def made() -> object:
            found = [
                {"rulebook": view.rulebook_id, "at": view.at, **hole}
                for view in self._views(request)
                for hole in api.holes(view)
            ]
            return {"total": len(found), "holes": found}

        return await self._answer(request, made)

    async def contract(self, request: web.Request) -> web.Response:
        """`?rulebook=&maker=&contract=&since=`: one obligation, which is watched from here on; 404 if there is none."""
        mine, query = _maker(request), request.query
        maker = query.get("maker", mine)
        for name, value in (("maker", maker), ("contract", query.get("contract", ""))):
            if not value:
                raise web.HTTPBadRequest(text=f"{name}: a name, got {value!r}")
        views = self._sources.get_views()
        rulebook = query.get("rulebook") or (views[0].rulebook_id if views else "")
        since = _number(request, "since", 0, 2**63 - 1)
        seen = None
        if mine in ("", maker):
            seen = self._sources.look((rulebook, maker, query["contract"]), since, bool(mine))
        if seen is None:
            raise web.HTTPNotFound(text=f"no obligation of {maker!r} on {query['contract']!r}")
        return json_answer(contract_json(seen, maker))

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
        return json_answer({"total": len(found), "signals": found})

    async def login(self, request: web.Request) -> web.Response:
        """A form's `token` becomes the browser's cookie; a wrong one leads back to the page, which says so."""
        token = await sent_token(request)
        scope = self._access.scope_of_token(token, request.remote or "")
        response = web.Response(
            status=303, headers={hdrs.LOCATION: "/login?wrong" if scope is None else "/"}
        )
        if scope is not None:
            keep(response, request, token)
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """The browser forgets its token."""
        response = web.Response(status=303, headers={hdrs.LOCATION: "/login"})
        forget(response, request)
        return response

    def _rendering(self, key: Hashable, made: Callable[[], object]) -> Rendering:
        async def make() -> AsyncIterator[bytes]:
            yield json_bytes(made())

        return self._shared.of(key, make)

    async def _answer(self, request: web.Request, made: Callable[[], object]) -> web.Response:
        key = (request.path_qs, _maker(request))
        return _bytes(await self._rendering(key, made).whole())

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
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > most:
        raise web.HTTPBadRequest(text=f"{name}: a number from 0 to {most}, got {text!r}")
    return int(text)


def json_answer(body: object, status: int = 200) -> web.Response:
    """`body` as JSON."""
    return web.Response(body=json_bytes(body), status=status, content_type="application/json")


def _bytes(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
