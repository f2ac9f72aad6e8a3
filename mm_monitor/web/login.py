"""How a browser gets its token in: a page that puts it in a cookie which no script reads and no other site can send.

It is `HttpOnly` and `SameSite=Strict`, and `__Host-` where the port is HTTPS; what changes anything must come from our
own page.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from aiohttp import hdrs, web

COOKIE = "mm-monitor"
SAFE_COOKIE = "__Host-mm-monitor"  # a browser takes it only over TLS, and only for this host
LASTS = 7 * 86_400  # seconds, then it is asked for again
_SAFE = frozenset({"GET", "HEAD"})


def cookie_token(request: web.Request) -> str:
    """The token in the request's cookie, "" without one."""
    name = SAFE_COOKIE if request.secure else COOKIE
    return request.cookies.get(name, "")


def is_foreign(request: web.Request) -> bool:
    """Would the request change something, at the wish of another site's page?"""
    if request.method in _SAFE:
        return False
    site = request.headers.get(
        "Sec-Fetch-Site"
    )  # says more than Origin, which our own policy makes "null"
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get(hdrs.ORIGIN)
    return origin is not None and _host(origin) != request.host


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # no browser sends such a one
        return None


async def sent_token(request: web.Request) -> str:
    """The token of the login page's form; 415 for what no such form sends."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPUnsupportedMediaType(text="application/x-www-form-urlencoded")
    form = parse_qsl((await request.read()).decode("utf-8", "replace"))
    return dict(form).get("token", "").strip()


def keep(response: web.StreamResponse, request: web.Request, token: str) -> None:
    """Have the browser send the token from now on."""
    name = SAFE_COOKIE if request.secure else COOKIE
    response.set_cookie(
        name, token, max_age=LASTS, path="/", secure=request.secure, httponly=True, samesite="Strict"
    )  # fmt: skip


def forget(response: web.StreamResponse, request: web.Request) -> None:
    """Have the browser send it no more."""
    name = SAFE_COOKIE if request.secure else COOKIE
    response.del_cookie(name, path="/", secure=request.secure, httponly=True, samesite="Strict")


def wants_page(request: web.Request) -> bool:
    """Does a person's browser open a page, rather than a program or a script ask for data?"""
    return request.headers.get("Sec-Fetch-Mode") == "navigate" or (
        request.method == "GET" and "text/html" in request.headers.get(hdrs.ACCEPT, "")
    )
