// Every word that the pages say, in English and Chinese; the terms are those of the glossary.
const ENGLISH = {
  overview: "Overview", breaches: "Breaches", holes: "Market holes", health: "Monitor", maker: "Maker", class: "Class",
  contract: "Contract", makers: "Makers", classes: "Classes", contracts: "Contracts", all: "All classes",
  skip: "Skip to the content", theme: "Theme", theme_auto: "Theme: auto", theme_light: "Theme: light", theme_dark: "Theme: dark",
  language: "Language", logout: "Log out", own_board: "Board of {maker}",
  connecting: "connecting", live: "live", lost: "No answer from the monitor since {at}. What you see is of then.",
  doubt: "Nobody can vouch for these verdicts now", doubt_not_ready: "The monitor is not ready: {detail}",
  doubt_source: "The feed does not answer: {detail}", doubt_behind: "The tape is behind the clock by {detail}",
  stress: "Stress", stress_in: "Extreme market in {scopes}: relief and stress time apply.", everywhere: "the whole market",
  exempt_in: "Exemption {kind} ({effect}) for {maker} in {scope}", everybody: "all makers",
  feed_down: "Feed of {maker} down in {scope}: its time is unknown", feed_waits: "Feed of {maker} in {scope} is back and waits for quotes",
  required: "required", presence: "Presence", slack: "Slack", slack_unit: "min", obligations: "Obligations", coverage: "Coverage",
  judged_by: "judged by {by}", ratio_of_sums: "ratio of sums", mean_of_ratios: "mean of ratios", each_window: "each window", days: "days", products: "products",
  trading_date: "Trading date", phase: "Phase", no_views: "Nothing has been judged yet.", as_of: "as of {at}",
  compliant: "compliant", breached: "below", indeterminate: "cannot be said", not_assessed: "not assessed", unreachable: "out of reach",
  failed: "failed", verdict: "Verdict",
  tile_makers: "makers meet it", tile_open: "open breaches", tile_lapsed: "obligations in a lapse", tile_unknown: "obligations unknown",
  tile_holes: "contracts had a market hole", heat: "Presence in %, slack in minutes",
  heat_help: "Presence so far, obligations in a lapse now (▾), and the slack that each contract has left on average.",
  by_name: "by name", worst_first: "worst first", order: "Order", attention: "Needs attention", calm: "Nobody is failing.",
  who: "Who", why: "Why", since: "Since", how_long: "How long they have", lasted: "Lasted", kind: "What", prove: "Prove it", open: "open", closed: "closed",
  lapsed_now: "{n} in a lapse", unknown_now: "{n} unknown", out_in: "out of reach in {time} at this burn", chance: "chance to fail by the close {n} % (a model)",
  left_slack: "{time} of slack for each contract", left_none: "no slack left", lost_already: "can no longer be met", day_over: "the day is over",
  absent: "no quote", one_sided: "one side only", crossed: "crossed", size: "size too small", unequal: "sizes unequal", spread: "spread too wide",
  off_theo: "far from theo", stale: "too old", flicker: "not rested",
  quoted: "quoted", deemed: "deemed quoted", lapsed: "lapsed", exempt: "exempt", unknown: "unknown", not_obliged: "not obliged",
  kind_presence: "presence", kind_presence_unreachable: "presence out of reach", kind_lapse: "lapse too long", kind_spread: "wide spread",
  kind_stress_presence: "presence under stress", kind_market_hole: "market hole", kind_rfq: "requests unanswered", kind_presence_at_risk: "presence at risk",
  phase_closed: "closed", phase_opening_auction: "opening auction", phase_continuous: "continuous trading", phase_break: "break",
  phase_closing_auction: "closing auction", phase_halt: "halt", phase_breaker_auction: "breaker auction", phase_: "no phase yet",
  state: "State", now: "Now", today: "Today", bid: "Bid", ask: "Ask", theo: "Theo", limit: "Widest allowed", width: "Width", age: "Quoted at", price: "Price", size_word: "Size",
  valid_now: "The quote is valid.", make_valid: "What would make it valid", nothing_owed: "No quote is owed now.", unknown_why: "It is not known what stands: nothing is held against the maker.",
  need_absent: "Quote a bid and an ask{width}, each of at least {size} contracts.", need_width: ", at most {width} apart",
  need_one_sided_bid: "Add a bid beside the ask.", need_one_sided_ask: "Add an ask beside the bid.", need_crossed: "Bid below {ask}.",
  need_size: "At least {size} contracts on each side.", need_unequal: "Bring the two sizes closer together.",
  need_spread: "At most {width} wide: with this bid an ask of at most {ask}, or with this ask a bid of at least {bid}.",
  need_off_theo: "A bid of at most {high} and an ask of at least {low}.", need_stale: "Repeat the quote within {age}.", need_flicker: "Leave the prices alone for at least {rest}.",
  chart: "Quotes and limits", chart_empty: "Remembering begins now: the chart fills while you look.", chart_full: "As many contracts are watched as may be; this one is not remembered.",
  chart_left_out: "{n} changes came too fast to be drawn.", spans: "What the time counted as", from: "From", until: "Until", what: "What", band: "allowed band around theo", band_edge: "band",
  lapses: "Lapses", longest: "Longest lapse", current: "Lapse now", last_valid: "Last valid", by_reason: "Lapsed by reason", others: "All makers on this contract",
  search: "Find a contract", more: "Show more", worst: "Obligations, least slack first", none_open: "No breach is open.", none: "None.", no_such: "There is no such page.", broken: "This page cannot be shown: {error}",
  hole: "Without any valid quote", hole_help: "Time of continuous trading in which no maker had a valid quote.", evidence: "Evidence", id: "Breach id", records: "The records that it rests on",
  command: "On the day's capture", command_part: "From the sealed evidence log", copy: "Copy", copied: "Copied",
  watermark: "Watermark", watermark_lag: "Behind the clock", records_applied: "Records judged", dead_letters: "Dead letters", late: "Came too late", duplicates: "Duplicates",
  waiting: "Wait for the watermark", backlog: "Backlog", topic: "Topic", partition: "Partition", sink: "Sink", lag: "Lag", dropped: "Dropped", failures: "Failures", checkpoint: "Checkpoint", version: "Version",
  not_yours: "The monitor's own health is shown to operations.", feeds: "Feeds", exemptions: "Exemptions on", s: "s", min: "min", h: "h", ago: "{time} ago",
  login_title: "Sign in", token: "Token", sign_in: "Sign in", login_wrong: "That is no token that the monitor knows.",
  login_help: "Paste the token that operations gave you. The browser keeps it in a cookie that no script can read.",
  seen: "Who has seen it", exempt_new: "Exempt somebody", maintenance_new: "Declare maintenance: nothing is known of that time", order_author: "Your name", order_note: "Note", order_send: "Send", order_done: "Written.", order_lost: "The monitor did not answer.", order_far: "No clock goes that far.",
  order_kind: "Kind", order_scope: "Class or contract", order_minutes: "Minutes from now", order_ago: "Began minutes ago", order_reason: "Reason", order_approver: "Approved by, if it reaches back",
};
const CHINESE = {
  overview: "总览", breaches: "违规", holes: "市场空档", health: "监控器", maker: "做市商", class: "品种", contract: "合约", makers: "做市商", classes: "品种", contracts: "合约", all: "全部品种",
  skip: "跳到正文", theme: "外观", theme_auto: "外观:自动", theme_light: "外观:浅色", theme_dark: "外观:深色", language: "语言", logout: "退出", own_board: "{maker} 的看板",
  connecting: "连接中", live: "实时", lost: "自 {at} 起监控器没有应答,所见为当时数据。", doubt: "目前无法为这些判定担保", doubt_not_ready: "监控器未就绪:{detail}",
  doubt_source: "行情源没有应答:{detail}", doubt_behind: "处理进度落后时钟 {detail}", stress: "极端行情", stress_in: "{scopes} 处于极端行情:适用放宽与极端时段规则。", everywhere: "全市场",
  exempt_in: "豁免 {kind}({effect}):{maker},范围 {scope}", everybody: "全部做市商", feed_down: "{maker} 在 {scope} 的行情中断:该时段记为未知", feed_waits: "{maker} 在 {scope} 的行情已恢复,等待报价",
  required: "要求", presence: "参与率", slack: "剩余额度", slack_unit: "分", obligations: "报价义务", coverage: "合约覆盖率", judged_by: "按{by}判定", ratio_of_sums: "时间合计之比", mean_of_ratios: "比率均值", each_window: "各时段", days: "天数", products: "品种数",
  trading_date: "交易日", phase: "阶段", no_views: "尚未作出任何判定。", as_of: "截至 {at}", compliant: "达标", breached: "低于要求", indeterminate: "无法判定", not_assessed: "未评估", unreachable: "已无法达标", failed: "未达标", verdict: "判定",
  tile_makers: "做市商达标", tile_open: "未结违规", tile_lapsed: "义务处于中断", tile_unknown: "义务状态未知", tile_holes: "合约出现过市场空档", heat: "参与率(%)与剩余额度(分钟)",
  heat_help: "当前参与率、处于中断的义务数(▾)、平均每合约剩余额度。", by_name: "按名称", worst_first: "最差在前", order: "排序", attention: "需要关注", calm: "没有做市商未达标。",
  who: "谁", why: "原因", since: "开始于", how_long: "还剩多少", lasted: "持续", kind: "事项", prove: "证据", open: "未结", closed: "已结", lapsed_now: "{n} 处中断", unknown_now: "{n} 处未知",
  out_in: "按当前消耗 {time} 后无法达标", chance: "收盘前未达标概率 {n} %(模型)", left_slack: "每合约剩余 {time}", left_none: "额度已用尽", lost_already: "已无法达标", day_over: "当日已结束",
  absent: "无报价", one_sided: "单边报价", crossed: "买卖倒挂", size: "数量不足", unequal: "两边数量悬殊", spread: "价差过宽", off_theo: "偏离理论价", stale: "报价过旧", flicker: "停留不足",
  quoted: "有效报价", deemed: "视为有效", lapsed: "中断", exempt: "豁免", unknown: "未知", not_obliged: "无义务", kind_presence: "参与率", kind_presence_unreachable: "参与率已无法达标", kind_lapse: "中断过长", kind_spread: "价差过宽",
  kind_stress_presence: "极端行情参与率", kind_market_hole: "市场空档", kind_rfq: "询价未回应", kind_presence_at_risk: "参与率告急", phase_closed: "闭市", phase_opening_auction: "开盘集合竞价", phase_continuous: "连续竞价", phase_break: "休市",
  phase_closing_auction: "收盘集合竞价", phase_halt: "停牌", phase_breaker_auction: "熔断集合竞价", phase_: "尚无阶段", state: "状态", now: "当前", today: "今日", bid: "买价", ask: "卖价", theo: "理论价", limit: "最大允许价差", width: "价差", age: "报价时间", price: "价格", size_word: "数量",
  valid_now: "报价有效。", make_valid: "怎样才有效", nothing_owed: "目前没有报价义务。", unknown_why: "不知道现有报价,不计做市商之过。", need_absent: "报出买价和卖价{width},每边至少 {size} 张。", need_width: ",价差不超过 {width}",
  need_one_sided_bid: "补上买价。", need_one_sided_ask: "补上卖价。", need_crossed: "买价须低于 {ask}。", need_size: "每边至少 {size} 张。", need_unequal: "使两边数量接近。", need_spread: "价差不超过 {width}:买价不变则卖价至多 {ask},卖价不变则买价至少 {bid}。",
  need_off_theo: "买价至多 {high},卖价至少 {low}。", need_stale: "在 {age} 内重复报价。", need_flicker: "价格至少保持 {rest}。", chart: "报价与界限", chart_empty: "从现在开始记录:查看期间图表逐步填充。", chart_full: "同时查看的合约已达上限,此合约不作记录。",
  chart_left_out: "有 {n} 次变化过快,未画出。", spans: "时间如何计算", from: "从", until: "至", what: "计为", band: "理论价周围的允许区间", band_edge: "区间", lapses: "中断次数", longest: "最长中断", current: "当前中断", last_valid: "最近有效", by_reason: "各原因中断时间", others: "此合约的全部做市商",
  search: "查找合约", more: "显示更多", worst: "报价义务,剩余额度最少在前", none_open: "没有未结违规。", none: "无。", no_such: "没有这个页面。", broken: "无法显示此页:{error}", hole: "无任何有效报价", hole_help: "连续竞价中没有任何做市商有效报价的时间。", evidence: "证据", id: "违规编号", records: "所依据的记录",
  command: "用当日录制数据", command_part: "用封存的证据日志", copy: "复制", copied: "已复制", watermark: "水位", watermark_lag: "落后时钟", records_applied: "已判定记录", dead_letters: "死信", late: "迟到", duplicates: "重复", waiting: "等待水位", backlog: "积压", topic: "主题", partition: "分区", sink: "输出", lag: "滞后",
  dropped: "丢弃", failures: "失败", checkpoint: "检查点", version: "版本", not_yours: "监控器自身状态仅对运营显示。", feeds: "行情源", exemptions: "生效中的豁免", s: "秒", min: "分", h: "时", ago: "{time}前",
  login_title: "登录", token: "令牌", sign_in: "登录", login_wrong: "监控器不认识这个令牌。", login_help: "粘贴运营给您的令牌。浏览器把它存在任何脚本都读不到的 cookie 里。",
  seen: "已知悉", exempt_new: "新增豁免", maintenance_new: "声明计划维护:该时段记为未知", order_author: "您的姓名", order_note: "备注", order_send: "提交", order_done: "已写入。", order_lost: "监控器没有应答。", order_far: "时间超出范围。",
  order_kind: "种类", order_scope: "品种或合约", order_minutes: "持续(分钟)", order_ago: "已开始(分钟前)", order_reason: "原因", order_approver: "追溯时的批准人",
};
const TABLES = { en: ENGLISH, zh: CHINESE };

let chosen = stored("language") || (navigator.language.startsWith("zh") ? "zh" : "en");

export function stored(name) {
  try { return localStorage.getItem(`mm-monitor.${name}`); } catch { return null; }
}
export function store(name, value) {
  try { localStorage.setItem(`mm-monitor.${name}`, value); } catch { /* a private window: it lasts as long as the page */ }
}

export const language = () => chosen;
export function speak(name) {
  chosen = name in TABLES ? name : "en";
  store("language", chosen);
  document.documentElement.lang = chosen === "zh" ? "zh-Hans" : "en";
}
document.documentElement.lang = chosen === "zh" ? "zh-Hans" : "en";

// The words for `key`, with {name} filled in; the key itself where nobody has said it.
export function t(key, values = {}) {
  const table = [TABLES[chosen], ENGLISH].find((one) => Object.hasOwn(one, key));
  const text = table?.[key] ?? key.replaceAll("_", " ");
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
export const known = (key) => Object.hasOwn(ENGLISH, key);
