"""Parquet captures say the same as csv ones; inexact types are refused."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from mm_monitor.core.batch import QUOTE_BAD
from mm_monitor.core.model import BadReason, PhaseRecord
from mm_monitor.errors import InputError, MonitorError
from mm_monitor.sources.capture import PARTS
from tests.unit.sources.captures import QUOTES, read, write

TYPES = {"ts_event": pa.int64(), "bid_size": pa.int64(), "ask_size": pa.int32()}
LINES = [
    "1000,M0,C0,0.0275,40,0.0286,20",
    "1001,M1,C1,,0,1.05,5",
    "1002,M0,C0,0.02755,40,0.0286,20",
    "1003,M0,C9,0.0275,40,0.0286,20",
    "-1,M0,C0,0.0275,40,0.0286,20",
    "1004,M0,C0,0.0275,-1,0.0286,20",
    "1005,M0,C0,0.0275,3000000000,0.0286,20",
]


def units(text: str) -> int | None:
    return int(Decimal(text) * 10**8) if text else None


def decimal(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def store(directory: Path, name: str, table: dict[str, Any]) -> None:
    parquet.write_table(pa.table(table), directory / f"{name}.parquet")
    (directory / f"{name}.csv").unlink(missing_ok=True)


def quotes_as(prices: str) -> dict[str, Any]:
    columns = list(zip(*[line.split(",") for line in LINES], strict=True))
    convert: dict[str, tuple[Any, Any]] = {
        "text": (lambda t: t, pa.string()),
        "units": (units, pa.int64()),
        "decimal": (decimal, pa.decimal128(38, 18)),
        "dictionary": (lambda t: t, pa.dictionary(pa.int32(), pa.string())),
    }
    parse, kind = convert[prices]
    names = QUOTES.strip().split(",")
    table: dict[str, Any] = {}
    for name, texts in zip(names, columns, strict=True):
        if name.endswith("price"):
            table[name] = pa.array([parse(t) for t in texts], kind)
        elif name == "ts_event" or name.endswith("size"):
            table[name] = pa.array([int(t) for t in texts], pa.int64())
        else:
            table[name] = pa.array(texts)
    return table


@pytest.mark.parametrize("prices", ["text", "units", "decimal", "dictionary"])
async def test_parquet_and_csv_give_the_same_rows(tmp_path: Path, prices: str) -> None:
    text, stored = tmp_path / "csv", tmp_path / "parquet"
    for directory in (text, stored):
        directory.mkdir()
        write(directory, quotes=QUOTES + "\n".join(LINES))
    store(stored, "quotes", quotes_as(prices))
    wanted, got = await read(text), await read(stored)
    rows = got.rows(PARTS["quotes"])
    rows["offset"] += 1  # a csv has its header on line 1
    assert rows.tolist() == wanted.rows(PARTS["quotes"]).tolist()
    assert [d.reason for d in got.dead] == [d.reason for d in wanted.dead]
    assert [d.raw.offset + 1 for d in got.dead] == [d.raw.offset for d in wanted.dead]
    assert (rows["flags"] == QUOTE_BAD).sum() == 3
    assert b'"ts_event": "1002"' in got.dead[0].raw.value
    assert "tick 0.0001, got 0.02755" in got.dead[0].detail


async def test_nulls_are_absent_values(tmp_path: Path) -> None:
    table = quotes_as("units")
    table["maker"] = pa.array(["M0"] * 6 + [None])
    table["bid_size"] = pa.array([None] + [1] * 6, pa.int64())
    store(write(tmp_path), "quotes", table)
    got = await read(tmp_path)
    assert got.dead[0].reason == BadReason.BAD_SIZE
    assert got.rows(PARTS["quotes"])["maker"].tolist()[-1] == -1


async def test_reference_and_controls(tmp_path: Path) -> None:
    write(tmp_path)
    store(
        tmp_path,
        "contracts",
        {
            "contract": ["C0", "C1"],
            "class": ["K0", "K1"],
            "tick": pa.array([10_000, 1_000_000], pa.int64()),
            "id": pa.array([7, None], pa.int64()),
        },
    )
    store(tmp_path, "phases", {"ts_event": [5], "scope": ["*"], "phase": ["continuous"]})
    store(tmp_path, "theo", {"ts_event": [5], "contract": ["C0"], "theo": [Decimal("0.123456785")]})
    got = await read(tmp_path)
    assert got.dead == []
    assert isinstance(got.controls[0], PhaseRecord)
    assert got.rows(PARTS["theo"])["a"].tolist() == [12_345_678]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("bid_price", pa.array([0.5]), "column bid_price: must be decimal text, decimal or int64"),
        ("bid_size", pa.array([1.0]), "column bid_size: must be int64, got 'double'"),
        ("ts_event", pa.array([1], pa.timestamp("ns")), "column ts_event: must be int64"),
    ],
)
async def test_inexact_types_are_refused(
    tmp_path: Path, column: str, values: Any, message: str
) -> None:
    table = {name: array[:1] for name, array in quotes_as("units").items()}
    store(write(tmp_path), "quotes", {**table, column: values})
    with pytest.raises(InputError, match=message):
        await read(tmp_path)


async def test_a_column_that_is_missing_and_a_file_that_is_none(tmp_path: Path) -> None:
    table = quotes_as("units")
    del table["maker"]
    store(write(tmp_path), "quotes", table)
    with pytest.raises(InputError, match=r"quotes.parquet: column maker: required, but missing"):
        await read(tmp_path)
    (tmp_path / "quotes.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match=r"quotes.parquet: cannot be read as parquet"):
        await read(tmp_path)


async def test_without_pyarrow_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(write(tmp_path), "quotes", quotes_as("units"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MonitorError, match=r"quotes.parquet: parquet needs pyarrow.*pip install"):
        await read(tmp_path)


async def test_golden_captures_as_parquet(tmp_path: Path) -> None:
    golden = Path(__file__).parents[2] / "data" / "golden" / "07"
    for path in golden.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    names = {name: pa.string() for name in ("theo", "contract")}
    texts = arrow_csv.ConvertOptions(strings_can_be_null=True, column_types={**TYPES, **names})
    table = arrow_csv.read_csv(golden / "theo.csv", convert_options=texts)
    parquet.write_table(table, tmp_path / "theo.parquet")
    (tmp_path / "theo.csv").unlink()
    wanted, got = (await read(golden)), (await read(tmp_path))
    assert got.rows(PARTS["theo"])["a"].tolist() == wanted.rows(PARTS["theo"])["a"].tolist()


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.large_binary(), pa.dictionary(pa.int32(), pa.binary())]
)
async def test_names_in_bytes_are_names(tmp_path: Path, kind: Any) -> None:
    write(tmp_path)
    table = quotes_as("units")
    table["maker"] = pa.array(
        [text.encode() for text in table["maker"].to_pylist()], pa.binary()
    ).cast(kind)
    store(tmp_path, "quotes", table)
    rows = (await read(tmp_path)).rows(PARTS["quotes"])
    assert rows["maker"].tolist()[:2] == [0, 1]
