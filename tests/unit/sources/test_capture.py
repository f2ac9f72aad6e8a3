"""The capture directory: what is read, what is dead-lettered with its line, what is fatal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.batch import QUOTE_BAD, THEO_MISSING
from mm_monitor.core.model import BadReason, FeedRecord, Kind, PhaseRecord
from mm_monitor.errors import InputError
from mm_monitor.sources import csv_lines
from mm_monitor.sources.capture import PARTS, CaptureSource
from mm_monitor.sources.files import find_table
from mm_monitor.sources.reference_files import load_reference
from mm_monitor.sources.table import check_header
from tests.unit.sources.captures import QUOTES, read, write

GOLDEN = Path(__file__).parents[2] / "data" / "golden"
GOOD = "1000,M0,C0,0.0275,40,0.0286,20\n"


async def test_quotes_and_theos(tmp_path: Path) -> None:
    lines = QUOTES + GOOD + "999,M1,C1,,0,1.05,5\n" + "1001,M9,C0,,0,,0"
    theo = "contract,theo,ts_event,source\nC0,0.123456785,5,x\nC1,,6,x\n"
    got = await read(write(tmp_path, quotes=lines, theo=theo))
    quotes = got.rows(PARTS["quotes"])
    assert quotes.tolist() == [
        (1000, 2, 2_750_000, 2_860_000, 40, 20, 0, 0, 9, 0, Kind.QUOTE, 0, 0),
        (999, 3, 0, 105_000_000, 0, 5, 1, 1, 9, 0, Kind.QUOTE, 0, 0),
        (1001, 4, 0, 0, 0, 0, -1, 0, 9, 0, Kind.QUOTE, 0, 0),
    ]
    theos = got.rows(PARTS["theo"])
    assert theos["a"].tolist() == [12_345_678, 0]
    assert theos["flags"].tolist() == [0, THEO_MISSING]
    assert (got.dead, got.source.progress[0]) == ([], got.source.progress[1])
    assert got.source.part_names[9] == ("quotes.csv", 0)


BAD_LINES = [
    (b"-1,M0,C0,0.0275,40,0.0286,20", BadReason.BAD_TIME, False),
    (b"x,M0,C0,0.0275,40,0.0286,20", BadReason.BAD_TIME, False),
    (b",M0,C0,0.0275,40,0.0286,20", BadReason.BAD_TIME, False),
    (b"9223372036854775808,M0,C0,0.0275,40,0.0286,20", BadReason.BAD_TIME, False),
    ("\u0661,M0,C0,0.0275,40,0.0286,20".encode(), BadReason.BAD_TIME, False),
    (b"1 ,M0,C0,0.0275,40,0.0286,20", BadReason.BAD_TIME, False),
    (b"1,M0,C9,0.0275,40,0.0286,20", BadReason.UNKNOWN_CONTRACT, False),
    (b"1,M9,C9,0.0275,40,0.0286,20", BadReason.UNKNOWN_CONTRACT, False),
    (b"1,M9,C0,abc,40,0.0286,20", BadReason.BAD_PRICE, False),
    (b"1,M0,C0,abc,40,0.0286,20", BadReason.BAD_PRICE, True),
    (b"1,M0,C0,1e18,40,0.0286,20", BadReason.BAD_PRICE, True),
    (b"1,M0,C0,1.123456789,40,0.0286,20", BadReason.BAD_PRICE, True),
    (b"1,M0,C0,0.02755,0,0.0286,20", BadReason.OFF_TICK, True),
    (b"1,M0,C0,,1,0.0286,20", BadReason.SIZE_WITHOUT_PRICE, True),
    (b"1,M0,C0,-0.0001,1,0.0286,20", BadReason.NON_POSITIVE_PRICE, True),
    (b"1,M0,C0,0.0275,,0.0286,20", BadReason.BAD_SIZE, True),
    (b"1,M0,C0,0.0275,-1,0.0286,20", BadReason.BAD_SIZE, True),
    (b"1,M0,C0,0.0275,1.0,0.0286,20", BadReason.BAD_SIZE, True),
    (b"1,M0,C0,0.0275,2147483648,0.0286,20", BadReason.BAD_SIZE, True),
    (b"1,M0,C0", BadReason.UNDECODABLE, True),
    (b"1,M0", BadReason.UNDECODABLE, False),
    (b"1,M0,C0,0.0275,40,0.0286,20,", BadReason.UNDECODABLE, True),
    (b"1,M0,C0,0.0275,40,0.0286,20\0", BadReason.UNDECODABLE, False),
    (b"1,M0,C0,0.0275,40,0.0286,\xff", BadReason.UNDECODABLE, False),
    (b'1,"M0,C0,0.0275,40,0.0286,20', BadReason.UNDECODABLE, False),
    (b'1,"M0"x,C0,0.0275,40,0.0286,20', BadReason.UNDECODABLE, False),
    (b"1,M0,C0,0.0275,40,0.0286,20\rx", BadReason.UNDECODABLE, False),
]


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize(("line", "reason", "changed"), BAD_LINES)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
async def test_a_bad_line_is_dead_lettered_alone(
    tmp_path: Path, line: bytes, reason: BadReason, changed: bool, end: bytes
) -> None:
    good = GOOD.strip().encode()
    lines = QUOTES.strip().encode() + end + good + end + line + end + good
    got = await read(write(tmp_path, quotes=lines))
    (dead,) = got.dead
    assert (dead.reason, dead.raw.offset, dead.raw.topic) == (reason, 3, "quotes.csv")
    assert dead.raw.value == line
    assert dead.detail
    rows = got.rows(PARTS["quotes"])
    assert rows["offset"][rows["flags"] == 0].tolist() == [2, 4]
    flagged = rows[rows["flags"] == QUOTE_BAD]
    assert flagged["offset"].tolist() == [3] * changed
    readable = reason == BadReason.BAD_TIME or line == b"1,M0" or b"M0,C9" in line
    assert dead.maker == ("M0" if changed or readable else "")
    assert sum(d.records for d in got.deliveries) == 3


async def test_dress_that_does_not_matter(tmp_path: Path) -> None:
    lines = (b"\xef\xbb\xbf" + QUOTES.strip().encode() + b"\r\n" + b'1000,"M0","C0",0.0275,40,"0.0286",20'
             b"\r\n\r\n" + b"1001,M0,C0,0.0275,40,0.0286,20")  # fmt: skip
    got = await read(write(tmp_path, quotes=lines))
    assert got.dead == []
    assert got.rows(PARTS["quotes"])["offset"].tolist() == [2, 4]


async def test_controls_of_every_file(tmp_path: Path) -> None:
    got = await read(
        write(
            tmp_path,
            phases="ts_event,scope,phase\n7,*,continuous\n9,*,closed\n8,C0,lunch\n6,K0,halt\n",
            exemptions="ts_event,scope,maker,kind,action\n1,K0,*,halt,start\n2,K0,*,halt,stop\n",
            feed="ts_event,scope,maker,status\n1,*,*,down\n2,*,,up\n",
            stress="ts_event,scope,action\n1,K0,start\nx,K0,end\n",
        )
    )
    assert [d.reason for d in got.dead] == [
        BadReason.UNKNOWN_PHASE, BadReason.UNKNOWN_ACTION, BadReason.UNDECODABLE, BadReason.BAD_TIME,
    ]  # fmt: skip
    assert [d.raw.topic for d in got.dead] == ["phases.csv", "exemptions.csv", "feed.csv",
                                               "stress.csv"]  # fmt: skip
    assert got.source.star_phases == (7, 9)
    phase = got.controls[0]
    assert isinstance(phase, PhaseRecord)
    assert phase.raw is not None
    assert (phase.ts, phase.raw.offset, phase.raw.value) == (7, 2, b"7,*,continuous")
    assert any(isinstance(control, FeedRecord) for control in got.controls)
    assert got.rows(PARTS["phases"])["offset"].tolist() == [2, 3, 5]


async def test_without_star_lines_the_calendar_speaks(tmp_path: Path) -> None:
    got = await read(write(tmp_path, phases="ts_event,scope,phase\n7,C0,halt\n"))
    assert got.source.star_phases is None


@pytest.mark.criterion("TAPE-04")
async def test_a_contract_is_unknown_before_its_listing(tmp_path: Path) -> None:
    line = ",M0,N0,0.5,1,0.6,1\n"
    reference = "ts_event,table,action,contract,class,tick\n50,contracts,add,N0,K0,0.1\n"
    got = await read(write(tmp_path, quotes=f"{QUOTES}49{line}50{line}", reference=reference))
    assert [(d.reason, d.raw.offset) for d in got.dead] == [("unknown_contract", 2)]
    assert got.rows(PARTS["quotes"])["contract"].tolist() == [2]
    assert got.rows(PARTS["reference"])["kind"].tolist() == [Kind.REFERENCE]


async def test_tables_that_are_not_read_are_named(tmp_path: Path) -> None:
    got = await read(write(tmp_path, trades="x\n", weather="ts_event\n"))
    assert got.source.ignored_files == ["trades.csv", "weather.csv"]


async def test_dates_of_the_good_quotes(tmp_path: Path) -> None:
    times = [5, 250, 15, 12, 199, 14, 251]
    lines = "".join(f"{ts},M0,C0,0.5,1,0.6,1\n" for ts in times) + "999,M0,C0,x,1,0.6,1\n"
    directory = write(tmp_path, quotes=QUOTES + lines)
    source = CaptureSource(directory, load_reference(directory))
    await source.start()
    assert source.quote_dates(lambda ts: str(ts // 100)) == {"0", "1", "2"}
    assert sum([len(d.decoded.rows) async for d in _rest(source)]) == 8
    assert source.finished


async def _rest(source: CaptureSource):  # type: ignore[no-untyped-def]
    while not source.finished:
        for delivery in await source.poll():
            yield delivery


FATAL = [
    ({"contracts": "contract,class\nC0,K0\n"}, "contracts.csv:1: column tick: required, but missing"),
    ({"contracts": "contract,class,tick\nC0,K0,0\n"}, "contracts.csv:2: column tick: .*got '0'"),
    ({"contracts": "contract,class,tick\nC0,K0,abc\n"}, "contracts.csv:2: column tick: .*got 'abc'"),
    ({"contracts": "contract,class,tick\nC0,K0,1\nC0,K0,1\n"},
     "contracts.csv:3: column contract: listed before, got 'C0'"),
    ({"contracts": "contract,class,tick\nC0,,1\n"}, "contracts.csv:2: column class: a name, got ''"),
    ({"contracts": "contract,class,tick\n*,K0,1\n"}, "contracts.csv:2: column contract: .*got '\\*'"),
    ({"contracts": "contract,class,tick\nC0,K0\n"}, "contracts.csv:2: line has 2 fields"),
    ({"contracts": "contract,class,tick,kind\nC0,K0,1,swap\n"}, "column kind: .*got 'swap'"),
    ({"contracts": "contract,class,tick,id\nC0,K0,1,-5\n"}, "column id: .*got '-5'"),
    ({"contracts": "contract,class,tick,id\nC0,K0,1,5\nC1,K0,1,5\n"}, "csv:3: column id: another"),
    ({"contracts": "contract,class,tick\n"}, "contracts.csv: no contracts"),
    ({"contracts": ""}, "contracts.csv:1: column contract: required, but missing"),
    ({"contracts": b"contract,class,tick\nC0,K\xff,1\n"}, "contracts.csv:2: line is not UTF-8"),
    ({"makers": "maker\nM0\n"}, "makers.csv:1: column class"),
    ({"makers": "maker,class\n,K0\n"}, "makers.csv:2: column maker: a name, got ''"),
    ({"makers": "maker,class,id\nM0,*,1\nM1,*,1\n"}, "makers.csv:3: column id: another maker"),
    ({"accounts": "account,maker\nA,M0\nA,M1\n"}, "accounts.csv:3: column account: another"),
    ({"quotes": "ts_event,maker\n"}, "quotes.csv:1: column contract: required, but missing"),
    ({"quotes": QUOTES.strip() + ",ts_event\n"}, "quotes.csv:1: column ts_event: there more than once"),
    ({"theo": "ts_event,contract\n"}, "theo.csv:1: column theo: required, but missing"),
    ({"phases": b"\xff\xfe\n"}, "phases.csv:1: header line is not UTF-8"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "message"), FATAL)
async def test_defects_that_are_fatal(
    tmp_path: Path, files: dict[str, str | bytes], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        await read(write(tmp_path, **files))


@pytest.mark.parametrize("name", ["contracts", "makers", "quotes"])
async def test_files_that_must_be_there(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / f"{name}.csv").unlink()
    with pytest.raises(InputError, match=rf"{name}.csv: file is missing \(or {name}.parquet\)"):
        await read(tmp_path)
    with pytest.raises(InputError, match="nowhere: no such directory"):
        await read(tmp_path / "nowhere")


async def test_two_formats_of_one_table(tmp_path: Path) -> None:
    (write(tmp_path) / "quotes.parquet").touch()
    with pytest.raises(InputError, match=r"only one of quotes.csv and quotes.parquet"):
        await read(tmp_path)


def test_the_newest_folder_that_is_not_after_the_trading_date(tmp_path: Path) -> None:
    for day, contract in (("2025-07-25", "OLD"), ("2025-08-01", "NEW"), ("2025-09-01", "LATER")):
        folder = tmp_path / day
        folder.mkdir()
        write(folder, contracts=f"contract,class,tick\n{contract},K0,1\n")
    names = [
        load_reference(tmp_path, d).contracts[0].name for d in ("2025-07-31", "2025-08-01", "")
    ]
    assert names == ["OLD", "NEW", "LATER"]
    with pytest.raises(InputError, match="no folder of 2025-01-01 or before"):
        load_reference(tmp_path, "2025-01-01")


def test_optional_columns_of_the_reference(tmp_path: Path) -> None:
    names = load_reference(
        write(
            tmp_path,
            contracts="contract,class,tick,id\nC0,K0,0.0001,77\n",
            makers="maker,class,rulebook,id\nM0,*,tier-1,5\n",
            accounts="account,maker\nA0,M0\n",
        )
    )
    assert (names.contract_numbers, names.maker_numbers) == ({77: 0}, {5: 0})
    assert names.appointments[0].rulebook == "tier-1"
    assert names.find_maker("A0") == 0


lines = st.one_of(
    st.just(GOOD.strip().encode()),
    st.binary(max_size=40).filter(lambda b: b"\n" not in b),
    st.text('0123456789,."M0C1-e \r\0').map(str.encode),
)


@pytest.mark.criterion("TAPE-04")
@given(
    st.lists(lines, max_size=8),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
    st.integers(1, 60),
)
def test_any_bytes_and_any_block_size_give_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    content: list[bytes],
    end: bytes,
    last: bool,
    block: int,
) -> None:
    directory = write(
        tmp_path_factory.mktemp("c"), quotes=QUOTES.encode() + end.join(content) + end * last
    )
    whole = asyncio.run(read(directory))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_lines, "BLOCK", block)
        cut = asyncio.run(read(directory))
    part = PARTS["quotes"]
    assert cut.dead == whole.dead
    if content:
        joined = [d.decoded.rows for d in whole.deliveries]
        assert (len(joined) == 0) == (len(cut.deliveries) == 0)
        if joined:
            assert np.array_equal(cut.rows(part), whole.rows(part))


@pytest.mark.parametrize("name", sorted(p.name for p in GOLDEN.iterdir() if p.is_dir()))
async def test_golden_captures_are_read(name: str) -> None:
    got = await read(GOLDEN / name)
    read_lines = sum(d.records for d in got.deliveries)
    assert read_lines == sum(
        len(path.read_bytes().splitlines()) - 1
        for path in (GOLDEN / name).glob("*.csv")
        if path.stem in PARTS
    )


@pytest.mark.parametrize("broken", [True, False])
def test_an_optional_table_that_is_no_file_is_not_passed_over(tmp_path: Path, broken: bool) -> None:
    path = tmp_path / "theo.csv"
    if broken:
        path.symlink_to("nowhere.csv")
    else:
        path.mkdir()
    with pytest.raises(InputError, match=r"theo.csv: must be a file, and is"):
        find_table(tmp_path, "theo")


def test_a_header_of_very_many_columns_is_checked_at_once() -> None:
    check_header([*map(str, range(200_000))], ("5",), "wide.csv", 1)
    with pytest.raises(InputError, match="column 7: there more than once"):
        check_header(["7", *map(str, range(9))], ("5",), "wide.csv", 1)
