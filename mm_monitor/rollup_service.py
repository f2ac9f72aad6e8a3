"""The roll-up as a configuration describes it: which brokers, rulebooks and topics; `rollup.py` does the work.

One that follows also writes what makers broke to the breaches topic, for no worker may say it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mm_monitor.assembly import kafka_options, make_breaches_sink
from mm_monitor.config import Config, load_rulebooks
from mm_monitor.rollup import RollUp, read_accruals
from mm_monitor.sinks.context import SinkContext


async def serve(
    config: Config, ledger: Path, say: Callable[[str], None], *, follow: bool = False
) -> bool:
    """Read the accruals to their end, or for ever, writing days to `ledger`. Is nothing waited for?

    `say` is told a line of every date. MonitorError as of `read_accruals`.
    """
    rulebooks = {rulebook.id: rulebook for rulebook in load_rulebooks(config)}
    roll = RollUp(rulebooks, ledger, lambda date, name, what: say(f"{date} {name}: {what}"))
    context = SinkContext(service_id=f"{config.service.id}-rollup")
    sink = make_breaches_sink(config, context) if follow else None
    if sink is not None:
        await sink.start()
        roll.broke = lambda events: sink.publish((), events)
    topic = config.topics.accruals
    try:
        waiting = await read_accruals(kafka_options(config), topic, roll, follow=follow)
    finally:
        if sink is not None:
            await sink.stop()
    if not roll.accruals.values:
        say(f"{topic} has no accruals yet")
    return not waiting and bool(roll.accruals.values)
