"""Is an evidence log what was written and sealed? Stand-alone: Python and nothing else, not even mm-monitor.

    python verifier.py [--key HEX] LOG [LOG ...]

Each line is `HASH BODY`, where HASH = sha256(hash of the line before + sha256 of BODY), all in hex; the first line
follows 64 zeros. BODY is JSON, or `sha256:HEX` for what is withheld from this reader. A sealed log ends with an entry
`seal` and a line `signature HEX`: Ed25519 (RFC 8032) over the seal's HASH. Days follow each other in the order given.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

NOTHING = b"0" * 64  # what the first line follows
WITHHELD = b"sha256:"
HEX = "0123456789abcdef"
SIGNED = b"mm-monitor evidence seal "  # what is signed begins so, lest a signature serve for something else


class Fault(ValueError):
    """What is wrong, and in which line."""


class Verified(NamedTuple):
    """What a log holds; `key` (hex) is empty while it is not sealed."""

    date: str
    entries: int
    withheld: int
    key: str
    previous: str  # hash of the last line of the log before this one
    last: str  # hash of this one's last line


def hexed(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).hexdigest().encode()


def chained(before: bytes, body: bytes) -> bytes:
    """The hash of a line, from that of the line before and from its body, which may be withheld."""
    return hexed(before + (body[7:] if body.startswith(WITHHELD) else hexed(body)))


def verify(data: bytes, key: str = "") -> Verified:
    """What a log holds; Fault if a byte of it is not what was written. `key` is whose seal it must bear."""
    lines = data.split(b"\n")
    if lines.pop():
        raise Fault(f"line {len(lines) + 1}: cut off")
    signature = lines.pop() if lines and lines[-1].startswith(b"sig") else b""
    last, bodies = follow(lines)
    begin, seal = entry(bodies, 0, "begin"), entry(bodies, -1, "seal")
    if not begin:
        raise Fault("line 1: not the beginning of a log")
    if seal or signature:
        check_seal(seal, signature, last, len(lines), key)
    withheld, key = sum(body.startswith(WITHHELD) for body in bodies), seal.get("key", "")
    return Verified(begin["date"], len(lines), withheld, key, begin["previous"], last.decode())


def follow(lines: list[bytes]) -> tuple[bytes, list[bytes]]:
    """The last hash, and all bodies; every line must follow from the one before."""
    before, bodies = NOTHING, []
    for number, line in enumerate(lines, 1):
        stated, space, body = line[:64], line[64:65], line[65:]
        if space != b" " or not body:
            raise Fault(f"line {number}: not an entry")
        if stated != chained(before, body):
            raise Fault(f"line {number}: changed, or not the line that followed")
        before = stated
        bodies.append(body)
    return before, bodies


def entry(bodies: list[bytes], at: int, kind: str) -> dict[str, Any]:
    """What the first or the last line says if it is of that kind; both are for every reader."""
    read = json.loads(bodies[at]) if bodies and not bodies[at].startswith(WITHHELD) else {}
    return read if isinstance(read, dict) and read.get("entry") == kind else {}


def check_seal(seal: dict[str, Any], line: bytes, last: bytes, number: int, key: str) -> None:
    """The seal must be signed by the key that it names, and that must be `key` if one is given."""
    if not seal:
        raise Fault(f"line {number + 1}: a signature without a seal")
    if key and seal["key"] != key:
        raise Fault(f"line {number}: sealed by another key, {seal['key']}")
    stated = line[10:].decode("latin-1")
    if line != b"signature " + stated.encode() or len(stated) != 128 or stated.strip(HEX):
        raise Fault(f"line {number + 1}: the seal is not signed")
    if not signed(bytes.fromhex(seal["key"]), SIGNED + last, bytes.fromhex(stated)):
        raise Fault(f"line {number + 1}: the signature is not this key's, or not of this log")


# Ed25519 as in RFC 8032, section 6: slow and plain, and for checking only.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]  # X, Y, Z, T


def _add(a: Point, b: Point) -> Point:
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(k: int, point: Point) -> Point:
    total = (0, 1, 1, 0)
    while k:
        total, point, k = _add(total, point) if k & 1 else total, _add(point, point), k >> 1
    return total


def _point_of(data: bytes) -> Point:
    y = int.from_bytes(data, "little") & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x if (x * x - x2) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    x = x if x & 1 == data[31] >> 7 else P - x
    return x, y, 1, x * y % P


def signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Is this the signature of `message` by the owner of `key`?"""
    s, (ax, ay, az, at) = int.from_bytes(signature[32:], "little"), _point_of(key)
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    base = _point_of((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    x, y, z, _ = _add(_times(s, base), _times(h, (P - ax, ay, az, P - at)))
    x, y = x * pow(z, -1, P) % P, y * pow(z, -1, P) % P
    return s < ORDER and signature == (y | (x & 1) << 255).to_bytes(32, "little") + signature[32:]


if __name__ == "__main__":
    key, previous, names = "", "", sys.argv[1:]
    if names[:1] == ["--key"]:
        key, names = names[1], names[2:]
    for name in names:
        try:
            found = verify(Path(name).read_bytes(), key)
            if previous not in ("", found.previous):
                raise Fault("line 1: does not follow the log before it")
        except ValueError as fault:
            sys.exit(f"{name}: {fault}")
        previous = found.last
        seal = f"sealed by {found.key}" if found.key else "not sealed yet"
        sys.stdout.write(f"{name}: {found.entries} entries, {found.withheld} withheld, {seal}\n")
