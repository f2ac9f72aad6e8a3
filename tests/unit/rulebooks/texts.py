"""Rulebooks as text, to be spoilt one key at a time."""

SOUND = """\
id = "example"
version = 1
title = "example"
effective = 2025-08-01
verified = true
source = "example"

[calendar]
timezone = "Asia/Shanghai"
days = ["mon", "tue", "wed", "thu", "fri"]
holidays = [2025-10-01]
special = [{ date = 2025-12-31, phases = [{ at = "09:30", phase = "continuous" },
                                          { at = "11:30", phase = "closed" }] }]
phases = [{ at = "09:30", phase = "continuous" }, { at = "15:00", phase = "closed" }]

[quote]
min_size = 10
max_size_difference = { ratio = "50%", of = "smaller" }
max_age = "30s"
zero_bid_below = "0.0010"

[spread]
combine = "max"
terms = [{ relative = "3%", of = "theo" }, { ticks = 2 }, { absolute = "5.00" }]
grace = "1s"
off_theo = { absolute = "0.05" }

[theo]
max_age = "5s"
when_missing = "hold"

[presence]
required = "99.95%"
judged_by = "coverage"
coverage_required = "98%"
windows = ["session"]

[lapse]
longest_permitted = "30m"

[stress]
relief = "2"

[exemptions]
halt = "exclude"
drill = "deem"
limit_up = "one_side"
fast_market = { relax = "1.5" }
"""


def spoilt(old: str, new: str, text: str = SOUND) -> bytes:
    """The text with one passage replaced; the passage must be there exactly once."""
    assert text.count(old) == 1, old
    return text.replace(old, new).encode()
