"""The worst first, live: a table of makers in a terminal, read from the service's HTTP API.

It asks for what is published, as of the watermark, and shows beside it how far that is behind the venue's clock.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mm_monitor.errors import MonitorError
from mm_monitor.screens import COLOURS, duration, percent

STATUS, BREACHES = "api/v1/status", "api/v1/breaches?open=true&limit=5000"
SECONDS = 10  # for an answer
TIGHT: dict[str, Any] = {"padding": (0, 1, 0, 0), "pad_edge": False}  # for eighty columns
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Service:
    """Where the API is, and as whom to ask. `cafile` is for a certificate that this machine does not know."""

    url: str
    token: str = ""
    cafile: Path | None = None

    def get(self, path: str) -> Json:
        """What the service answers. MonitorError that says what to do where it does not."""
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise MonitorError(f"--url: http://HOST:PORT or https://..., got {self.url!r}")
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = Request(f"{self.url.rstrip('/')}/{path}", headers=headers)
        try:
            with urlopen(request, timeout=SECONDS, context=self._tls()) as answer:
                found: Json = json.load(answer)
        except HTTPError as error:
            raise MonitorError(f"{self.url}: {_told(error.code, bool(self.token))}") from None
        except (URLError, TimeoutError, ConnectionError) as error:
            cause = getattr(error, "reason", error)
            advice = "is the service running there (mm-monitor run, or demo)? --url says where"
            raise MonitorError(f"{self.url}: no answer ({cause}): {advice}") from None
        except (ValueError, RecursionError, HTTPException) as error:
            raise self.stranger(error) from None
        return found

    def stranger(self, error: Exception) -> MonitorError:
        """To be raised where what answers is something else."""
        what = f"{type(error).__name__}: {error}"
        return MonitorError(f"{self.url}: is no mm-monitor ({what}); --url says where")

    def _tls(self) -> ssl.SSLContext | None:
        if self.cafile is None:
            return None
        try:
            return ssl.create_default_context(cafile=str(self.cafile))
        except (OSError, ssl.SSLError) as error:
            raise MonitorError(
                f"--cafile: a certificate in PEM ({error}), got {self.cafile}"
            ) from None


def _told(code: int, had_token: bool) -> str:
    if code == 401:
        wrong = "does not know this token" if had_token else "wants a token"
        return (
            f"{wrong}: put one that 'mm-monitor token' made into a file and give it as --token-file"
        )
    if code == 429:
        return "too many wrong tokens from here: wait a minute"
    return f"answers {code}; is that an mm-monitor of this version?"


def read(service: Service) -> Json:
    """Status and open breaches, as one object (`mm-monitor/top/1`): makers of each rulebook worst first."""
    status, breaches = service.get(STATUS), service.get(BREACHES)
    try:
        return _joined(status, breaches)
    except (KeyError, TypeError, AttributeError) as error:
        raise service.stranger(error) from None


def _joined(status: Json, breaches: Json) -> Json:
    rulebooks = [
        {**one, "makers": worst_first(one["makers"]), "classes": worst_first(one["classes"])}
        for one in status["rulebooks"]
    ]
    return {
        "schema": "mm-monitor/top/1",
        "ready": status["ready"],
        "reason": status["reason"],
        "rulebooks": rulebooks,
        "open_breaches": breaches["breaches"],
    }


def worst_first(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Out of reach, then least slack for each obligation, then least presence; who is not assessed is last."""

    def badness(row: Mapping[str, Any]) -> tuple[bool, bool, int, str, str]:
        slack = row["slack_ns"]
        each = 0 if slack is None else slack // max(row["obligations"], 1)
        nothing = row["presence"] is None
        return nothing, not row["unreachable"], each, row["presence"] or "", row["maker"]

    return sorted(rows, key=badness)


def screen(found: Json, lines: int) -> RenderableType:
    """What a person sees: each rulebook's worst makers, and what is broken now; `lines` rows of each at most."""
    parts: list[RenderableType] = []
    if not found["ready"]:
        parts.append(Text(f"verdicts cannot be used: {found['reason']}", style="bold red"))
    parts += [_makers(one, lines) for one in found["rulebooks"]]
    if found["open_breaches"]:
        parts.append(_breaches(found["open_breaches"], lines))
    return Group(*parts)


def _makers(one: Mapping[str, Any], lines: int) -> Table:
    required = percent(one["required"])
    caption = f"as of {one['at_text']}, {one['obligations']} obligations, required {required}"
    title = f"{one['rulebook']['id']}  {one['trading_date']}"
    table = Table(title=escape(title), caption=caption, expand=False, box=SIMPLE_HEAD, **TIGHT)
    numbers = ("presence", "slack", "lost in", "lapsed", "broken")
    for name in ("maker", *numbers, "verdict", "mostly"):
        justify: Literal["right", "left"] = "right" if name in numbers else "left"
        table.add_column(name, justify=justify, no_wrap=name not in ("maker", "mostly"))
    for row in one["makers"][:lines]:
        colour = "red" if row["unreachable"] else COLOURS[row["verdict"]]
        word = "out of reach" if row["unreachable"] else row["verdict"]
        slack = row["slack_ns"]
        each = None if slack is None else slack // max(row["obligations"], 1)
        table.add_row(
            escape(row["maker"]), _cut(row["presence"]), duration(each),
            duration(row["to_unreachable_ns"]), f"{row['lapsed_now']}/{row['obligations']}",
            str(row["open_breaches"]), f"[{colour}]{word}[/]", row["dominant_reason"],
        )  # fmt: skip
    return table


def _cut(presence: str | None) -> str:
    """With two decimals, cut: who is short of a requirement never reads as meeting it."""
    return "-" if presence is None else f"{percent(presence)[:-4]} %"


def _breaches(rows: Sequence[Mapping[str, Any]], lines: int) -> Table:
    table = Table(title=f"open breaches: {len(rows)}", expand=False, box=SIMPLE_HEAD, **TIGHT)
    for name in ("since (UTC)", "kind", "maker", "contract", "reason", "id"):
        table.add_column(name, no_wrap=name in ("since (UTC)", "kind"), overflow="ellipsis")
    for row in rows[:lines]:
        names = (row[name] for name in ("kind", "maker", "contract", "reason", "id"))
        cells = (row["start_text"][11:19], *names)
        table.add_row(*(escape(str(cell)) for cell in cells))
    return table
