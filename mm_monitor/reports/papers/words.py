"""The words of a scorecard in English and Chinese, and how numbers are written in it.

An English sentence is its own key; one that has no Chinese is an error, found by the tests. Numbers never go through a
float, and what is cut is cut toward zero: nobody passes by rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from mm_monitor.formats import NS

LANGUAGES = {"en": "en", "zh": "zh-CN"}
Say = Callable[..., str]

CHINESE = {
    # verdicts
    "compliant": "合规", "breached": "违规", "indeterminate": "无法判定", "not_assessed": "未评估",
    # reasons
    "absent": "无报价", "one_sided": "单边报价", "crossed": "买卖价倒挂", "size": "数量不足", "unequal": "数量不对称",
    "spread": "价差过大", "off_theo": "偏离理论价值", "stale": "报价过期", "flicker": "停留时间不足",
    # kinds of breaches
    "presence": "参与率不足", "presence_unreachable": "参与率已不可达", "presence_at_risk": "参与率有风险",
    "lapse": "中断过长", "rfq": "询价回应不足", "stress_presence": "极端行情参与率不足",
    "market_hole": "市场无有效报价",
    # what an exemption does
    "exclude": "不计入义务时间", "deem": "视为有效报价", "relax": "放宽价差", "one_side": "单边即可",
    # aggregations
    "ratio_of_sums": "时间总和之比", "coverage": "合约覆盖率", "mean_of_ratios": "参与率均值",
    "contracts": "达标合约数",
    "products": "达标品种数", "days": "达标天数", "stretches": "各连续交易时段",
    # titles and facts
    "Scorecard of {maker}": "{maker} 做市义务考核表", "Scorecard of all makers": "全体做市商考核表",
    "Scorecard of {month}": "{month} 月度考核表", "Verdict": "判定", "Presence": "连续报价参与率",
    "{presence} of {required} required": "{presence}（要求 {required}）", "no requirement": "无要求",
    "Coverage": "合约覆盖率", "{passed} of {required} contracts pass": "{required} 个合约中 {passed} 个达标",
    "Judged by": "判定方式", "Lapses": "中断", "{count}, the longest {longest}": "{count} 次，最长 {longest}",
    "Breaches": "违规", "{count}, {open} of them open at the end": "{count} 项，其中 {open} 项至期末未结束",
    "Period": "考核期间", "Rulebook": "规则", "version {version}": "版本 {version}", "Engine": "计算引擎",
    "Trading dates": "交易日", "Makers": "做市商", "Time zone": "时区", "none": "无",
    # headings
    "Presence by class": "各品种参与率", "Presence by maker": "各做市商参与率",
    "Lapsed time by reason": "中断时间（按原因）",
    "Obligations lapsed over the period": "期间内处于中断的义务数", "Obligations": "报价义务", "Exemptions": "豁免",
    "What it was judged by": "判定规则", "Inputs": "输入文件", "Records": "记录", "How to check this": "如何核验",
    "Market holes": "市场无有效报价时间", "Days": "交易日明细", "Classes": "品种",
    # columns
    "Maker": "做市商", "Contract": "合约", "Class": "品种", "Quoted": "有效报价时间", "Required": "义务时间",
    "Lapsed": "中断时间", "Unknown": "未知时间", "Exempt": "豁免时间", "Slack": "剩余额度", "Longest": "最长",
    "Mostly for": "主要原因", "Kind": "类型", "Reason": "原因", "Start": "开始", "End": "结束", "Id": "编号",
    "Counted": "计入时间", "Failed by": "未达标之处", "Scope": "范围", "Effect": "效果",
    "File": "文件", "Bytes": "字节数",
    "SHA-256": "SHA-256", "Time": "时间", "Date": "日期", "Weight": "权重", "Version": "版本", "Weighted": "加权参与率",
    "Mean of days": "日均值", "Days passed": "达标天数", "Contracts passed": "达标合约",
    # sentences
    "No obligations.": "无报价义务。", "No lapse.": "无中断。", "No breach.": "无违规。", "No exemption.": "无豁免。",
    "Nothing lapsed.": "无中断时间。", "No market hole.": "无。", "none of its own": "未自行列出", "still on": "未结束",
    "never ended": "至期末未结束", "all makers": "全体做市商", "not given": "未提供",
    "The {shown} longest of {all}; all of them are in lapses.csv.":
        "共 {all} 次，此处列出最长的 {shown} 次；全部见 lapses.csv。",
    "Counted is the obliged time of a lapse: breaks and exempt time inside it do not count.":
        "计入时间为中断中属于义务的部分，休市与豁免时间不计入。",
    "The rules in words; the file with this SHA-256 decides.": "以下为规则的文字说明，以该 SHA-256 对应的文件为准。",
    "The same inputs and rulebook give these bytes again: mm-monitor report day CAPTURE --rulebook FILE.":
        "以同一规则重放同一输入：mm-monitor report day CAPTURE --rulebook FILE 可得到完全相同的文件。",
    "Every number comes from the days of the ledger whose hashes are given above.":
        "全部数字来自上列哈希值所对应的每日台账文件。",
    "Lengths of a second or more are cut to milliseconds; the csv and json files have every digit.":
        "一秒以上的时长截至毫秒；csv 与 json 文件保留全部位数。",
    "required {required}": "要求 {required}",
    "most at once {most}, of {all} obligations": "同时中断最多 {most} 项，共 {all} 项义务",
    "by {engine} from inputs whose hashes are inside": "由 {engine} 计算；输入文件哈希见内文",
    "applied": "已应用", "late": "迟到", "dead_letter": "无法使用", "duplicate": "重复", "no_obligation": "无义务",
}  # fmt: skip


def speaker(language: str) -> Say:
    """How to say a sentence in `language`: its values by name. KeyError for one that has no Chinese."""

    def say(text: str, **values: object) -> str:
        said = CHINESE[text] if language == "zh" else text
        return said.format(**values) if values else said

    return say


def share(text: str | None) -> str:
    """`0.899999999` as `89.9999999 %`, by moving the point; `-` for none."""
    if text is None:
        return "-"
    whole, _, rest = text.partition(".")
    digits = f"{int(whole + rest[:2])}.{rest[2:]}".rstrip("0").rstrip(".")
    return f"{digits} %"


def percent(ratio: Fraction | None) -> str:
    """An exact requirement as a percentage, cut at seven decimals; `-` for none."""
    if ratio is None:
        return "-"
    cut = ratio.numerator * 10**9 // ratio.denominator
    return share(f"{cut // 10**9}.{cut % 10**9:09d}")


def length(ns: int | None) -> str:
    """h:mm:ss with milliseconds, or with every digit if it is less than a second; `-` for none."""
    if ns is None:
        return "-"
    sign, ns = ("-" if ns < 0 else ""), abs(ns)
    seconds, rest = divmod(ns, NS)
    if seconds:
        rest -= rest % 1_000_000
    tail = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{tail}"


def instant(ts: int | None, zone: str, *, day: bool = True) -> str:
    """Local time of the venue with every digit that is not a trailing zero; `-` for none."""
    if ts is None:
        return "-"
    seconds, rest = divmod(ts, NS)
    local = datetime.fromtimestamp(seconds, ZoneInfo(zone or "UTC"))
    tail = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{local:%Y-%m-%d %H:%M:%S}{tail}" if day else f"{local:%H:%M:%S}{tail}"
