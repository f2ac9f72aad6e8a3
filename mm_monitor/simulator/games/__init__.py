"""The twenty ways in which makers game a weak monitor, each a labelled maker whose presence is known to the nanosecond.

Every strategy plays in a class of its own, beside an honest colleague, on one short session.
"""

from mm_monitor.simulator.games.capture import write_games
from mm_monitor.simulator.games.catalogue import STRATEGIES, Strategy, chosen, perform
from mm_monitor.simulator.games.stage import Stage

__all__ = ["STRATEGIES", "Stage", "Strategy", "chosen", "perform", "write_games"]
