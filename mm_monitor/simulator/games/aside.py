"""What a venue tells of an honest colleague beside its quotes: its session, its trades, and how it hedges them.

Nothing here changes what its quotes are worth: a venue of the games restates a quote after a fill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mm_monitor.simulator.rows import decimal_text
from mm_monitor.simulator.scenario import MILLISECOND, SECOND

if TYPE_CHECKING:
    from mm_monitor.simulator.games.stage import Pen, Span

TRADES = 8
LIMIT, BEYOND = "50", "60"  # of the net delta; every trade takes it beyond
MARGIN = 200 * MILLISECOND  # between two trades, and from the outage


def tell_session(pen: Pen, out: Span) -> None:
    """Logged on before the market opens; its outage is a disconnect, its return a logon."""
    desk, (left, back) = pen.desk, out
    said = ((desk.clock.opens - SECOND, "logon"), (left, "disconnect"), (back, "logon"))
    for ts, status in said:
        desk.control(ts, "session", maker=pen.name, account="", status=status)


def tell_trades(pen: Pen, out: Span) -> dict[str, int]:
    """Fills on the quotes that stand, and positions: beyond the limit at once, and back when it is hedged.

    Returns what a monitor has to find: fills, ns above the limit, and that this is also the sum of the delays.
    """
    desk, clock = pen.desk, pen.desk.clock
    rng = np.random.default_rng([desk.stage.seed, 11, *map(ord, desk.strategy)])
    _position(pen, clock.first_instant, "0")
    above, last = 0, 0
    places = rng.integers(clock.share(1), clock.share(98), TRADES)
    for spent in sorted(places.tolist()):
        ts, delay = clock.at(spent), int(rng.integers(MILLISECOND, 50 * MILLISECOND))
        if ts < last + MARGIN or out[0] - MARGIN < ts < out[1] + MARGIN:
            continue
        _fill(pen, ts, int(rng.integers(0, len(desk.contracts))), bool(rng.integers(0, 2)))
        _position(pen, ts, BEYOND)
        _position(pen, ts + delay, "0")
        above, last = above + delay, ts
    fills = sum(c.record == "fill" and c.fields["maker"] == pen.name for c in desk.stage.controls)
    return {"fills": fills, "above_ns": above, "hedge_delay_ns": above}


def _fill(pen: Pen, ts: int, k: int, buys: bool) -> None:
    contract = pen.desk.contracts[k]
    standing = max(
        line
        for line in pen.desk.stage.quotes
        if (line.maker, line.contract) == (pen.number, contract.number) and line.ts <= ts
    )
    price = decimal_text(standing.bid if buys else standing.ask)
    side = "buy" if buys else "sell"
    pen.desk.control(ts, "fill", maker=pen.name, contract=contract.name, side=side, price=price,
                     size="5")  # fmt: skip


def _position(pen: Pen, ts: int, net_delta: str) -> None:
    pen.desk.control(ts, "position", maker=pen.name, **{"class": pen.desk.klass},
                     net_delta=net_delta, limit=LIMIT)  # fmt: skip
