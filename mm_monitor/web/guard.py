"""Stands before every handler: no request without its scope, not too many at once, none that is never read to its end.

Probes are always answered, whatever hangs.
"""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from mm_monitor.web.access import Access, Scope

SCOPE = web.RequestKey("scope", Scope)  # not set where probes ask
OPEN = frozenset(
    {"/healthz", "/readyz"}
)  # probes have no tokens, and are told no more than yes or no
AT_ONCE = 1000  # requests that are answered at the same time: many, for those that hang must not shut out the others
ANSWER_SECONDS = 30.0  # for a client to read its answer; then it is cut off
MOST_BYTES = 16_384  # of a request's body; nothing that is read here has one


def guard(access: Access) -> Middleware:
    """The middleware."""
    busy = 0

    @web.middleware
    async def handle(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal busy
        address = request.remote or ""
        if access.is_guessing(address):
            raise web.HTTPTooManyRequests(headers={hdrs.RETRY_AFTER: "60"})
        scope = access.scope(request.headers.get(hdrs.AUTHORIZATION, ""), address)
        if scope is None and request.path not in OPEN:
            challenge = 'Basic realm="mm-monitor", charset="UTF-8"'
            raise web.HTTPUnauthorized(text="a token", headers={hdrs.WWW_AUTHENTICATE: challenge})
        if scope is not None:
            request[SCOPE] = scope
        if request.path in OPEN:
            return await handler(request)
        if busy >= AT_ONCE:
            raise web.HTTPServiceUnavailable(headers={hdrs.RETRY_AFTER: "1"})
        busy += 1
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await handler(request)
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=408)
        finally:
            busy -= 1

    return handle


def scope_of(request: web.Request) -> Scope | None:
    """What the request may see; None only where probes ask."""
    return request.get(SCOPE)
