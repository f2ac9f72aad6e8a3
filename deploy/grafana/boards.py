"""The four dashboards: the operations overview, a maker, a class with its contracts, the monitor's health.

Numbers that several workers share are summed by the rules of deploy/prometheus; panels read what these record.
"""

from __future__ import annotations

from deploy.grafana.panels import (
    GREEN,
    ORANGE,
    RED,
    RULEBOOK,
    Json,
    annotation,
    dashboard,
    lines,
    link,
    row,
    stat,
    states,
    table,
    thresholds,
    variable,
)

MINE = 'rulebook="$rulebook"'
OF_MAKER = f'{MINE},maker="$maker"'
OF_CLASS = f'{MINE},class="$class"'
OF_CONTRACT = f'{OF_CLASS},contract="$contract"'
ALARM = thresholds((None, GREEN), (1, RED))
READY = [
    {"type": "value", "options": {"1": {"text": "ready", "color": GREEN},
                                  "0": {"text": "not ready", "color": RED}}},
]  # fmt: skip
LAPSED = [
    {"type": "value", "options": {"0": {"text": "not in a lapse", "color": GREEN},
                                  "1": {"text": "lapse", "color": RED}}},
]  # fmt: skip
NEVER = [
    {"type": "special",
     "options": {"match": "null+nan", "result": {"text": "not before the close"}}},
]  # fmt: skip

TO_MAKER = link(
    "This maker", "/d/mm-maker?var-rulebook=${rulebook}&var-maker=${__data.fields.maker}"
)
TO_MAKER_LINE = link(
    "This maker", "/d/mm-maker?var-rulebook=${rulebook}&var-maker=${__field.labels.maker}"
)
TO_CLASS = link(
    "This class", "/d/mm-class?var-rulebook=${rulebook}&var-class=${__data.fields.class}"
)
TO_RUNBOOK = link("Runbook", "${runbooks}/${__data.fields.alertname}.md", blank=True)
TO_HEALTH = link("Monitor health", "/d/mm-health")


def _marks(labels: str) -> list[Json]:
    """The obligation clock, phases, when the period began, and breaches; of one maker where `labels` say so."""
    clock = f"sum by (rulebook) (rate(mm_monitor_required_seconds_total{{{MINE}}}[$__rate_interval])) > 0"
    breaches = f"sum by (maker, kind) (increase(mm_monitor_breaches_total{{{labels}}}[1m])) > 0"
    start = f"mm_monitor_period_start_timestamp_seconds{{{MINE}}} * 1000"
    return [
        annotation("Obligation clock runs", clock, "rgba(120, 120, 120, 0.4)", "Continuous trading",
                   "{{rulebook}}"),
        annotation("Phases", f"mm_monitor_phase{{{MINE}}} == 1", "purple", "{{phase}}", "{{rulebook}}"),
        annotation("Period begins", start, "blue", "Period begins", "{{rulebook}}",
                   useValueForTime="on"),
        annotation("Breaches", breaches, "red", "{{kind}}", "{{maker}} {{kind}}"),
    ]  # fmt: skip


def operations() -> Json:
    """Who is failing, and can that be believed?"""
    trust = [
        row("Can it be believed?"),
        stat("Monitor", "min(mm_monitor_ready)", doc="0 where a process is still catching up.",
             mappings=READY, steps=thresholds((None, RED), (1, GREEN)), links=[TO_HEALTH]),
        stat("Behind the clock", "max(mm_monitor_watermark_lag_seconds)", unit="s",
             doc="What makers do now is judged so much later.",
             steps=thresholds((None, GREEN), (5, ORANGE), (15, RED)), links=[TO_HEALTH]),
        stat("Unknown obligations", f"rulebook:mm_monitor_unknown_obligations:ratio{{{MINE}}}",
             unit="percentunit", doc="Share of obligations of which it is not known whether a valid quote stands.",
             steps=thresholds((None, GREEN), (0.01, ORANGE), (0.5, RED))),
        stat("Alerts: blind, wrong, delivery",
             'sum(ALERTS{alertstate="firing",concern=~"blind|wrong|delivery"}) or vector(0)',
             doc="While one of these fires, verdicts are to be read with care.", steps=ALARM),
    ]  # fmt: skip
    makers = [
        row("Makers"),
        stat("In breach so far",
             f'sum(max by (maker) (mm_monitor_maker_verdict{{{MINE},verdict="breached"}}))',
             doc="Makers whose verdict so far is breached, as the rulebook judges.", steps=ALARM),
        stat("Out of reach", f"sum(max by (maker) (mm_monitor_maker_unreachable{{{MINE}}}))",
             doc="Makers that can no longer meet the requirement today.", steps=ALARM),
        stat("Open breaches", f"sum(mm_monitor_open_breaches{{{MINE}}})", doc="Of any kind.", steps=ALARM),
        stat("Obligations in a lapse", f"sum(rulebook_maker:mm_monitor_lapsed_obligations:sum{{{MINE}}})",
             doc="Now, over all makers."),
        _maker_table(),
        lines("Presence", (f"rulebook_maker:mm_monitor_presence:ratio{{{MINE}}}", "{{maker}}"),
              (f"rulebook:mm_monitor_required:ratio{{{MINE}}}", "required"), unit="percentunit",
              doc="Since the trading date began: sum of quoted time / sum of required time.", links=[TO_MAKER_LINE]),
        lines("Burn of the budget, 15 minutes",
              (f"rulebook_maker:mm_monitor_burn:ratio15m{{{MINE}}}", "{{maker}}"),
              (f"rulebook:mm_monitor_burn_fast:threshold{{{MINE}}}", "page"), links=[TO_MAKER_LINE],
              doc="1 uses the day's budget up exactly at the close."),
        lines("Obligations in a lapse", (f"rulebook_maker:mm_monitor_lapsed_obligations:sum{{{MINE}}}", "{{maker}}"),
              stacked=True, doc="Many makers at once are a gateway, a feed or a theo.", links=[TO_MAKER_LINE]),
        lines("Lapsed time by reason",
              (f"sum by (reason) (rate(mm_monitor_lapsed_seconds_total{{{MINE}}}[$__rate_interval]))", "{{reason}}"),
              stacked=True, doc="Obligations that are in a lapse on average, by primary reason."),
        table("Firing alerts of Prometheus", "alertname",
              {"firing": ('max by (alertname, severity, concern, maker) (ALERTS{alertstate="firing"})', "short")},
              doc="The alerts that the monitor itself pushes are at Alertmanager (link above).",
              keep=("concern", "severity", "maker"), links=[TO_RUNBOOK]),
    ]  # fmt: skip
    return dashboard("mm-operations", "Market makers: operations", "Who is failing, and can that be believed?",
                     [RULEBOOK], _marks(MINE), [*trust, *makers])  # fmt: skip


def _maker_table() -> Json:
    """The worst first is a click on a heading."""
    columns = {
        "presence": (f"rulebook_maker:mm_monitor_presence:ratio{{{MINE}}}", "percentunit"),
        "slack": (f"rulebook_maker:mm_monitor_slack_seconds:sum{{{MINE}}}", "s"),
        "lapsed now": (f"rulebook_maker:mm_monitor_lapsed_obligations:sum{{{MINE}}}", "short"),
        "unknown now": (f"rulebook_maker:mm_monitor_unknown_obligations:sum{{{MINE}}}", "short"),
        "open breaches": (f"sum by (maker) (mm_monitor_open_breaches{{{MINE}}})", "short"),
        "failure by the close": (f"max by (maker) (mm_monitor_maker_failure_probability{{{MINE}}})", "percentunit"),
    }  # fmt: skip
    return table("Makers", "maker", columns, links=[TO_MAKER],
                 doc="Slack is the time that may still be lost; negative is out of reach.")  # fmt: skip


def maker() -> Json:
    """One maker: how it stands, why, and since when."""
    chosen = variable("maker", "Maker", f"label_values(mm_monitor_obligations{{{MINE}}}, maker)")
    presence = f"rulebook_maker:mm_monitor_presence:ratio{{{OF_MAKER}}}"
    panels = [
        stat("Presence", presence, unit="percentunit", doc="Since the trading date began."),
        stat("Slack", f"rulebook_maker:mm_monitor_slack_seconds:sum{{{OF_MAKER}}}", unit="s",
             steps=thresholds((None, RED), (0, GREEN)),
             doc="Time that may still be lost, summed over contracts; negative is out of reach."),
        stat("Out of reach in", f"min(mm_monitor_maker_to_unreachable_seconds{{{OF_MAKER}}}) or vector(NaN)",
             unit="s", doc="If what is lapsed now stays lapsed.", mappings=NEVER),
        stat("Open breaches", f"sum(mm_monitor_open_breaches{{{OF_MAKER}}})", doc="Of any kind.", steps=ALARM),
        lines("Presence and what is required", (presence, "presence"),
              (f"rulebook:mm_monitor_required:ratio{{{MINE}}}", "required"), unit="percentunit",
              doc="Sum of quoted time / sum of required time since the trading date began."),
        lines("Burn of the budget",
              *((f"rulebook_maker:mm_monitor_burn:ratio{w}{{{OF_MAKER}}}", w) for w in ("2m", "5m", "15m", "1h")),
              doc="1 uses the day's budget up exactly at the close. Two windows at once make an alert."),
        lines("Lapsed time by reason",
              (f"sum by (reason) (rate(mm_monitor_lapsed_seconds_total{{{OF_MAKER}}}[$__rate_interval]))",
               "{{reason}}"), stacked=True, doc="Obligations in a lapse on average, by primary reason."),
        lines("What the obliged time is made of",
              *((f"sum(rate(mm_monitor_{name}_seconds_total{{{OF_MAKER}}}[$__rate_interval]))", name)
                for name in ("quoted", "exempt", "unknown")), stacked=True,
              doc="Obligations in each state on average; lapsed ones are beside."),
        _class_table(),
        lines("Breaches of the day by kind", (f"sum by (kind) (mm_monitor_breaches_total{{{OF_MAKER}}})", "{{kind}}"),
              doc="Open and closed. The breach events have each with its id."),
        lines("Re-quotes by cause",
              (f"sum by (cause) (rate(mm_monitor_requotes_total{{{OF_MAKER}}}[$__rate_interval]))", "{{cause}}"),
              doc="How often a quote that theo, a fill or a withdrawal made invalid was mended."),
    ]  # fmt: skip
    return dashboard("mm-maker", "Market makers: a maker", "How one maker stands, why, and since when.",
                     [RULEBOOK, chosen], _marks(OF_MAKER), panels)  # fmt: skip


def _class_table() -> Json:
    columns = {
        "presence": (f"max by (class) (mm_monitor_class_presence_ratio{{{OF_MAKER}}})", "percentunit"),
        "slack": (f"max by (class) (mm_monitor_class_slack_seconds{{{OF_MAKER}}})", "s"),
        "contracts": (f"max by (class) (mm_monitor_required_contracts{{{OF_MAKER}}})", "short"),
        "that pass": (f"max by (class) (mm_monitor_passed_contracts{{{OF_MAKER}}})", "short"),
        "lapsed now": (f"max by (class) (mm_monitor_lapsed_obligations{{{OF_MAKER}}})", "short"),
        "unknown now": (f"max by (class) (mm_monitor_unknown_obligations{{{OF_MAKER}}})", "short"),
    }  # fmt: skip
    return table("Classes", "class", columns, doc="The maker's classes.", links=[TO_CLASS])


def klass() -> Json:
    """One class and one of its contracts: who quotes it."""
    chosen = [
        variable("class", "Class", f"label_values(mm_monitor_obligations{{{MINE}}}, class)"),
        variable("contract", "Contract",
                 f"label_values(mm_monitor_contract_required_seconds_total{{{OF_CLASS}}}, contract)"),
    ]  # fmt: skip
    panels = [
        row("Class $class"),
        lines("Presence by maker", (f"max by (maker) (mm_monitor_class_presence_ratio{{{OF_CLASS}}})", "{{maker}}"),
              unit="percentunit", doc="Of the class alone.", links=[TO_MAKER_LINE]),
        lines("Slack by maker", (f"max by (maker) (mm_monitor_class_slack_seconds{{{OF_CLASS}}})", "{{maker}}"),
              unit="s", doc="Of the class alone; a maker is judged over all its classes.", links=[TO_MAKER_LINE]),
        lines("Obligations in a lapse by maker",
              (f"max by (maker) (mm_monitor_lapsed_obligations{{{OF_CLASS}}})", "{{maker}}"), stacked=True,
              doc="All makers at once: look at the theo and the phase first.", links=[TO_MAKER_LINE]),
        lines("Lapsed time by reason",
              (f"sum by (reason) (rate(mm_monitor_lapsed_seconds_total{{{OF_CLASS}}}[$__rate_interval]))",
               "{{reason}}"), stacked=True, doc="Obligations in a lapse on average, by primary reason."),
        row("Contract $contract"),
        states("Lapses", f"max by (maker) (mm_monitor_contract_lapsed{{{OF_CONTRACT}}})", "{{maker}}",
               doc="Contracts have series where `metrics.per_contract` asks for them.", mappings=LAPSED),
        lines("Slack by maker", (f"max by (maker) (mm_monitor_contract_slack_seconds{{{OF_CONTRACT}}})", "{{maker}}"),
              unit="s", doc="Of the contract alone.", links=[TO_MAKER_LINE]),
        lines("Market hole", (f'max(mm_monitor_market_hole_seconds_total{{{MINE},contract="$contract"}})', "so far"),
              unit="s", doc="Continuous trading with no maker valid at all."),
    ]  # fmt: skip
    return dashboard("mm-class", "Market makers: a class and its contracts", "Who quotes a class.",
                     [RULEBOOK, *chosen], _marks(OF_CLASS.split(",")[0]), panels)  # fmt: skip
