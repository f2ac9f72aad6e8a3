"""JSON over HTTP to a service on 127.0.0.1, from plain code."""

import json
import urllib.error
import urllib.request
from typing import Any

# A proxy of the machine must not see requests to 127.0.0.1.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str) -> bool:
    """Whether a GET of `url` succeeds."""
    try:
        _OPENER.open(url, timeout=2).close()
    except OSError:  # refused, reset, timed out, or an HTTP error status
        return False
    return True


def get_json(url: str) -> Any:
    """The decoded answer of a GET; raises urllib.error.HTTPError or URLError."""
    with _OPENER.open(url, timeout=10) as answer:
        return json.load(answer)


def post(url: str, body: object = None) -> str:
    """POSTs `body` as JSON (nothing when None) and returns the text of the answer.

    Raises RuntimeError with the answer's text when the server refuses.
    """
    data = b"" if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data=data, headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with _OPENER.open(request, timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        text = refused.read().decode(errors="replace")
        raise RuntimeError(f"POST {url}: {refused.code} {text}") from None
