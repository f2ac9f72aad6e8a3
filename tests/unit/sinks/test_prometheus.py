"""`/metrics`: what is there, what is not, and that promtool has nothing to say about it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mm_monitor.core.model import BreachKind, Phase, State
from mm_monitor.core.reference import Contract, Reference
from mm_monitor.core.view import ProfileRow, RfqRow, StatusView
from mm_monitor.core.watch.signals import Signal
from mm_monitor.errors import ConfigError
from mm_monitor.health import CheckpointStats
from mm_monitor.live_signals import Told
from mm_monitor.sinks import (
    conduct_metrics,
    health_metrics,
    metrics,
    response_metrics,
    signal_metrics,
)
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.prometheus import PrometheusConfig, PrometheusSink
from mm_monitor.theo.cascade import Cascade, Settings
from mm_monitor.theo.models import MODELS, Market
from mm_monitor.theo.pricer import Hours, Pricer
from mm_monitor.theo.terms import ExpiryClock
from tests.services.require import require_service
from tests.unit.sinks.builders import CONDUCT, START, S, Slot, breach, market, view

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
DECLARED = (
    *metrics.ALL,
    *response_metrics.ALL,
    *conduct_metrics.ALL,
    *health_metrics.ALL,
    *signal_metrics.ALL,
)
SLOTS = (
    Slot("M0", "C0", "A", quoted=90, lapsed=10),
    Slot("M0", "C1", "A", quoted=40, lapsed=60, state=State.LAPSED),
    Slot("M0", "C2", "B", quoted=0, lapsed=0),
    Slot("M1", "C0", "A", quoted=10, lapsed=0, unknown=10, state=State.UNKNOWN),
)


def sink_of(*views: StatusView, **config: object) -> PrometheusSink:
    sink = PrometheusSink(PrometheusConfig(**config), SinkContext())  # type: ignore[arg-type]
    sink.watch([sink])
    sink.publish(views, [])
    return sink


def samples(text: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    """(name, label values sorted by label name) -> value."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def names(text: bytes) -> set[str]:
    found = re.findall(r"^# TYPE (\S+)", text.decode(), re.MULTILINE)
    assert len(found) == len(set(found)), "a family in two pieces"
    return {name for name in found if name.startswith("mm_monitor_")}


def test_counters_are_sums_over_contracts_of_a_maker_in_a_class() -> None:
    got = samples(sink_of(view(SLOTS)).render())
    key = ("A", "M0", "szse-2025")
    assert got["mm_monitor_quoted_seconds_total", key] == 130
    assert got["mm_monitor_required_seconds_total", key] == 200
    assert got["mm_monitor_lapsed_seconds_total", ("A", "M0", "absent", "szse-2025")] == 70
    assert got["mm_monitor_lapsed_seconds_total", ("A", "M0", "stale", "szse-2025")] == 0
    assert got["mm_monitor_class_presence_ratio", key] == 0.65
    assert got["mm_monitor_class_coverage_ratio", key] == 0.5
    assert got["mm_monitor_lapsed_obligations", key] == 1
    assert got["mm_monitor_unknown_seconds_total", ("A", "M1", "szse-2025")] == 10


def test_a_ratio_over_nothing_has_no_sample_and_is_not_assessed() -> None:
    got = samples(sink_of(view(SLOTS)).render())
    assert ("mm_monitor_class_presence_ratio", ("B", "M0", "szse-2025")) not in got
    assert got["mm_monitor_class_verdict", ("B", "M0", "szse-2025", "not_assessed")] == 1
    assert got["mm_monitor_quoted_seconds_total", ("B", "M0", "szse-2025")] == 0


def test_one_verdict_of_each_maker_is_one() -> None:
    got = samples(sink_of(view(SLOTS)).render())
    states = [v for (name, key), v in got.items() if name == "mm_monitor_maker_verdict"]
    assert len(states) == 8
    assert sum(states) == 2


def test_a_presence_below_the_requirement_never_reads_as_equal() -> None:
    built = view([Slot("M0", "C0", "A")])
    just_below = Fraction(9 * 10**17 - 1, 10**18)
    row = replace(built.maker_rows[0], presence=just_below)
    got = samples(sink_of(replace(built, maker_rows=[row])).render())
    ratio = got["mm_monitor_maker_presence_ratio", ("M0", "szse-2025")]
    assert ratio < got["mm_monitor_required_ratio", ("szse-2025",)]


def test_breaches_are_counted_by_kind_and_every_kind_is_there_at_zero() -> None:
    shown = [breach("M0", "C0"), breach("M0", "C1", end=START + 60 * S)]
    got = samples(sink_of(view(SLOTS, shown)).render())
    assert got["mm_monitor_breaches_total", ("lapse", "M0", "szse-2025")] == 2
    assert got["mm_monitor_open_breaches", ("lapse", "M0", "szse-2025")] == 1
    for maker in ("M0", "M1"):
        for kind in set(BreachKind) - {BreachKind.MARKET_HOLE}:
            assert ("mm_monitor_breaches_total", (kind.value, maker, "szse-2025")) in got
    assert got["mm_monitor_breaches_total", ("market_hole", "", "szse-2025")] == 0


def test_a_market_hole_is_no_makers_own() -> None:
    hole = breach("", "C0", kind=BreachKind.MARKET_HOLE)
    got = samples(sink_of(view(SLOTS, [hole])).render())
    assert got["mm_monitor_open_breaches", ("market_hole", "", "szse-2025")] == 1


def test_series_per_contract_are_opt_in() -> None:
    text = sink_of(view(SLOTS)).render()
    assert b"contract=" not in text
    assert samples(text)["mm_monitor_contract_obligations_exported", ("szse-2025",)] == 0


def test_patterns_allow_and_deny_and_the_cap_is_visible() -> None:
    sink = sink_of(
        view(SLOTS, market_hole=[("C0", 3 * S), ("C2", S)]),
        contracts_allow=("*",),
        contracts_deny=("M1/*", "C1"),
        contracts_cap=1,
    )
    got = samples(sink.render())
    quoted = [key for name, key in got if name == "mm_monitor_contract_quoted_seconds_total"]
    assert quoted == [("A", "C0", "M0", "szse-2025")]
    assert got["mm_monitor_contract_obligations_dropped", ("szse-2025",)] == 1
    assert got["mm_monitor_market_hole_seconds_total", ("C0", "szse-2025")] == 3
    assert ("mm_monitor_market_hole_seconds_total", ("C2", "szse-2025")) not in got


def test_no_series_outlives_its_subject() -> None:
    sink = sink_of(view(SLOTS), contracts_allow=("*",))
    assert b'maker="M1"' in sink.render()
    sink.publish([view([slot for slot in SLOTS if slot.maker == "M0"])], [])
    assert b'maker="M1"' not in sink.render()
    assert b'contract="C2"' in sink.render()


def test_label_values_are_escaped() -> None:
    text = sink_of(view([Slot('做"市\\商\n', "C0", "A")]), contracts_allow=("*",)).render()
    assert '做"市\\商\n' in {
        sample.labels.get("maker")
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_two_rulebooks_share_each_family() -> None:
    text = sink_of(view(SLOTS, rulebook="b"), view(SLOTS, rulebook="a")).render()
    assert names(text)
    assert samples(text)["mm_monitor_maker_slack_seconds", ("M0", "a")] == pytest.approx(
        samples(text)["mm_monitor_maker_slack_seconds", ("M0", "b")]
    )


def test_no_created_series() -> None:
    assert b"_created" not in sink_of(view(SLOTS)).render()


def test_dead_letters_of_unknown_makers_make_no_series() -> None:
    sink = PrometheusSink(PrometheusConfig(), context := SinkContext())
    context.health.know_makers(["M0"])
    context.health.count_dead_letter("bad_price", "M0")
    context.health.count_dead_letter("bad_price", "rubbish", times=3)
    got = samples(sink.render())
    assert got["mm_monitor_dead_letters_total", ("M0", "bad_price")] == 1
    assert got["mm_monitor_dead_letters_total", ("", "bad_price")] == 3
    assert got["mm_monitor_dead_letters_total", ("M0", "off_tick")] == 0


def test_the_watermark_lags_behind_the_clock_it_is_given() -> None:
    context = SinkContext(now=lambda: START + 3 * S)
    sink = PrometheusSink(PrometheusConfig(), context)
    assert "mm_monitor_watermark_lag_seconds" not in {name for name, _ in samples(sink.render())}
    context.health.watermark = START
    assert samples(sink.render())["mm_monitor_watermark_lag_seconds", ()] == 3


def test_every_metric_is_documented_and_every_documented_metric_exists() -> None:
    rows = re.findall(
        r"^\| `(mm_monitor_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", DOCS.read_text(), re.MULTILINE
    )
    documented = {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)), meaning)
        for name, kind, labels, meaning in rows
    }
    declared = {m.name: (m.type, m.labels, m.meaning) for m in DECLARED}
    assert documented == declared
    assert names(sink_of(view(SLOTS), contracts_allow=("*",)).render()) == set(declared)


def test_what_is_watched_beside_the_quotes() -> None:
    watched = replace(view(SLOTS), conduct=CONDUCT)
    got, maker = samples(sink_of(watched).render()), ("M0", "szse-2025")
    klass = ("510050", *maker)
    assert got["mm_monitor_position_above_limit_seconds_total", klass] == 4
    assert got["mm_monitor_position_greatest_excess", klass] == 2.5
    # two delays, one of at most 1 ms (the tenth edge) and one of at most 2 ms
    for edge, count in (("0.0005", 0), ("0.001", 1), ("0.002", 2), ("100.0", 2), ("+Inf", 2)):
        assert got["mm_monitor_hedge_delay_seconds_bucket", ("510050", edge, *maker)] == count
    assert got["mm_monitor_hedge_delay_seconds_sum", klass] == 0.003
    assert got["mm_monitor_session_seconds_total", ("A1", *maker, "off")] == 1
    assert got["mm_monitor_session_up", ("A1", *maker)] == 1
    assert got["mm_monitor_session_disconnects_total", ("A1", *maker)] == 1
    assert got["mm_monitor_rejected_messages_total", ("M0", "late", "szse-2025")] == 2
    assert got["mm_monitor_messages_most_per_second", ("A1", *maker, "calendar")] == 4
    assert got["mm_monitor_cancelled_amount", ("A1", *maker)] == 1
    assert got["mm_monitor_programme_signal", ("A1", *maker, "per_day")] == 1
    assert got["mm_monitor_programme_signal", ("A1", *maker, "cancelled")] == 0


def responding(made: StatusView) -> StatusView:
    """The same with requests, re-quotes and first moments of M0, and time to lose while something is lapsed."""
    latency = made.latency.copy()
    latency[0, 0, [0, 4, 26]] = 1, 2, 30_001  # by theo: one within 1 us, two within 20 us
    answers = [0] * 27
    answers[12], answers[26] = 1, 9_000_000
    rows = [replace(row, slack=S, lapsed_slots=1) for row in made.maker_rows]
    classes = [replace(row, slack=S, lapsed_slots=1) for row in made.class_rows]
    return replace(
        made, latency=latency, maker_rows=rows, class_rows=classes,
        rfq=[RfqRow("M0", 5, 1, 1, 1, answers)],
        profile=[ProfileRow("M0", "stress", 50_000, 1, 40_000, 50_000, 0)],
    )  # fmt: skip


def test_how_makers_respond() -> None:
    got, maker = samples(sink_of(responding(view(SLOTS))).render()), ("M0", "szse-2025")
    klass = ("A", *maker)
    for edge, count in (("1e-06", 1), ("1e-05", 1), ("2e-05", 3), ("100.0", 3), ("+Inf", 3)):
        assert got["mm_monitor_requote_seconds_bucket", ("A", edge, *maker)] == count
    assert got["mm_monitor_requote_seconds_sum", klass] == 30_001 / 1e9
    assert got["mm_monitor_requotes_total", ("theo", *klass)] == 3
    for outcome, count in (("answered", 1), ("missed", 2), ("undecided", 1)):
        assert got["mm_monitor_requests_total", (*maker[:1], outcome, *maker[1:])] == count
    assert got["mm_monitor_waiting_requests", maker] == 1
    assert got["mm_monitor_request_answer_seconds_count", maker] == 1
    assert got["mm_monitor_first_moments_ratio", ("5e-05", *maker, "stress")] == 0.8
    assert got["mm_monitor_maker_to_unreachable_seconds", maker] == 1


@pytest.mark.criterion("NUM-01")
def test_no_bucket_is_finer_than_the_clock() -> None:
    sink = PrometheusSink(PrometheusConfig(clock_resolution=1_000_000), SinkContext())
    sink.publish([responding(view(SLOTS))], [])
    text = sink.render().decode()
    edges = re.findall(r'mm_monitor_requote_seconds_bucket{.*?maker="M0".*?le="(.*?)"} (\d+)', text)
    assert edges[0] == ("0.001", "3")


def test_the_phase_is_told_and_that_the_others_are_over() -> None:
    context = SinkContext()
    context.health.phases = {"a": "break", "b": ""}
    text = PrometheusSink(PrometheusConfig(), context).render().decode()
    told = re.findall(r'^mm_monitor_phase{phase="(.*?)",rulebook="(.*?)"} (\d)', text, re.MULTILINE)
    assert [(book, phase) for phase, book, on in told if on == "1"] == [("a", "break")]
    assert {phase for phase, book, _ in told if book == "b"} == {phase.value for phase in Phase}


def test_labels_are_those_declared() -> None:
    context = SinkContext()
    context.health.watermark = START
    context.health.skew_of("mm.quotes").observe(5)
    context.health.source_lag["mm.quotes", 0] = 4
    context.health.know_sink("mqtt")
    context.health.phases = {"szse-2025": "continuous"}
    context.health.pricer = priced()
    context.health.checkpoints = CheckpointStats(refused={"damaged": 1}, taken_at=START)
    signal = Signal("one_lot", "", True, {})
    context.signals._told["szse-2025", "M0"] = Told("szse-2025", "M0", "", START, [signal])
    sink = PrometheusSink(PrometheusConfig(contracts_allow=("*",)), context)
    sink.publish([responding(replace(view(SLOTS, market_hole=[("C0", 1)]), conduct=CONDUCT))], [])
    sink.watch([sink])
    seen = dict(_labels(sink.render()))
    for metric in DECLARED:
        if metric.name != "mm_monitor_period_end_timestamp_seconds":
            assert seen[metric.name] == set(metric.labels), metric.name


def priced() -> Pricer:
    """One option with a theo of the topic."""
    reference = Reference.of([Contract("C0", "A", 1, "call", "3", "2025-09-24")], [])
    cascade = Cascade(Settings(Market(MODELS["bsm"])))
    made = Pricer(cascade, reference, Hours(ExpiryClock(), S), lambda ts, theos: True)
    cascade.feed(START, 0, 5)
    return made


def _labels(text: bytes) -> Iterator[tuple[str, set[str]]]:
    for family in text_string_to_metric_families(text.decode()):
        suffix = "_total" if family.type == "counter" else ""
        for sample in family.samples:
            yield family.name + suffix, set(sample.labels) - {"le"}


def test_promtool_has_nothing_to_say() -> None:
    require_service("promtool")
    watched = responding(replace(view(SLOTS, [breach()]), conduct=CONDUCT))
    text = sink_of(watched, contracts_allow=("*",)).render()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_chunks_are_small_and_twenty_makers_of_six_hundred_contracts_are_quick() -> None:
    sink = sink_of(view(market(20, 600)), contracts_allow=("*",), contracts_cap=12_000)
    sink.render()
    began = time.perf_counter()
    longest, last = 0.0, began
    for _ in sink.chunks():
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert last - began < 0.5  # 0.03 s on an idle core
    assert longest < 0.1  # 0.001 s on an idle core


def test_a_negative_cap_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"metrics\.contracts_cap: 0 or more, got -1"):
        PrometheusConfig(contracts_cap=-1)
