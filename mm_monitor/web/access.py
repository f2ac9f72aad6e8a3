"""Who may see what: bearer tokens, of which the server knows only the SHA-256.

A token is of operations, who see everything, or of one maker, who sees its own numbers and nothing of others. A browser
may send it as the password of HTTP Basic, whatever the user's name.
"""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mm_monitor.errors import InputError

FAILURES = 20  # wrong tokens that an address may present, until it has been quiet for
FORGIVEN_AFTER = 60.0  # seconds
ADDRESSES = 10_000  # whose failures are remembered; beyond them the oldest go
_LINE = re.compile(r"([0-9a-f]{64}) (?:(operations)|maker (\S(?:.*\S)?))")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a request may see: all of it, or what is one maker's."""

    maker: str = ""  # empty: all


OPERATIONS = Scope()


def read_tokens(path: Path) -> dict[str, Scope]:
    """Scopes by SHA-256 of their token. InputError names the line that is none; a file without a token is refused."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"a readable file of tokens ({error})", file=str(path)) from None
    found: dict[str, Scope] = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or match[1] in found:
            requirement = "`SHA256 operations` or `SHA256 maker NAME`, each SHA-256 once"
            raise InputError(requirement, file=str(path), line=number)
        found[match[1]] = OPERATIONS if match[2] else Scope(match[3])
    if not found:
        raise InputError("at least one token", file=str(path))
    return found


def new_token(maker: str = "") -> tuple[str, str]:
    """A token, and the line by which a file of tokens knows it."""
    token = secrets.token_urlsafe(32)
    return token, f"{_digest(token)} {f'maker {maker}' if maker else 'operations'}"


class Access:
    """Looks tokens up, and says who only guesses. Without tokens everybody sees all."""

    def __init__(
        self, tokens: Mapping[str, Scope] | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tokens, self._clock = tokens, clock
        self._failures: dict[str, tuple[int, float]] = {}  # by address: how many, when the last

    def replace(self, tokens: Mapping[str, Scope] | None) -> bool:
        """These from now on. Are they others than before?"""
        before, self._tokens = self._tokens, tokens
        return tokens != before

    def scope(self, authorization: str, address: str) -> Scope | None:
        """The scope of a request with that header; None: it has none."""
        if self._tokens is None:
            return OPERATIONS
        return self.scope_of_token(_token_of(authorization), address)

    @property
    def asks(self) -> bool:
        """Does anybody need a token?"""
        return self._tokens is not None

    def scope_of_token(self, token: str, address: str) -> Scope | None:
        """The scope of a token that came from that address; None: it is none."""
        if self._tokens is None:
            return OPERATIONS
        found = self._tokens.get(_digest(token)) if token else None
        if found is None and token:
            self._failed(address)
        return found

    def is_guessing(self, address: str) -> bool:
        """Has the address presented too many wrong tokens?"""
        count, last = self._failures.get(address, (0, 0.0))
        return count >= FAILURES and self._clock() - last < FORGIVEN_AFTER

    def _failed(self, address: str) -> None:
        now = self._clock()
        count, last = self._failures.pop(address, (0, now))
        self._failures[address] = (count + 1 if now - last < FORGIVEN_AFTER else 1, now)
        if len(self._failures) > ADDRESSES:
            del self._failures[next(iter(self._failures))]


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _token_of(authorization: str) -> str:
    """The token in a header `Authorization`, if there is one."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except ValueError:  # no Base64, not even ASCII, or no text in it
            return ""
    return ""
