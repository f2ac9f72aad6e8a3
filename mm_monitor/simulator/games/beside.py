"""Plays with the records *beside* the quotes: claims, forged papers, other accounts, clocks, theo and requests."""

from __future__ import annotations

from mm_monitor.simulator.games.stage import MILLISECOND, MINUTE, SECOND, Desk, Span, Stage, away
from mm_monitor.simulator.scenario import Exemption

THEOS = (20_000_000, 4_000_000)
ONE = THEOS[:1]
REACTION = 300_000  # ns after which a theo that follows the market has followed


def technical(stage: Stage) -> None:
    """Withdraws, claims a technical failure 3 s later, logged on all the time; twice a tenth of the day."""
    clock, desk = stage.clock, _calm(stage, "technical", THEOS)
    failures = [(clock.at(clock.share(at)), clock.at(clock.share(at + 10)) + 1) for at in (15, 70)]
    gamer = desk.gamer()
    desk.control(clock.opens, "session", maker=gamer.name, account="", status="logon")
    gamer.present(away(clock, failures), [0])
    gamer.present([(clock.first_instant, clock.closes)], [1])
    for start, end in failures:
        grant = Exemption(desk.klass, gamer.name, "technical", start + 3 * SECOND, end)
        _claim(desk, grant.kind, grant.maker, grant.scope, (grant.start, grant.end))
        stage.exemptions.append(grant)
    desk.honest()


def forgery(stage: Stage) -> None:
    """Away for a fifth of the day on papers that nobody issued: a kind and a scope that do not exist."""
    clock, desk = stage.clock, _calm(stage, "forgery", THEOS)
    gone = (clock.at(clock.share(30)), clock.at(clock.share(50) - 1))
    gamer = desk.gamer()
    gamer.present(away(clock, [gone]))
    _claim(desk, "vip", gamer.name, desk.klass, gone)
    _claim(desk, "technical", gamer.name, "EVERYTHING", gone)
    stage.bad += 4
    desk.honest()


def poison(stage: Stage) -> None:
    """Sends a quote that must be refused instead of a withdrawal, and is gone: six times, 15 % of the day."""
    clock, desk = stage.clock, _calm(stage, "poison", THEOS)
    gamer = desk.gamer()
    gone = [
        (clock.at(clock.share(5 + 15 * i)), clock.at(clock.share(7.5 + 15 * i))) for i in range(6)
    ]
    for k in range(len(THEOS)):
        for start, end in away(clock, gone):
            gamer.good(start, k)
            if end < clock.closes:
                gamer.unusable(end, k)
    desk.honest()


def theo_mover(stage: Stage) -> None:
    """Theo follows the middle of its quotes: it moves the number that judges it, and is always around it."""
    clock, desk = stage.clock, stage.desk("theo-mover", ONE)
    first, ts, place = ONE[0], clock.first_instant, 0
    gamer = desk.gamer()
    desk.theo(ts, [first])
    gamer.good(ts, 0)
    while ts + 2 * MINUTE // 30 < clock.closes:
        ts += 2 * SECOND + int(desk.rng.integers(0, 2 * SECOND))
        place += 20 if place < 40 else -80
        theo = first * (1000 + place) // 1000
        gamer.quote(ts, 0, *gamer.around(theo), good=True)
        desk.theo(ts + REACTION, [theo])
    desk.honest()


def backdate(stage: Stage) -> None:
    """Away ten times, 15 % of the day; every return is dated back to a moment after the withdrawal."""
    clock, desk = stage.clock, _calm(stage, "backdate", THEOS)
    gamer = desk.gamer()
    for k in range(len(THEOS)):
        gamer.good(clock.first_instant, k)
        for i in range(10):
            out, back = (clock.at(clock.share(p)) for p in (10 * i + 4, 10 * i + 5.5))
            gamer.withdraw(out, k)
            gamer.good(out + MILLISECOND, k, arrives=back)
    desk.honest()


def friendly_rfq(stage: Stage) -> None:
    """A friend asks it alone 30 times while it quotes; the ten requests of others find it away."""
    clock, desk = stage.clock, _calm(stage, "friendly-rfq", ONE)
    gamer = desk.gamer()
    step = clock.total // 40
    asked = [step * i + step // 2 for i in range(40)]
    gone = [(clock.at(t - step // 8), clock.at(t + step // 8)) for t in asked[::4]]
    gamer.present(away(clock, gone), moving=False)
    for i, spent in enumerate(asked):
        makers = {} if i % 4 == 0 else {"makers": gamer.name}
        name = {"rfq_id": f"rfq-{i:02d}", "contract": desk.contracts[0].name}
        desk.control(clock.at(spent), "rfq", **name, **makers)
    desk.player("honest-friendly-rfq").present([(clock.first_instant, clock.closes)], moving=False)


def accounts(stage: Stage) -> None:
    """Two accounts that quote at the same time, half of the day: their times add up to all of it."""
    clock, desk = stage.clock, _calm(stage, "accounts", THEOS)
    middle = clock.halves[0][1]
    gamer = desk.gamer()
    for account in ("accounts-a", "accounts-b"):
        gamer.account(account).present([(clock.first_instant, middle)])
    desk.honest()


def _claim(desk: Desk, kind: str, maker: str, scope: str, span: Span) -> None:
    for ts, action in zip(span, ("start", "end"), strict=True):
        desk.control(ts, "exemption", scope=scope, maker=maker, kind=kind, action=action)


def _calm(stage: Stage, name: str, theos: tuple[int, ...]) -> Desk:
    desk = stage.desk(name, theos)
    desk.market()
    return desk
