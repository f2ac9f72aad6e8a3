"""Kafka records of a session: layout, keys, partitions, order; and sessions that arrive untidily."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from aiokafka.partitioner import DefaultPartitioner

from mm_monitor.errors import MonitorError
from mm_monitor.simulator import Session, random_session, szse_day
from mm_monitor.simulator.capture import disordered
from mm_monitor.simulator.disorder import Disorder
from mm_monitor.simulator.encode import Encoder, partition_of
from mm_monitor.simulator.rows import NULL, QUOTE, Rows, decimal_text


def all_quotes(seed: int = 2) -> Rows:
    return np.concatenate([b.quotes for b in Session(random_session(seed, seconds=2)).batches()])


def test_packed_records_carry_a_header_and_the_rows() -> None:
    scenario = random_session(2, seconds=2)
    quotes = all_quotes()
    got = []
    for record in Encoder(scenario, "packed", 7).records(quotes, 3):
        block, template, schema, version, length, count = struct.unpack("<BBBBHH", record.value[:8])
        assert (block, template, schema, version, length) == (0, 1, 77, 1, 40)
        assert len(record.value) == 8 + 40 * count
        assert 1 <= count <= 7
        rows = [struct.unpack("<qqqiiII", record.value[8 + 40 * i :][:40]) for i in range(count)]
        classes = {scenario.contracts[row[6] - 1].klass for row in rows}
        assert classes == {record.key.decode()}
        assert record.partition == partition_of(record.key.decode(), 3)
        assert record.timestamp == max(row[0] for row in rows) // 1_000_000
        got += rows
    assert sorted(got) == sorted(quotes.tolist())


def test_theo_rows_are_24_bytes_of_template_2() -> None:
    scenario = random_session(2, seconds=2)
    theos = np.concatenate([batch.theos for batch in Session(scenario).batches()])
    record = next(iter(Encoder(scenario, "packed", 5).records(theos, 1)))
    count = (len(record.value) - 8) // 24
    assert struct.unpack("<BBBBHH", record.value[:8]) == (0, 2, 77, 1, 24, count)
    assert struct.unpack("<qqII", record.value[8:32]) == tuple(theos[0].tolist())


def test_json_records_say_the_same_as_the_rows() -> None:
    scenario = random_session(2, seconds=2)
    quotes = all_quotes()
    said = [
        row
        for record in Encoder(scenario, "json", 10).records(quotes, 1)
        for row in json.loads(record.value)
    ]
    first = quotes[0]
    assert said[0] == {
        "ts_event": int(first["ts_event"]),
        "maker": scenario.makers[int(first["maker"]) - 1].name,
        "contract": scenario.contracts[int(first["contract"]) - 1].name,
        "bid_price": decimal_text(int(first["bid_price"])),
        "bid_size": int(first["bid_size"]),
        "ask_price": decimal_text(int(first["ask_price"])),
        "ask_size": int(first["ask_size"]),
    }
    assert len(said) == len(quotes)
    absent = [row for row in said if row["bid_price"] is None]
    assert len(absent) == int((quotes["bid_price"] == NULL).sum())


def test_times_do_not_go_back_within_a_partition_that_classes_share() -> None:
    scenario = szse_day(contracts=40, records=30_000)
    last = 0
    for batch in Session(scenario).batches():
        for record in Encoder(scenario, "packed", 16).records(batch.quotes, 1):
            rows = np.frombuffer(record.value[8:], dtype=QUOTE)
            assert (np.diff(rows["ts_event"]) >= 0).all()
            assert rows["ts_event"][0] >= last
            last = int(rows["ts_event"][-1])


def test_a_class_goes_where_the_default_partitioner_would_send_its_key() -> None:
    partitions = list(range(12))
    for klass in ("159915", "510050", "x"):
        expected = DefaultPartitioner()(klass.encode(), partitions, partitions)
        assert partition_of(klass, 12) == expected


@pytest.mark.parametrize(("codec", "rows"), [("xml", 1), ("packed", 0), ("packed", 2**16)])
def test_an_impossible_encoding_is_refused(codec: str, rows: int) -> None:
    with pytest.raises(MonitorError):
        Encoder(random_session(1), codec, rows)


@pytest.mark.criterion("TAPE-03")
@pytest.mark.parametrize("window", [None, 10_000_000])
def test_disorder_keeps_its_bound_and_the_order_of_an_instant(window: int | None) -> None:
    scenario = random_session(4, seconds=2)
    tidy = np.concatenate([batch.quotes for batch in Session(scenario).batches()])
    lateness = 300_000_000
    batches = disordered(Session(scenario).batches(window), Disorder(9, lateness, 0.2))
    rows = np.concatenate([batch.quotes for batch in batches])
    times = rows["ts_event"]
    assert len(rows) > len(tidy)
    newest = np.maximum.accumulate(times)
    assert 0 < (newest - times).max() <= lateness
    stable = rows[np.argsort(times, kind="stable")]
    kept = np.concatenate([[True], stable[1:] != stable[:-1]])
    tidy_kept = np.concatenate([[True], tidy[1:] != tidy[:-1]])
    assert stable[kept].tolist() == tidy[tidy_kept].tolist()


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (0, "0"),
        (10_000, "0.0001"),
        (-10_000, "-0.0001"),
        (NULL, ""),
        (12 * 10**8, "12"),
        (1, "0.00000001"),
    ],
)
def test_prices_read_as_plain_decimals(units: int, text: str) -> None:
    assert decimal_text(units) == text
