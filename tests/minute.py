"""Rules of a venue that trades for a minute of every weekday, from 02:00 UTC: for days that are written in a test."""

from __future__ import annotations

OPENS = 1_754_272_800_000_000_000  # 2025-08-04 02:00 UTC
THEO_SPREAD = '[spread]\nterms = [{ relative = "3%", of = "theo" }]\n'


def minute_rules(name: str, more: str = "") -> str:
    """TOML: 50 % required, one kind of exemption that excludes, and `more`."""
    return f"""
id = "{name}"
version = 1
source = "a test"
[calendar]
timezone = "UTC"
days = ["mon", "tue", "wed", "thu", "fri"]
phases = [{{ at = "02:00", phase = "continuous" }}, {{ at = "02:01", phase = "closed" }}]
[presence]
required = "50%"
[exemptions]
technical = "exclude"
{more}"""
