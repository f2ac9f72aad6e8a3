"""The twenty strategies by name: what each does, whether the rules allow it, and what gives it away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mm_monitor.errors import MonitorError
from mm_monitor.simulator.games import beside, what, when
from mm_monitor.simulator.games.stage import Stage


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way to game a weak monitor.

    `verdict` is the truth under the rulebook of the games. `rule` is the key that finds it out, empty where the rules
    allow it; `signals` are those that must be raised; `needs` are the inputs beside quotes, theo and phases.
    """

    name: str
    play: Callable[[Stage], None]
    verdict: str
    rule: str = ""
    signals: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What the maker does, in one line."""
        return (self.play.__doc__ or "").strip()


_LISTED = (
    Strategy("sampled", when.sampled, "breached", "presence.required", ("sampling",)),
    Strategy("flicker", when.flicker, "breached", "quote.min_rest", ("ioc", "flood")),
    Strategy("far", what.far, "breached", "spread.off_theo"),
    Strategy("tiny", what.tiny, "breached", "quote.min_size", ("sampling", "one_lot")),
    Strategy("lopsided", what.lopsided, "breached", "quote.max_size_difference"),
    Strategy("cheap-only", what.cheap_only, "breached", "presence.judged_by"),
    Strategy("fast-market", when.fast_market, "compliant", "", ("budget_in_fast_market",)),
    Strategy("early-close", when.early_close, "compliant", "", ("lapse_at_close",)),
    Strategy("fade", when.fade, "compliant", "", ("fade", "budget_in_fast_market")),
    Strategy(
        "technical", beside.technical, "compliant", "", ("exemption_overlap",), ("exemptions",)
    ),
    Strategy("accounts", beside.accounts, "breached", "presence.required", (), ("accounts",)),
    Strategy("theo-mover", beside.theo_mover, "compliant", "", ("self_moved_theo",)),
    Strategy(
        "backdate", beside.backdate, "compliant", "", ("clock_backdate",), ("order of arrival",)
    ),
    Strategy("friendly-rfq", beside.friendly_rfq, "compliant", "", ("friendly_rfq",), ("rfqs",)),
    Strategy(
        "rotation",
        when.rotation,
        "compliant",
        "market_hole.longest_permitted",
        ("rotation",),
        ("all makers",),
    ),
    Strategy("flood", when.flood, "compliant", "", ("flood",)),
    Strategy("ioc", when.ioc, "breached", "quote.min_rest", ("ioc",)),
    Strategy("self-cross", what.self_cross, "breached", "presence.required"),
    Strategy(
        "forgery", beside.forgery, "breached", "exemptions", ("forged_exemption",), ("exemptions",)
    ),
    Strategy("poison", beside.poison, "indeterminate", "", ("poison",)),
)
STRATEGIES = {strategy.name: strategy for strategy in _LISTED}


def chosen(names: str) -> list[Strategy]:
    """The strategies of a comma-separated list, or `all`. Raises MonitorError for a name that is none."""
    if names.strip() == "all":
        return list(STRATEGIES.values())
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in STRATEGIES]
    if unknown or not wanted:
        known = ", ".join(STRATEGIES)
        raise MonitorError(f"--strategies: all, or any of {known}; got {names!r}")
    return [STRATEGIES[name] for name in dict.fromkeys(wanted)]


def perform(strategies: list[Strategy], stage: Stage) -> Stage:
    """Play each strategy in a class of its own."""
    for strategy in strategies:
        strategy.play(stage)
    return stage
