"""What operations write from the board: that they have seen a breach, an exemption, planned maintenance.

Only with tokens, for without them nobody is told from a stranger, and never with a maker's. Who writes says a name,
which is taken as it is said: the token tells only that it is somebody of operations.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from aiohttp import web

from mm_monitor.errors import InputError, MonitorError
from mm_monitor.formats import json_bytes
from mm_monitor.web.access import OPERATIONS, Access
from mm_monitor.web.guard import scope_of

T = TypeVar("T")


class Orders(Protocol):
    """Carries them out; InputError for what is refused, MonitorError for what could not be done."""

    @property
    def kinds(self) -> Sequence[str]:
        """Of exemptions, as the rulebooks name them."""
        ...

    async def acknowledge(self, breach: str, author: str, note: str) -> dict[str, Any]:
        """The entry of the evidence log."""
        ...

    async def acknowledged(self, breach: str) -> list[dict[str, Any]]:
        """Those entries of a breach."""
        ...

    async def exempt(self, kind: str, **asked: str) -> list[dict[str, Any]]:
        """The control records that were written."""
        ...

    async def maintain(self, **asked: str) -> list[dict[str, Any]]:
        """The control records that were written."""
        ...


class Acknowledgement(msgspec.Struct, forbid_unknown_fields=True):
    """The body of one."""

    breach: str
    author: str
    note: str = ""


class Maintenance(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The body of one: an interval [start, end), instants as on the command line, no `start` for at once."""

    end: str
    author: str
    reason: str
    start: str = ""
    scope: str = "*"
    maker: str = "*"
    approver: str = ""


class Exemption(Maintenance, kw_only=True):
    """The body of one: the same, and what the rulebooks call it."""

    kind: str


class OrderPages:
    """The handlers."""

    def __init__(self, orders: Orders | None, access: Access) -> None:
        self._orders, self._access = orders, access

    async def known(self, request: web.Request) -> web.Response:
        """`?breach=`: what may be ordered, and who has seen that breach."""
        orders = self._of(request)
        breach = request.query.get("breach", "")
        seen = await _done(orders.acknowledged(breach)) if breach else []
        return _answer({"kinds": list(orders.kinds), "acknowledgements": seen}, 200)

    async def acknowledge(self, request: web.Request) -> web.Response:
        """Somebody has seen a breach."""
        orders, body = self._of(request), await _body(request, Acknowledgement)
        return _answer(await _done(orders.acknowledge(body.breach, body.author, body.note)), 201)

    async def exempt(self, request: web.Request) -> web.Response:
        """Exempt a maker, a class or a contract until an instant."""
        orders, body = self._of(request), await _body(request, Exemption)
        records = await _done(orders.exempt(**msgspec.structs.asdict(body)))
        return _answer({"records": records}, 201)

    async def maintain(self, request: web.Request) -> web.Response:
        """Nothing can be known of a maker, a class or a contract until an instant."""
        orders, body = self._of(request), await _body(request, Maintenance)
        records = await _done(orders.maintain(**msgspec.structs.asdict(body)))
        return _answer({"records": records}, 201)

    def _of(self, request: web.Request) -> Orders:
        if not self._access.asks:
            raise web.HTTPForbidden(text="http.tokens_file: nothing is written here without tokens")
        if scope_of(request) != OPERATIONS:
            raise web.HTTPForbidden(text="a token of operations")
        if self._orders is None:
            raise web.HTTPForbidden(text="nothing can be ordered here")
        return self._orders


async def _body(request: web.Request, kind: type[T]) -> T:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="application/json")
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise web.HTTPBadRequest(text=str(error)) from None


async def _done(work: Awaitable[T]) -> T:
    try:
        return await work
    except InputError as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    except MonitorError as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from None


def _answer(body: object, status: int) -> web.Response:
    return web.Response(body=json_bytes(body), status=status, content_type="application/json")
