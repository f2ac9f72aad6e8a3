"""Stands before every handler: no request without its scope, not too many at once, none that is never read to its end.

Probes are always answered, whatever hangs.
"""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from mm_monitor.web.access import Access, Scope
from mm_monitor.web.login import cookie_token, forget, is_foreign, wants_page

SCOPE = web.RequestKey("scope", Scope)  # not set where probes ask
PROBES = frozenset(
    {"/healthz", "/readyz"}
)  # they have no tokens, and are told no more than yes or no
LOGIN = frozenset(
    {"/login", "/logout", "/api/v1/openapi.json"}
)  # and what is under STATIC: the program, no number
STATIC = "/static/"
STREAM = "/api/v1/stream"  # has bounds of its own (stream.py)
AT_ONCE = 1000  # requests that are answered at the same time: many, for those that hang must not shut out the others
ANSWER_SECONDS = 30.0  # for a client to read its answer; then it is cut off
MOST_BYTES = 16_384  # of a request's body; orders are short


def guard(access: Access) -> Middleware:
    """The middleware."""
    busy = 0

    @web.middleware
    async def handle(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal busy
        address = request.remote or ""
        if access.is_guessing(address):
            raise web.HTTPTooManyRequests(headers={hdrs.RETRY_AFTER: "60"})
        if is_foreign(request):
            raise web.HTTPForbidden(text="a request of our own page")
        scope = _scope(access, request, address)
        if scope is None and not is_open(request.path):
            return _refused(request)
        if scope is not None:
            request[SCOPE] = scope
        if request.path in PROBES or request.path == STREAM:
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


def is_open(path: str) -> bool:
    """May anybody ask for it?"""
    return path in PROBES or path in LOGIN or path.startswith(STATIC)


def _scope(access: Access, request: web.Request, address: str) -> Scope | None:
    """By the header, and where there is none by the cookie."""
    header = request.headers.get(hdrs.AUTHORIZATION, "")
    if header or not (cookie := cookie_token(request)):
        return access.scope(header, address)
    return access.scope_of_token(cookie, address)


def _refused(request: web.Request) -> web.StreamResponse:
    """A person is led to the page that asks for the token; a script of ours must not make the browser ask for it."""
    if wants_page(request):
        answer = web.Response(status=303, headers={hdrs.LOCATION: "/login"})
    elif "Sec-Fetch-Mode" in request.headers:
        bearer = {hdrs.WWW_AUTHENTICATE: 'Bearer realm="mm-monitor"'}
        answer = web.json_response({"error": "a token"}, status=401, headers=bearer)
    else:
        challenge = 'Basic realm="mm-monitor", charset="UTF-8"'
        raise web.HTTPUnauthorized(text="a token", headers={hdrs.WWW_AUTHENTICATE: challenge})
    if cookie_token(request):
        forget(answer, request)
    return answer


def scope_of(request: web.Request) -> Scope | None:
    """What the request may see; None only where probes ask."""
    return request.get(SCOPE)
