"""The text of `rules show`: every number of a rulebook, in words."""

from mm_monitor.rulebooks import describe, load, parse
from tests.unit.rulebooks.texts import SOUND


def test_a_full_rulebook_in_words() -> None:
    head, _, body = describe(parse(SOUND.encode())).partition("\n\n")
    assert head.splitlines()[:3] == [
        "example, version 1: example",
        "effective 2025-08-01, verified",
        "source: example",
    ]
    assert (
        body
        == """\
Calendar
  mon tue wed thu fri, times of Asia/Shanghai
    09:30  continuous
    15:00  closed
  continuous: 19800 s a day
  holidays: 2025-10-01
  special day 2025-12-31
    09:30  continuous
    11:30  closed

A quote is valid while
  both sides are there (VAL-01, VAL-02)
    or the ask alone, while theo < 0.001 (VAL-02)
  bid < ask (VAL-03)
  each size >= 10 (VAL-04)
  sizes differ by <= 50% of the smaller one (VAL-05)
  ask - bid <= max(3% of theo, 2 ticks, 5) (VAL-06, VAL-10)
  bid <= theo + 0.05 and ask >= theo - 0.05 (VAL-07)
  its age < 30s (VAL-08)

Theo
  missing, withdrawn, 5s old: the last theo stands, however old (VAL-12)

Presence
  >= 99.95% of required time (PRES-03)
  a maker is judged by the share of contracts that pass (PRES-05)
  coverage >= 98%

Further
  too wide for more than 1s is a `spread` breach
  a lapse of more than 30m is a breach
  inside stress the limit is multiplied by 2

Exemptions
  drill: counts as quoted (OBL-02)
  fast_market: the spread limit is multiplied by 1.5 (OBL-02)
  halt: leaves the required time (OBL-02)
  limit_up: one side suffices (OBL-02)"""
    )


def test_an_unverified_rulebook_says_so() -> None:
    assert "NOT VERIFIED" in describe(load("szse-2025"))


def test_a_night_session_is_of_the_trading_date_before() -> None:
    text = SOUND.replace('phases = [{ at = "09:30", phase = "continuous" }, { at = "15:00"', (
        'phases = [{ at = "21:00", day = -1, phase = "continuous" }, { at = "26:30", day = -1'
    ))  # fmt: skip
    lines = describe(parse(text.encode())).splitlines()
    assert "    21:00 of the trading date before  continuous" in lines
    assert "  continuous: 19800 s a day" in lines


def test_a_bare_rulebook_is_honest_about_it() -> None:
    text = describe(parse(b'id = "m"\nversion = 1\nsource = "s"\n'))
    assert "none: the phases of the market come from records" in text
    assert "measured, and not judged" in text


def test_a_required_set_and_accounts_in_words() -> None:
    text = describe(parse(SOUND.encode() + b"""
[required_set]
kinds = ["call", "put"]
months = 4
min_days = 1
max_days = 270
exclude = ["adjusted"]
strikes = 5
within = "10%"
delta = { to = "0.9" }
[accounts]
rollup = "best"
"""))  # fmt: skip
    section = text.split("A contract is owed while\n")[1].split("\n\n")[0]
    assert [line.strip() for line in section.splitlines()] == [
        "it is a call or put",
        "it expires in one of the 4 nearest months of its class",
        "days to expiry >= 1",
        "days to expiry <= 270",
        "it is not adjusted",
        "its strike is the one nearest to spot, or of the 5 on each side of it",
        "its strike is within 10% of spot",
        "its delta is 0 to 0.9, whatever the sign",
    ]
    assert "  the accounts of one maker make one quote: the best quote of one (OBL-01)" in text
