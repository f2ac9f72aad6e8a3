"""The dashboard of the monitor's own health: what it sees, how fast it is, and who hears of it."""

from __future__ import annotations

from deploy.grafana.panels import (
    GREEN,
    ORANGE,
    RED,
    Json,
    annotation,
    dashboard,
    lines,
    row,
    stat,
    thresholds,
)

ALARM = thresholds((None, GREEN), (1, RED))
RATE = "[$__rate_interval]"


def _quantiles(metric: str, by: str = "") -> list[tuple[str, str]]:
    """Median and the 99th percentile of a histogram, by one more label if so asked."""
    names, shown = (f"le, {by}", f" {{{{{by}}}}}") if by else ("le", "")
    return [
        (f"histogram_quantile({q}, sum by ({names}) (rate({metric}_bucket{RATE})))", f"p{int(q * 100)}{shown}")
        for q in (0.5, 0.99)
    ]  # fmt: skip


def _input() -> list[Json]:
    return [
        row("What it sees"),
        lines("Records by kind", (f"sum by (kind) (rate(mm_monitor_records_total{RATE}))", "{{kind}}"),
              unit="cps", doc="Records applied to the tape, a second."),
        lines("Behind the clock", ("max by (instance) (mm_monitor_watermark_lag_seconds)", "{{instance}}"),
              unit="s", doc="Clock less watermark.", steps=thresholds((None, GREEN), (15, RED))),
        lines("Records not read yet", ("sum by (topic) (mm_monitor_source_lag_records)", "{{topic}}"),
              doc="By topic; a partition that stands still holds up all."),
        lines("Event skew", *_quantiles("mm_monitor_event_skew_seconds", "source"), unit="s",
              doc="Our clock at reception less event time; more than tape.lateness is late."),
        lines("Records that cannot be used",
              (f"sum by (reason) (rate(mm_monitor_dead_letters_total{RATE})) or vector(0)", "{{reason}}"),
              unit="cps", doc="By reason. Each leaves its maker's time unknown until the next good quote."),
        lines("Late and repeated records", (f"sum(rate(mm_monitor_late_records_total{RATE}))", "late"),
              (f"sum(rate(mm_monitor_duplicate_records_total{RATE}))", "seen before"),
              (f"sum(rate(mm_monitor_no_obligation_quotes_total{RATE}))", "no obligation"),
              unit="cps", doc="Late ones are journalled and not applied."),
    ]  # fmt: skip


def _work() -> list[Json]:
    return [
        row("How it is doing"),
        lines("Time for a batch", *_quantiles("mm_monitor_apply_seconds"), unit="s",
              doc="Time that the engine takes for one batch."),
        lines("Time for a row",
              (f"sum(rate(mm_monitor_apply_seconds_sum{RATE})) / sum(rate(mm_monitor_apply_rows_total{RATE}))",
               "a row"), unit="s", doc="Seconds of engine for one row."),
        lines("Event loop", *_quantiles("mm_monitor_event_loop_lag_seconds"), unit="s",
              doc="How late a sleeping task is woken."),
        lines("Rows waiting", ("max by (instance) (mm_monitor_buffer_rows)", "{{instance}}"),
              doc="Decoded, and waiting for the watermark."),
        lines("Processor", (f"rate(process_cpu_seconds_total{{job=~\".*mm-monitor.*\"}}{RATE})", "{{instance}}"),
              unit="percentunit", doc="Of one core."),
        lines("Memory", ('process_resident_memory_bytes{job=~".*mm-monitor.*"}', "{{instance}}"),
              unit="bytes", doc="Resident."),
    ]  # fmt: skip


def _delivery() -> list[Json]:
    return [
        row("Who hears of it"),
        lines("Sinks behind", ("max by (sink) (mm_monitor_sink_lag_seconds)", "{{sink}}"), unit="s",
              doc="Age of the oldest transition that is not delivered.", steps=thresholds((None, GREEN), (30, RED))),
        lines("Attempts that failed, events dropped",
              (f"sum by (sink) (rate(mm_monitor_sink_failures_total{RATE}))", "{{sink}} failed"),
              (f"sum by (sink) (rate(mm_monitor_sink_dropped_events_total{RATE}))", "{{sink}} dropped"),
              unit="cps", doc="Each attempt is made again; what is dropped is lost to that sink."),
        lines("Age of the checkpoint", ("time() - mm_monitor_checkpoint_timestamp_seconds", "{{instance}}"),
              unit="s", doc="What a restart has to read again."),
        lines("Writing a checkpoint", ("max by (instance) (mm_monitor_checkpoint_seconds)", "{{instance}}"),
              unit="s", doc="Beside the tape."),
    ]  # fmt: skip


def health() -> Json:
    """Blind, wrong, or not heard."""
    head = [
        stat("Processes", 'sum(up{job=~".*mm-monitor.*"})', doc="That Prometheus can scrape.",
             steps=thresholds((None, RED), (1, GREEN))),
        stat("Not ready", "count(mm_monitor_ready == 0) or vector(0)", doc="Catching up, or stopping.", steps=ALARM),
        stat("Alerts", 'count(ALERTS{alertstate="firing",concern=~"blind|wrong|delivery"}) or vector(0)',
             doc="Blind, wrong or delivery.", steps=ALARM),
        stat("Unknown obligations", "max(rulebook:mm_monitor_unknown_obligations:ratio)", unit="percentunit",
             doc="Of the rulebook that is worst.", steps=thresholds((None, GREEN), (0.01, ORANGE), (0.5, RED))),
    ]  # fmt: skip
    firing = 'ALERTS{alertstate="firing",concern=~"blind|wrong|delivery"}'
    started = 'changes(process_start_time_seconds{job=~".*mm-monitor.*"}[1m]) > 0'
    marks = [
        annotation("Alerts", firing, "red", "{{alertname}}", "{{alertname}} {{instance}}"),
        annotation("Restarts", started, "orange", "Started again", "{{instance}}"),
    ]
    return dashboard("mm-health", "Market makers: monitor health", "Blind, wrong, or not heard?",
                     [], marks, [*head, *_input(), *_work(), *_delivery()])  # fmt: skip
