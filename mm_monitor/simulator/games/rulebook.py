"""The rulebook of the games: a test for every trick that a rule can catch, and none that forbids the others."""

from __future__ import annotations

NAME = "games"

RULEBOOK = """\
id = "games"
version = 1
title = "Rules against every trick that a rule can catch"
effective = 2025-01-01
verified = false
source = "made up by the simulator"

[quote]
min_size = 10
max_size_difference = { ratio = "50%", of = "larger" }
min_rest = { at_least = "5ms", counts = "from_then" }

[spread]
combine = "max"
terms = [{ relative = "3%", of = "theo" }, { ticks = 1 }]
off_theo = { absolute = "0.05" }

[theo]
when_missing = "unknown"

[presence]
required = "90%"
judged_by = "coverage"
coverage_required = "100%"

[rfq]
respond_within = "200ms"
stay = "200ms"
required = "70%"
standing_quote_counts = true

[market_hole]
longest_permitted = "15s"

[exemptions]
technical = "exclude"
"""
