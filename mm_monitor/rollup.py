"""The roll-up: reads the accruals topic and writes the days that are over for every worker into a ledger.

It keeps nothing of its own: a roll-up that starts again reads the topic again, which is compacted, and writes the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from mm_monitor.core.model import Breach, BreachEvent
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.errors import InputError, MonitorError
from mm_monitor.formats import json_bytes
from mm_monitor.ledger import write_day
from mm_monitor.reports.accruals import Accruals, maker_breaches, roll_up
from mm_monitor.sources.kafka_client import close, open_consumer, partitions_of, unreachable
from mm_monitor.sources.kafka_options import KafkaOptions

WAIT_MS = 500
_NO_ACCRUALS = (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
Heads = list[int]  # when each worker's picture is of


@dataclass(slots=True)
class RollUp:
    """Days into `ledger`, of these rulebooks. `told` is called with a date, a rulebook and what became of it."""

    rulebooks: Mapping[str, Rulebook]
    ledger: Path
    told: Callable[[str, str, str], None]
    broke: Callable[[Sequence[BreachEvent]], None] = lambda events: (
        None
    )  # of makers, as a day is written
    accruals: Accruals = field(default_factory=Accruals)
    _written: dict[tuple[str, str], Heads] = field(default_factory=dict)

    def write(self, *, tell_waiting: bool = True) -> int:
        """Write what is over for all workers and was not written yet; returns how many dates wait."""
        waiting = 0
        for rulebook, date in self.accruals.days():
            missing = self._write(rulebook, date)
            waiting += bool(missing)
            if missing and tell_waiting:
                self.told(date, rulebook, f"waits: {missing}")
        return waiting

    def _write(self, name: str, date: str) -> str:
        rulebook = self.rulebooks.get(name)
        if rulebook is None:
            return "the configuration has no such rulebook"
        try:
            heads, pieces, missing = self.accruals.pieces(name, date)
            stamps = [head["at"] for head in heads]
            if missing or self._written.get((name, date)) == stamps:
                return missing
            day = roll_up(heads, pieces, rulebook)
            breaches = maker_breaches(day, heads, pieces, rulebook)
            path = write_day(self.ledger, day)
        except ValueError as error:
            return str(error)
        except _NO_ACCRUALS as error:
            return f"what was said is no day: {type(error).__name__}: {error}"
        except OSError as error:
            raise MonitorError(f"{self.ledger}: cannot be written: {error.strerror}") from None
        self._written[name, date] = stamps
        self._tell_breaches(breaches)
        self.told(date, name, f"written to {path}")
        return ""

    def _tell_breaches(self, breaches: Sequence[Breach]) -> None:
        """Of what was broken by the end of a day, it begins and ends there."""
        at = [(replace(breach, end=None), breach) for breach in breaches]
        opened = [BreachEvent("opened", still, still.start) for still, _ in at]
        self.broke([*opened, *(BreachEvent("closed", over, over.start) for _, over in at)])


def read_lines(path: Path, roll: RollUp) -> None:
    """Take the lines of a file: objects of `key` and `value`. InputError for what is none."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    read = json.loads(line)
                    roll.accruals.take(json_bytes(read["key"]), json_bytes(read["value"]))
                except (ValueError, KeyError, TypeError, RecursionError) as error:
                    detail = f"no accruals: {type(error).__name__}: {error}"
                    raise InputError(detail, file=str(path), line=number) from None
    except UnicodeDecodeError as error:
        raise InputError(f"text of UTF-8 ({error.reason})", file=str(path)) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None


async def read_accruals(
    options: KafkaOptions, topic: str, roll: RollUp, *, follow: bool = False
) -> int:
    """Read the topic to its end, or for ever, and write what is over. Returns how many dates wait.

    Raises MonitorError for brokers that do not answer, a topic that is not there, a record that is none of ours.
    """
    consumer = await open_consumer(options)
    try:
        partitions = await partitions_of(consumer, topic, (), options)
        if len(partitions) != 1:
            problem = f"topic {topic!r} needs one partition, for what is said last stands"
            raise MonitorError(f"Kafka at {options.bootstrap}: {problem}; it has {len(partitions)}")
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        await _read_to_end(consumer, partitions, roll)
        waiting = roll.write()
        while follow:
            if await _take(consumer, roll):
                waiting = roll.write(tell_waiting=False)
        return waiting
    except (TimeoutError, KafkaError, OSError) as error:
        raise await unreachable(options, error) from None
    finally:
        await close(consumer)


async def _read_to_end(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], roll: RollUp
) -> None:
    ends = await consumer.end_offsets(partitions)
    while any([await consumer.position(tp) < end for tp, end in ends.items()]):
        await _take(consumer, roll)


async def _take(consumer: AIOKafkaConsumer, roll: RollUp) -> int:
    """Take what has come; returns how many records."""
    batches = await consumer.getmany(timeout_ms=WAIT_MS)
    for tp, records in batches.items():
        for record in records:
            try:
                roll.accruals.take(record.key, record.value)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                where = f"{tp.topic} partition {tp.partition} offset {record.offset}"
                detail = f"{type(error).__name__}: {error}"
                raise MonitorError(f"{where}: no accruals: {detail}") from None
        await asyncio.sleep(0)
    return sum(len(records) for records in batches.values())
