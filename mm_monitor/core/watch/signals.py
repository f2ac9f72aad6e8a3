"""The signals: named numbers about how a maker kept its obligation, and whether they are worth a person's look.

A signal is never a breach. Its thresholds are the constants below, the same under every rulebook; docs/signals.md says
what each means, which inputs it needs, and what cannot be seen without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mm_monitor.core.watch.messages import REACTION
from mm_monitor.core.watch.seconds import SECOND
from mm_monitor.core.watch.watched import Watch

ENOUGH = 10  # messages, minutes or moves: with fewer nothing is raised
HALF = Fraction(1, 2)
MUCH = 3  # times what chance would give
WORTH = Fraction(2, 100)  # of the required time: with less lapsed, when does not matter
FAST = Fraction(1, 10)  # of the seconds with required time: those in which theo moved most
CLOSE = Fraction(9, 10)  # of the required time: what follows is the close
FLATTERED = Fraction(10, 100)  # seen by a sampler beyond the presence
BLINK = 10_000_000  # ns: a presence of this length is no offer
TALKATIVE = 20  # quotes for each second required of an obligation
LEADS = Fraction(3, 4)  # of the moves of a theo
TIDY = Fraction(5, 100)  # of all quotes behind others: with more, the order is not that of arrival

Number = int | Fraction | None
Key = tuple[str, str]  # maker, contract


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one obligation, ns."""

    klass: str
    quoted: int
    lapsed: int
    unknown: int

    @property
    def required(self) -> int:
        """T of PRES-02."""
        return self.quoted + self.lapsed + self.unknown


@dataclass(frozen=True, slots=True)
class Signal:
    """`raised` is None where nothing can be said. `klass` is empty for a signal about all of a maker's classes."""

    name: str
    klass: str
    raised: bool | None
    numbers: Mapping[str, Number]


@dataclass(frozen=True, slots=True)
class Day:
    """What the signals are made of: what was watched, and what became of obligations and contracts."""

    watch: Watch
    kept: Mapping[Key, Kept]
    holes: Mapping[str, int]  # contract -> ns without any valid maker

    def maker(self, name: str) -> int:
        """The number of a maker."""
        return self.watch.reference.maker_index[name]

    def of(self, name: str) -> list[tuple[str, Kept]]:
        """Contracts of a maker that were required for some time."""
        return [(c, kept) for (m, c), kept in self.kept.items() if m == name and kept.required]

    def presence(self, name: str) -> Fraction | None:
        """Ratio of sums over all of a maker's obligations."""
        mine = self.of(name)
        return share(sum(k.quoted for _, k in mine), sum(k.required for _, k in mine))


def share(part: int, whole: int) -> Fraction | None:
    """part / whole; None of nothing."""
    return Fraction(part, whole) if whole else None


def signals(day: Day) -> dict[str, list[Signal]]:
    """Every signal of every maker who has an obligation, by name of the maker."""
    return {maker: signals_of(day, maker) for maker in sorted({maker for maker, _ in day.kept})}


def signals_of(day: Day, maker: str) -> list[Signal]:
    """Every signal of one maker."""
    return [one for look in (*WHOLE, *CLASSWISE) for one in look(day, maker)]


# -- one of a maker -------------------------------------------------------------------------


def sampling(day: Day, maker: str) -> Iterator[Signal]:
    """Is it there more often at whole minutes than at other times?"""
    seconds, m, presence = day.watch.seconds, day.maker(maker), day.presence(maker)
    looks = int(seconds.looks[m]) if m < len(seconds.looks) else 0
    seen = int(seconds.seen[m]) if m < len(seconds.seen) else 0
    sampled = share(seen, looks)
    raised = None
    if sampled is not None and presence is not None:
        raised = seen >= ENOUGH and sampled - presence >= FLATTERED
    numbers = {"looks": looks, "seen": seen, "sampled": sampled, "presence": presence}
    yield Signal("sampling", "", raised, numbers)


def one_lot(day: Day, maker: str) -> Iterator[Signal]:
    """Does a side of its quotes have no more than one lot?"""
    messages, m = day.watch.messages, day.maker(maker)
    two, one = int(messages.two_sided[m]), int(messages.one_lot[m])
    part = share(one, two)
    raised = None if part is None else two >= ENOUGH and part >= HALF
    yield Signal("one_lot", "", raised, {"two_sided": two, "one_lot": one, "share": part})


def ioc(day: Day, maker: str) -> Iterator[Signal]:
    """Do its quotes stand for a blink only?"""
    messages, m = day.watch.messages, day.maker(maker)
    count, median = int(messages.standing[m].sum()), messages.median_standing(m)
    raised = None if median is None else count >= ENOUGH and 0 <= median <= BLINK
    numbers = {"presences": count, "median_ns": None if median == -1 else median}
    yield Signal("ioc", "", raised, numbers)


def flood(day: Day, maker: str) -> Iterator[Signal]:
    """How many quotes does it send for each second of an obligation, and for each in which it is kept?"""
    sent, mine = int(day.watch.messages.sent[day.maker(maker)]), day.of(maker)
    required, quoted = sum(k.required for _, k in mine), sum(k.quoted for _, k in mine)
    rate = share(sent * SECOND, required)
    numbers: dict[str, Number] = {"messages": sent, "per_required_second": rate}
    numbers["per_quoted_second"] = share(sent * SECOND, quoted)
    yield Signal("flood", "", None if rate is None else rate >= TALKATIVE, numbers)


def fade(day: Day, maker: str) -> Iterator[Signal]:
    """Does it withdraw just after theo has moved, more often than chance would have it?"""
    messages, m = day.watch.messages, day.maker(maker)
    withdrawn, faded = messages.withdrawn[:, m], messages.faded[:, m]
    total, near = int(withdrawn.sum()), int(faded.sum())
    chance = Fraction(0)
    for c in withdrawn.nonzero()[0].tolist():
        moves = int(messages.moves[c])
        lasted = int(messages.last_move[c] - messages.first_move[c]) if moves > 1 else 0
        covered = min(Fraction(1), Fraction(moves * REACTION, lasted)) if lasted else Fraction(0)
        chance += int(withdrawn[c]) * covered
    part = share(near, total)
    raised = None
    if part is not None and int(messages.moves.sum()):
        raised = total >= ENOUGH and part >= HALF and near >= MUCH * chance
    expected = chance / total if total else None
    numbers = {"withdrawals": total, "after_a_move": near, "share": part, "by_chance": expected}
    yield Signal("fade", "", raised, numbers)


def self_moved_theo(day: Day, maker: str) -> Iterator[Signal]:
    """Does the theo that judges it follow its own quotes?"""
    messages, m = day.watch.messages, day.maker(maker)
    contracts = [day.watch.reference.contract_index[contract] for contract, _ in day.of(maker)]
    counted = [(int(messages.led[c, m]), int(messages.moves[c])) for c in contracts]
    enough = [(led, moves) for led, moves in counted if moves >= ENOUGH]
    follows = [(led, moves) for led, moves in enough if led >= LEADS * moves]
    most = max((Fraction(led, moves) for led, moves in enough), default=None)
    numbers: dict[str, Number] = {"contracts": len(follows), "share": most}
    yield Signal("self_moved_theo", "", bool(follows) if enough else None, numbers)


def rotation(day: Day, maker: str) -> Iterator[Signal]:
    """Is nobody else there while it is away, though others are there while it is?"""
    others: dict[str, int] = {}
    for (name, contract), kept in day.kept.items():
        if name != maker and kept.required and kept.quoted >= HALF * kept.required:
            others[contract] = others.get(contract, 0) + 1
    mine = [(c, kept) for c, kept in day.of(maker) if c in others]
    lapsed, required = sum(k.lapsed for _, k in mine), sum(k.required for _, k in mine)
    empty = sum(min(kept.lapsed, day.holes.get(c, 0)) for c, kept in mine)
    part = share(empty, lapsed)
    raised = None
    if mine:
        raised = lapsed >= WORTH * required and part is not None and part >= HALF
    numbers = {"lapsed_ns": lapsed, "market_empty_ns": empty, "share": part}
    yield Signal("rotation", "", raised, numbers)


def exemption_overlap(day: Day, maker: str) -> Iterator[Signal]:
    """Do its exemptions begin when it is already away?"""
    papers = day.watch.papers
    claims, late = papers.claims[maker], papers.claims_in_lapse[maker]
    told = papers.claims_logged_on[maker] if maker in papers.sessions else None
    numbers = {"exemptions": claims, "begun_in_lapse": late, "while_logged_on": told}
    yield Signal("exemption_overlap", "", late > 0 if claims else None, numbers)


def friendly_rfq(day: Day, maker: str) -> Iterator[Signal]:
    """Do requests to it alone find it there, and requests to all find it away?"""
    papers = day.watch.papers
    alone, public = papers.alone[maker], papers.public[maker]
    to_it, to_all = (
        share(papers.alone_there[maker], alone),
        share(papers.public_there[maker], public),
    )
    raised = None
    if to_it is not None and to_all is not None:
        raised = min(alone, public) >= ENOUGH and to_it - to_all >= HALF
    numbers = {"alone": alone, "alone_there": to_it, "public": public, "public_there": to_all}
    yield Signal("friendly_rfq", "", raised, numbers)


def forged_exemption(day: Day, maker: str) -> Iterator[Signal]:
    """Were there exemptions in its name of a kind or scope that does not exist?"""
    count = day.watch.papers.forged[maker]
    yield Signal("forged_exemption", "", count > 0, {"refused": count})


def poison(day: Day, maker: str) -> Iterator[Signal]:
    """How many of its records had to be refused?"""
    papers = day.watch.papers
    count = papers.refused[maker] - papers.forged[maker]
    unknown = sum(kept.unknown for _, kept in day.of(maker))
    numbers = {"refused": count, "unknown_ns": unknown}
    yield Signal("poison", "", count >= ENOUGH, numbers)


def clock_backdate(day: Day, maker: str) -> Iterator[Signal]:
    """Do its quotes claim a time before that of quotes which arrived earlier?"""
    papers, m = day.watch.papers, day.maker(maker)
    if m >= len(papers.arrived):
        return
    arrived, late = int(papers.arrived[m]), int(papers.backdated[m])
    tidy = int(papers.backdated.sum()) <= TIDY * int(papers.arrived.sum())
    numbers = {"quotes": arrived, "behind": late, "greatest_ns": int(papers.greatest[m])}
    yield Signal("clock_backdate", "", late >= ENOUGH if arrived and tidy else None, numbers)


# -- one of a class -------------------------------------------------------------------------


def budget_in_fast_market(day: Day, maker: str) -> Iterator[Signal]:
    """Does it lapse when it matters? Fast are the seconds in stress, or else those in which theo moved most."""
    for klass, series in _classes(day, maker):
        stressed = any(stress for *_, stress in series)
        fast = _fast(series, stressed)
        numbers = _when(series, fast)
        numbers["fast_seconds"] = len(fast)
        numbers["by_stress"] = int(stressed)
        yield Signal("budget_in_fast_market", klass, _bunched(numbers) if fast else None, numbers)


def lapse_at_close(day: Day, maker: str) -> Iterator[Signal]:
    """Does it lapse in the last tenth of its required time?"""
    for klass, series in _classes(day, maker):
        whole, done, last = sum(required for required, *_ in series), 0, set[int]()
        for i, (required, *_) in enumerate(series):
            if done >= CLOSE * whole:
                last.add(i)
            done += required
        numbers = _when(series, last)
        yield Signal("lapse_at_close", klass, _bunched(numbers), numbers)


Look = tuple[int, int, int, int]  # required, lapsed, move of theo, stress


def _classes(day: Day, maker: str) -> Iterator[tuple[str, list[Look]]]:
    reference = day.watch.reference
    for klass in sorted({kept.klass for _, kept in day.of(maker)}):
        pair = (day.maker(maker), reference.class_index[klass])
        series = list(day.watch.seconds.series(pair))
        if series:
            yield klass, series


def _fast(series: Sequence[Look], stressed: bool) -> set[int]:
    if stressed:
        return {i for i, (*_, stress) in enumerate(series) if stress}
    order = sorted(range(len(series)), key=lambda i: (-series[i][2], i))
    most = order[: -(-len(series) * FAST.numerator // FAST.denominator)]
    return {i for i in most if series[i][2]}


def _when(series: Sequence[Look], chosen: set[int]) -> dict[str, Number]:
    required, lapsed = sum(look[0] for look in series), sum(look[1] for look in series)
    inside = sum(series[i][1] for i in chosen)
    return {
        "required_ns": required,
        "lapsed_ns": lapsed,
        "lapsed_inside_ns": inside,
        "share_of_lapsed": share(inside, lapsed),
        "share_of_time": share(sum(series[i][0] for i in chosen), required),
    }


def _bunched(numbers: Mapping[str, Number]) -> bool:
    """Enough was lapsed, half of it inside, and much more than if it were spread evenly."""
    part, time = numbers["share_of_lapsed"], numbers["share_of_time"]
    if part is None or time is None:
        return False
    worth = (numbers["lapsed_ns"] or 0) >= WORTH * (numbers["required_ns"] or 0)
    return bool(worth and part >= HALF and part >= MUCH * time)


WHOLE: tuple[Callable[[Day, str], Iterator[Signal]], ...] = (
    clock_backdate,
    exemption_overlap,
    fade,
    flood,
    forged_exemption,
    friendly_rfq,
    ioc,
    one_lot,
    poison,
    rotation,
    sampling,
    self_moved_theo,
)
CLASSWISE: tuple[Callable[[Day, str], Iterator[Signal]], ...] = (
    budget_in_fast_market,
    lapse_at_close,
)
NAMES = tuple(look.__name__ for look in (*WHOLE, *CLASSWISE))
