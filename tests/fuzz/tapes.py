"""Small random captures with a rulebook, made to collide: instants coincide, keys overlap.

Times are steps of 1 ns around 1_000_000, or of minutes and of odd sizes on realistic days, often
those of another record or one of the rulebook's durations later; some of the lines are spoilt in
every way that makes a dead letter. What the semantics leave open (exponents, blanks, more than eight
decimals that are zeros) is not generated. A feature that is switched off is not generated either.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

PHASES = [*["continuous"] * 9, "break", "halt", "closed", "opening_auction",
          "closing_auction", "breaker_auction"]  # fmt: skip
# What a tape may have beside the core, each by itself with its own chance.
FEATURES = frozenset({
    "rest", "retroactive", "stress", "rfq", "table", "underlying", "dated", "hole", "judged_by", "at_risk",
    "windows", "fills", "shrinks", "accounts", "required_set", "spot", "required_time", "stretches",
    "min_size_by_month",
})  # fmt: skip
KINDS = {"technical": '"exclude"', "drill": '"deem"', "relief": '{ relax = "2" }',
         "fast": '{ relax = "1.5" }', "limit_up": '"one_side"'}  # fmt: skip
HEADERS = {
    "contracts": "contract,class,tick,kind,strike,expiry,multiplier,flags",
    "makers": "maker,class",
    "phases": "ts_event,scope,phase",
    "exemptions": "ts_event,scope,maker,kind,action",
    "feed": "ts_event,scope,maker,status",
    "stress": "ts_event,scope,action",
    "theo": "ts_event,contract,theo,delta",
    "underlying": "ts_event,class,price,bid_price,ask_price",
    "rfqs": "ts_event,rfq_id,contract,makers",
    "fills": "ts_event,maker,contract,side,price,size",
    "accounts": "account,maker",
    "quotes": "ts_event,maker,contract,bid_price,bid_size,ask_price,ask_size",
}
SESSIONS = [
    [("09:15", "opening_auction"), ("09:30", "continuous"), ("11:30", "break"),
     ("13:00", "continuous"), ("15:00", "closed")],
    [("10:00", "continuous"), ("10:30", "closed")],
    [("09:00", "break"), ("09:05", "continuous"), ("09:45", "halt"), ("09:50", "continuous"),
     ("10:10", "closing_auction"), ("10:12", "closed")],
]  # fmt: skip
NIGHT = [("21:00", "continuous"), ("23:00", "break")]  # of the evening before
Row = list[str]


class World:
    """The cast of one capture, and its clock, whose grain is `step` ns."""

    def __init__(self, rng: random.Random, features: frozenset[str]) -> None:
        self.rng, self.features = rng, {f for f in sorted(features) if rng.random() < 0.4}
        self.used: list[int] = []  # instants that records have
        self.durations: list[int] = []  # of the rulebook
        self.classes = [f"K{i}" for i in range(rng.randint(1, 3))]
        self.contracts = {
            f"C{i}": rng.choice(self.classes) for i in range(rng.choice([1, 1, 2, 3, 4]))
        }
        self.named = sorted(set(self.contracts.values()))  # classes that have a contract
        usual = rng.choice(["0.0001", "0.01", "0.05", "0.01", "1"])
        some = [usual, usual, usual, "0.0001", "0.05", "1"]
        self.ticks = {c: Decimal(rng.choice(some)) for c in self.contracts}
        self.makers = [f"M{i}" for i in range(rng.choice([1, 1, 2, 3]))]
        self.calm = rng.random() < 0.7  # most quotes are good ones
        self.accounts = ["A0", "A1", "A2"] * self.has("accounts")
        self.calendar = ""
        self.edges: list[int] = []  # phase instants worth hitting
        self.style = rng.choice(["tiny", "tiny", "tiny", "real", "calendar"])
        lay_out = {"tiny": self._tiny, "real": self._real}.get(self.style, self._calendar)
        lay_out()

    def _tiny(self) -> None:
        self.step, self.start = 1, 1_000_000
        self.spans = [(self.start, self.start + self.rng.choice([30, 100, 100, 400]))]

    def _real(self) -> None:
        self.step = self.rng.choice([1, 997, 1_000_003, 10**9])
        self.start = 1_753_405_200_000_000_000 + self.rng.randrange(10**9)
        self.spans = [(self.start, self.start + self.step * self.rng.choice([60, 200, 1000]))]

    def _calendar(self) -> None:
        rng = self.rng
        zone = rng.choice(["Asia/Shanghai", "America/New_York", "Europe/Berlin"])
        monday = datetime.fromisoformat(
            rng.choice(
                ["2025-03-10", "2025-08-04", "2025-10-27"]
            )  # two just after a change of clocks
        ).replace(tzinfo=ZoneInfo(zone))
        session, night = rng.choice(SESSIONS), rng.random() < 0.3
        offsets = sorted(rng.sample([1, 2, 3, 4], rng.choice([1, 1, 2, 3])))
        self.step, self.spans = 60 * 10**9, []
        for offset in offsets:
            day = monday + timedelta(days=offset)
            at = [_local(day, hour) for hour, _ in session]
            before = [_local(day - timedelta(days=1), hour) for hour, _ in NIGHT] if night else []
            # with a night session it is left open whose date the close itself belongs to
            self.edges += at[:-1] + before if night else at
            self.spans.append((at[0], at[-1]))
            self.spans += [(before[0], before[-1])] if night else []
        holiday = monday.date().isoformat() if not night and rng.random() < 0.5 else ""
        phases = [f'{{ at = "{at}", day = -1, phase = "{p}" }}' for at, p in NIGHT] * night
        phases += [f'{{ at = "{at}", phase = "{p}" }}' for at, p in session]
        self.calendar = (
            f'[calendar]\ntimezone = "{zone}"\ndays = ["mon", "tue", "wed", "thu", "fri"]\n'
            f"holidays = [{holiday}]\nphases = [{', '.join(phases)}]\n"
        )

    def pick(self, inside: bool = False) -> int:
        """An instant, on the grain, mostly within a span; `inside` forbids what lies around it."""
        low, high = self.rng.choice(self.spans)
        if self.edges and not inside and self.rng.random() < 0.1:
            return self.rng.choice(self.edges)
        around = 0 if inside else 15
        if self.calendar and not inside:  # before the open is state at the start of the date
            steps = self.rng.randint(
                0 if "day = -1" in self.calendar else -15, (high - low) // self.step - 1
            )
        else:
            steps = self.rng.randint(-around, (high - low) // self.step + around)
        if self.used and self.rng.random() < 0.35:
            again = self.rng.choice(self.used) + self.rng.choice([0, *self.durations])
            if low <= again < high:
                self.used.append(again)
                return again
        odd = self.rng.randrange(self.step) if self.step > 1 and self.rng.random() < 0.2 else 0
        self.used.append(low + steps * self.step + odd)
        return self.used[-1]

    def duration(self, low: int, high: int) -> str:
        """A duration of `low` to `high` steps, as rulebooks write it."""
        self.durations.append(self.rng.randint(low, high) * self.step)
        return f"{self.durations[-1]}ns"

    def has(self, feature: str) -> bool:
        return feature in self.features

    def date(self) -> date:
        """A date of the tape, or one next to it."""
        day = datetime.fromtimestamp(self.rng.choice(self.spans)[0] // 10**9, tz=UTC).date()
        return day + timedelta(days=self.rng.choice([0, 0, 0, -1, 1]))

    def scope(self) -> str:
        return self.rng.choice(["*", *self.contracts, *self.contracts.values()])

    def maker(self) -> str:
        return self.rng.choice(["*", *self.makers])


def _local(day: datetime, at: str) -> int:
    hour, minute = map(int, at.split(":"))
    return int(day.replace(hour=hour, minute=minute).timestamp()) * 10**9


def _intervals(world: World, count: int, make: Callable[[], Row], words: list[str]) -> list[Row]:
    """Rows `ts, *make(), word`: some whole sequences of words in order, some stray words."""
    rows = []
    for _ in range(world.rng.choice([0, 0, 1, world.rng.randint(0, count)])):
        key = make()
        some = words if world.rng.random() < 0.7 else [world.rng.choice(words)]
        at = sorted(world.pick() for _ in some)
        rows += [[str(ts), *key, word] for ts, word in zip(at, some, strict=True)]
    return rows


def _phases(world: World) -> list[Row]:
    rng, rows = world.rng, []
    scopes = [*world.contracts, *world.contracts.values()]
    for _ in range(rng.choice([0, 0, 0, 1, 2, 4])):
        rows.append([str(world.pick()), rng.choice(scopes), rng.choice(PHASES)])
    if world.calendar:
        return rows
    ((start, end),) = world.spans
    rows += [[str(start), "*", "continuous"], [str(end), "*", "closed"]]
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        rows.append([str(world.pick(inside=True)), "*", rng.choice(PHASES)])
    return rows


def _feed(world: World) -> list[Row]:
    words = world.rng.choice([["down", "up"], ["down", "up", "synced"], ["up", "down", "synced"]])
    return _intervals(world, 3, lambda: [world.scope(), world.maker()], words)


def _exemptions(world: World) -> list[Row]:
    def key() -> Row:
        return [world.scope(), world.maker(), world.rng.choice(list(KINDS))]

    return _intervals(world, 4, key, ["start", "end"])


def _stress(world: World) -> list[Row]:
    return _intervals(world, 2, lambda: [world.scope()], ["start", "end"])


def _price(world: World, contract: str, ticks: float) -> str:
    return format(world.ticks[contract] * Decimal(str(ticks)), "f")


def _theo(world: World) -> Row:
    rng, contract = world.rng, world.rng.choice(list(world.contracts))
    ticks = rng.randint(12, 14) if world.calm else rng.randint(8, 24)
    usual = _price(world, contract, ticks + rng.choice([0, 0.5, 0.25]))
    odd = f"{rng.random() * 20 * float(world.ticks[contract]):.10f}"
    far = _price(world, contract, rng.randint(0, 30))
    theo = rng.choice(["", "0", "0.123456785", far, odd, *[usual] * 6])
    delta = rng.choice(["", "0.2", "-0.5", "0.500000005", "0.8", "-0.19999999", "0.6"])
    return [str(world.pick()), contract, theo, delta if world.has("required_set") else ""]


def _quote(world: World) -> Row:
    rng, contract = world.rng, world.rng.choice(list(world.contracts))
    maker = rng.choice([*world.makers * 6, *world.accounts * 6, "M9"])
    bid = rng.randint(5, 22)
    ask = bid + rng.choice([1, 1, 1, 1, 2, 2, 2, 3, 4, 5, 0, -1, 9])
    size = rng.choice([1, 2, 5, 5, 10])
    if world.calm and rng.random() < 0.8:
        bid, size = rng.randint(11, 13), rng.choice([5, 10])
        ask = bid + rng.choice([1, 1, 2])
    sides = [
        _price(world, contract, bid), str(size),
        _price(world, contract, max(ask, 1)), str(rng.choice([size] * 4 + [size + 1, 20 if world.calm else 2])),
    ]  # fmt: skip
    if rng.random() < (0.1 if world.calm else 0.2):
        gone = rng.choice([(0,), (2,), (2,), (0, 2)])
        for i in gone:
            sides[i : i + 2] = [rng.choice(["", "", "0", sides[i]]), "0"]
    return [str(world.pick()), maker, contract, *sides]


def _spoil(world: World, name: str, row: Row) -> Row:
    """The row made into a dead letter."""
    rng, columns = world.rng, HEADERS[name].split(",")
    half = Decimal("0.5")
    words = {
        "ts_event": ["x", "-1", "", "1.5", str(2**63)],
        "contract": ["C9", ""], "scope": ["K9", "C9", ""], "phase": ["lunch", ""],
        "kind": ["lunch", ""], "action": ["pause", ""], "status": ["dead", ""],
        "theo": ["abc", "-0.5", "99999999999", "nan"],
        "bid_size": ["-1", "1.5", str(2**31), "abc", ""],
    }  # fmt: skip
    words["ask_size"] = words["bid_size"]
    if name == "quotes":
        tick = world.ticks.get(row[2], Decimal(1))
        off = format(tick * (rng.randint(3, 9) + half), "f")
        words["bid_price"] = words["ask_price"] = ["abc", "0.123456789", "99999999999", "1e18", off]
    column = rng.choice([c for c in columns if c in words])
    out = list(row)
    out[columns.index(column)] = rng.choice(words[column])
    if name == "quotes" and rng.random() < 0.3:
        at = rng.choice([3, 5])
        out[at : at + 2] = [rng.choice(["", "0", f"-{world.ticks[row[2]]}"]), "5"]
    return out[:-1] if rng.random() < 0.05 else out


def _spoil_some(world: World, name: str, rows: list[Row]) -> list[Row]:
    """A dead letter beside, mostly at the instant of, some of the rows."""
    share = world.rng.choice([0, 0, 0.03, 0.1])
    return rows + [_spoil(world, name, row) for row in rows if world.rng.random() < share]


def _some(rng: random.Random, chance: float, text: str) -> list[str]:
    return [text] if rng.random() < chance else []


def _spread(world: World) -> list[str]:
    rng = world.rng
    ticks = [str(tick) for tick in world.ticks.values()]
    terms = [f'{{ relative = "{rng.choice(["8%", "16%", "25%", "33.3%", "3%"])}", of = "{of}" }}'
             for of in rng.choices(["theo", "theo", "bid", "ask", "mid"], k=2)]  # fmt: skip
    terms += [f"{{ ticks = {rng.randint(1, 4)} }}"]
    terms += [_table(world) for _ in range(2 * world.has("table"))]
    if world.has("underlying"):
        terms += [
            f'{{ multiple = "{rng.choice(["1", "2", "0.5"])}", of = "underlying_spread" }}'
        ] * 2
    terms += [f'{{ absolute = "{Decimal(rng.choice(ticks)) * rng.randint(1, 4)}" }}']
    band = rng.choice([f'{{ absolute = "{Decimal(rng.choice(ticks)) * rng.randint(1, 6)}" }}',
                       '{ relative = "10%" }', '{ relative = "50%" }'])  # fmt: skip
    return [
        "[spread]",
        f'combine = "{rng.choice(["max", "max", "min"])}"',
        f"terms = [{', '.join(rng.sample(terms, rng.choice([1, 1, 2, 3])))}]",
        *_some(rng, 0.5, f'grace = "{world.duration(0, 20)}"'),
        *_some(rng, 0.4, f"off_theo = {band}"),
        *[f"relief = [{_dated(world)}, {_dated(world)}]"] * world.has("dated"),
    ]


def _table(world: World) -> str:
    rng, cells = world.rng, []
    for _ in range(rng.randint(1, 3)):
        prices = sorted(rng.sample(range(4, 24), 2))
        days = sorted(rng.sample([0, 1, 2, 5, 6, 30, 31], 2))
        tick = Decimal(rng.choice([str(tick) for tick in world.ticks.values()]))
        keys = _some(rng, 0.5, f'price_from = "{prices[0] * tick}"')
        keys += _some(rng, 0.5, f'price_to = "{prices[1] * tick}"')
        keys += _some(rng, 0.4, f"days_from = {days[0]}") + _some(rng, 0.4, f"days_to = {days[1]}")
        value = [
            f'absolute = "{tick * rng.randint(1, 4)}"',
            f'relative = "{rng.choice([8, 16, 25])}%"',
        ]
        cells.append("{ " + ", ".join([*keys, rng.choice(value)]) + " }")
    return f'{{ of = "{rng.choice(["theo", "bid"])}", table = [{", ".join(cells)}] }}'


def _dated(world: World) -> str:
    days = sorted([world.date(), world.date()])
    return f'{{ from = {days[0]}, to = {days[1]}, multiple = "{world.rng.choice(["2", "3", "1.5"])}" }}'


def _quote_rules(world: World) -> list[str]:
    rng = world.rng
    of = rng.choice(["smaller", "larger", "mean"])
    zero = Decimal(rng.choice([str(tick) for tick in world.ticks.values()])) * 15
    unequal = f'max_size_difference = {{ ratio = "{rng.choice(["50%", "33%"])}", of = "{of}" }}'
    return [
        "[quote]",
        *_some(rng, 0.6, f"min_size = {rng.choice([1, 2, 2, 5])}"),
        *_some(rng, world.has("min_size_by_month"), f"min_size_by_month = {_least(rng)}"),
        *_some(rng, 0.3, unequal),
        *_some(rng, 0.4, f'max_age = "{world.duration(3, 60)}"'),
        *_some(rng, 0.4, f'zero_bid_below = "{zero}"'),
        *_some(rng, world.has("rest") or world.has("retroactive"), f"min_rest = {_rest(world)}"),
        *_some(rng, world.has("shrinks"), f'after_fill = "{rng.choice(["shrinks", "restated"])}"'),
    ]


def _least(rng: random.Random) -> str:
    cells = []
    for _ in range(rng.randint(1, 3)):
        months = sorted(rng.sample(range(4), 2))
        keys = _some(rng, 0.6, f"months_from = {months[0]}")
        keys += _some(rng, 0.6, f"months_to = {months[1]}")
        cells.append("{ " + ", ".join([*keys, f"size = {rng.choice([1, 2, 5, 6, 10])}"]) + " }")
    return f"[{', '.join(cells)}]"


def _presence(world: World) -> list[str]:
    rng = world.rng
    required = rng.choice(["90%", "50%", "33.333%", "0.1%", "100%", "99.9%", "10%"])
    ways = ["ratio_of_sums", "coverage", "mean_of_ratios"]
    judged_by = rng.choice(
        [
            *ways,
            *["contracts", "products", "days"] * world.has("judged_by"),
            *["stretches"] * 4 * world.has("stretches"),
        ]
    )
    pairs = {
        f'{{ long = "{world.duration(10, 40)}", short = "{world.duration(2, 10)}",'
        f' burn = "{rng.choice(["1", "2", "0.5", "6"])}" }}'
        for _ in range(rng.randint(1, 2))
    }
    widths = [f'"{world.duration(3, 40)}"' for _ in range(rng.randint(1, 3))]
    widths += rng.choice([[], ['"am_pm"'], ['"am_pm"', '"session"']])
    more = {
        "judged_by": [
            *_some(rng, 0.6, f"coverage_all_but_pairs = {rng.randint(0, 2)}"),
            f"contracts_required = {rng.randint(1, 3)}\nproducts_required = {rng.randint(1, 3)}",
        ],
        "required_time": [f'required_time = "{world.duration(1, 60)}"']
        * (judged_by in ("coverage", "contracts")),
        "windows": [f"windows = [{', '.join(sorted(set(widths)))}]"],
        "at_risk": [
            f'at_risk = [{", ".join(sorted(pairs))}]\nat_risk_every = "{world.duration(10, 20)}"'
        ],
    }
    return [
        "[presence]",
        f'required = "{required}"',
        f'judged_by = "{judged_by}"',
        *_some(rng, 0.5, f'coverage_required = "{rng.choice(["100%", "50%", "66.6%"])}"'),
        *[line for feature, lines in more.items() if world.has(feature) for line in lines],
    ]


def _rest(world: World) -> str:
    counts = "retroactive" if world.has("retroactive") else "from_then"
    return f'{{ at_least = "{world.duration(1, 15)}", counts = "{counts}" }}'


def _requests(world: World) -> list[str]:
    rng = world.rng
    return [
        "[rfq]", f'respond_within = "{world.duration(0, 40)}"',
        *_some(rng, 0.8, f'stay = "{world.duration(0, 6)}"'),
        *_some(rng, 0.9, f'required = "{rng.choice(["70%", "100%", "50%"])}"'),
        *_some(rng, 0.6, f"standing_quote_counts = {rng.choice(['true', 'true', 'false'])}"),
        *_some(rng, 0.5, f"deemed_fulfilled_up_to = {rng.randint(0, 2)}"),
    ]  # fmt: skip


def _stressed(world: World) -> list[str]:
    rng = world.rng
    extra = _some(rng, 0.7, f'weight = "{rng.choice(["2", "1.5", "0.5"])}"')
    extra += _some(rng, 0.8, f'required = "{rng.choice(["80%", "100%", "33.3%"])}"')
    relief = _some(rng, 0.7, f'relief = "{rng.choice(["2", "1.5", "3"])}"')
    return ["[stress]", *relief, *(extra if world.has("stress") else [])]


def _required_set(world: World) -> list[str]:
    rng = world.rng
    kinds = rng.choice(['["call"]', '["put", "call"]', '["future"]'])
    flags = rng.choice(['["quarterly"]', '["adjusted", "added_today"]'])
    return [
        "[required_set]",
        *_some(rng, 0.3, f"kinds = {kinds}"),
        *_some(rng, 0.3, f"months = {rng.randint(1, 2)}"),
        *_some(rng, 0.3, f"min_days = {rng.choice([0, 0, 1])}"),
        *_some(rng, 0.3, f"max_days = {rng.choice([1, 5, 30])}"),
        *_some(rng, 0.2, f"below_months = {rng.randint(1, 2)}"),
        *_some(rng, 0.3, f"exclude = {flags}"),
        *_some(rng, 0.3, f"strikes = {rng.randint(0, 1)}"),
        *_some(rng, 0.3, f"nearest = {{ otm = {rng.randint(0, 2)}, itm = {rng.randint(0, 2)} }}"),
        *_some(rng, 0.3, f'within = "{rng.choice(["10%", "20%", "50%"])}"'),
        *_some(rng, 0.2, f'delta = {{ from = "0.2", to = "{rng.choice(["0.5", "0.8"])}" }}'),
    ]  # fmt: skip


def _rulebook(world: World) -> str:
    rng = world.rng
    when_missing = rng.choice(["unknown", "skip_spread", "exclude", "hold"])
    rollup = f'[accounts]\nrollup = "{rng.choice(["union", "best"])}"'
    hole = f'[market_hole]\nlongest_permitted = "{world.duration(0, 20)}"'
    lines = [
        'id = "tape"', f"version = {rng.randint(1, 9)}", 'title = "random"',
        "effective = 2018-01-01", "verified = false", 'source = "random"',
        world.calendar, *_quote_rules(world), *_spread(world),
        "[theo]", f'when_missing = "{when_missing}"',
        *_some(rng, 0.4, f'max_age = "{world.duration(3, 60)}"'),
        *_presence(world),
        *_some(rng, 0.6, f'[lapse]\nlongest_permitted = "{world.duration(0, 40)}"'),
        *(_stressed(world) if rng.random() < 0.6 or world.has("stress") else []),
        *(_requests(world) if world.has("rfq") else []),
        *(_required_set(world) if world.has("required_set") else []),
        *_some(rng, 0.8 * world.has("accounts"), rollup), *[hole] * world.has("hole"),
        "[exemptions]", *(f"{kind} = {meaning}" for kind, meaning in KINDS.items()),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _write(directory: Path, name: str, rows: list[Row]) -> None:
    with (directory / f"{name}.csv").open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(HEADERS[name].split(","))
        writer.writerows(rows)


def _underlying(world: World) -> Row:
    rng, tick = world.rng, Decimal(world.rng.choice([str(tick) for tick in world.ticks.values()]))
    low = rng.randint(6, 20)
    sides = [str(tick * low), str(tick * (low + rng.choice([0, 1, 2, 3])))]
    if rng.random() < 0.2:
        sides[rng.randint(0, 1)] = ""
    return [str(world.pick()), rng.choice(world.named), str(tick * rng.randint(6, 20)), *sides]


def _request(world: World) -> Row:
    rng = world.rng
    makers = rng.choice(["", "", "M0", "M1", "M0|M1", "M9"])
    return [
        str(world.pick()),
        f"R{rng.randrange(10**6)}",
        rng.choice(list(world.contracts)),
        makers,
    ]


def _fill(world: World) -> Row:
    rng, contract = world.rng, world.rng.choice(list(world.contracts))
    side, price = rng.choice(["buy", "sell"]), _price(world, contract, rng.randint(5, 22))
    makers = [*world.makers * 4, *world.accounts * 4, "M9"]
    return [str(world.pick()), rng.choice(makers), contract, side, price,
            str(rng.choice([1, 1, 2, 5, 20]))]  # fmt: skip


def _contract(world: World, contract: str) -> Row:
    rng, tick = world.rng, world.ticks[contract]
    expiry = rng.choice(["", str(world.date() + timedelta(days=rng.choice([0, 1, 5, 30, 31])))])
    strike = rng.choice(["", str(tick * rng.choice([8, 12, 12, 16]))])
    kind = rng.choice(["call", "call", "put", "put", "future"])
    flags = rng.choice(["", "", "quarterly", "adjusted other", "quarterly adjusted"])
    return [contract, world.contracts[contract], str(tick), kind, strike, expiry, "", flags]


def random_capture(
    rng: random.Random, directory: Path, features: frozenset[str] = FEATURES
) -> Path:
    """Write a capture into `directory`, which exists; returns the rulebook's path in it."""
    world = World(rng, features)
    rulebook = directory / "rulebook.toml"
    rulebook.write_text(_rulebook(world), encoding="utf-8")
    appointed = {(m, rng.choice(["*", "*", *world.classes])) for m in world.makers}
    appointed |= {(m, rng.choice(world.classes)) for m in world.makers if rng.random() < 0.3}
    files = {
        "phases": _phases(world), "exemptions": _exemptions(world), "feed": _feed(world),
        "stress": _stress(world), "theo": [_theo(world) for _ in range(rng.choice([0, 3, 10, 20]))],
        "quotes": [_quote(world) for _ in range(rng.choice([3, 10, 20, 40]))],
    }  # fmt: skip
    extra = {"underlying": _underlying, "rfqs": _request, "fills": _fill}
    wanted = {"underlying": ("underlying", "spot"), "rfqs": ("rfq",), "fills": ("fills", "shrinks")}
    for name, make in extra.items():
        if any(world.has(feature) for feature in wanted[name]):
            files[name] = [make(world) for _ in range(rng.choice([0, 2, 6, 10]))]
    if world.calm:  # most makers are there from the beginning
        for row in [_quote(world) for _ in range(6)]:
            files["quotes"].append([str(min(low for low, _ in world.spans)), *row[1:]])
            files["theo"] += [[files["quotes"][-1][0], *_theo(world)[1:]]] * bool(files["theo"])
    files["quotes"] += [[str(world.pick(inside=True)), *_quote(world)[1:]]] * bool(world.calendar)
    for name, rows in files.items():
        lines = _spoil_some(world, name, rows)
        rng.shuffle(lines)
        if lines or rng.random() < 0.5 or name in ("phases", "quotes"):
            _write(directory, name, lines)
    _write(directory, "contracts", [_contract(world, contract) for contract in world.contracts])
    if world.accounts:
        _write(directory, "accounts", [[a, rng.choice(world.makers)] for a in world.accounts])
    _write(directory, "makers", [list(pair) for pair in sorted(appointed)])
    return rulebook
