// One obligation under the glass: what stands, what would make it valid, and its quotes on one time axis.
import { draw } from "./chart.js";
import { bookOf, presence, stateBadge, stateWords, table, number, trail } from "./details.js";
import { h, href, link } from "./dom.js";
import { NONE, clock, count, duration, percent, slack, stamp } from "./format.js";
import { breachRows, commands, words } from "./lists.js";
import { t } from "./words.js";

// What is remembered of the one that is looked at; the service is asked only for what is new.
let past = { key: "", points: [], spans: [], last: 0 };

function remember(key, answer) {
  if (past.key !== key) past = { key, points: [], spans: [], last: 0 };
  const { points, spans } = answer.history;
  const last = past.points.at(-1)?.[0] ?? -1;
  past.points.push(...points.filter((point) => point[0] > last));
  if (spans.length) past.spans = [...past.spans.filter((span) => span[0] < spans[0][0]), ...spans];
  past.points.splice(0, past.points.length - 20000);
  return past;
}

export function contractPage(state) {
  const { board, path: [, id, maker, contract] } = state;
  const book = bookOf(board, id);
  if (!book || !contract) return h("p", {}, t("no_such"));
  const answer = state.ask(`/api/v1/contract?${new URLSearchParams({ rulebook: id, maker, contract })}`);
  const listed = state.ask(`/api/v1/obligations?${new URLSearchParams({ rulebook: id, contract })}`);
  const crumbs = trail([maker, "maker", id, maker], ...(answer?.class ? [[answer.class, "maker", id, maker, answer.class]] : []), [contract]);
  if (answer === null) return crumbs;
  if (answer.error) return [crumbs, h("p", {}, t("no_such"))];
  const zone = book.around?.zone ?? "UTC";
  const key = href(id, maker, contract);
  const seen = remember(key, answer);
  const mine = listed?.obligations?.find((one) => one.maker === maker);
  const breaches = book.breaches.filter((one) => one.maker === maker && one.contract === contract);
  return [
    crumbs,
    h("div", { class: "title" }, h("h1", {}, contract, h("span", { class: "dim" }, ` · ${maker}`)),
      stateBadge(answer.reason ? `lapsed:${answer.reason}` : answer.state, answer.state !== "not_obliged"),
      mine?.current_lapse_ns ? h("span", { class: "dim" }, duration(mine.current_lapse_ns)) : ""),
    h("div", { class: "columns even" }, advice(answer), standing(answer, zone)),
    h("div", { class: "card" }, h("div", { class: "cardhead" }, h("h2", {}, t("chart")), legend()),
      h("div", { class: "chart", "data-keep": "", "data-key": key, id: "chart", role: "img", "aria-label": t("chart") }),
      notes(answer, seen)),
    mine ? totals(mine) : "",
    h("div", { class: "columns even" }, spans(seen, zone), prove(answer, id, zone)),
    breaches.length ? h("div", { class: "card" }, h("h2", {}, t("breaches")), breachRows(breaches, book)) : "",
    !board.maker && listed?.obligations?.length > 1 ? others(listed.obligations, id) : "",
    later(() => draw(document.getElementById("chart"), seen, answer, book.around, zone)),
  ];
}

// The chart is drawn when its place is in the page.
function later(work) {
  requestAnimationFrame(work);
  return "";
}

function notes(answer, seen) {
  if (!answer.history.kept) return h("p", { class: "dim small" }, t("chart_full"));
  const left = answer.history.left_out ? t("chart_left_out", { n: count(answer.history.left_out) }) : "";
  return h("p", { class: "dim small" }, seen.points.length < 3 ? t("chart_empty") : "", left);
}

function legend() {
  return h("ul", { class: "legend" }, [["bid", "bid"], ["ask", "ask"], ["theo", "theo"], ["band", "band"], ["lapsedmark", "lapsed"]].map(([kind, word]) =>
    h("li", {}, h("span", { class: `mark ${kind}`, "aria-hidden": "true" }), t(word))));
}

function advice(answer) {
  const needs = answer.needs;
  const failed = Object.keys(answer.failed_by);
  if (answer.reason && !failed.includes(answer.reason)) failed.push(answer.reason);
  const said = failed.map((name) => {
    if (name === "one_sided") return t(answer.quote?.bid_price ? "need_one_sided_ask" : "need_one_sided_bid");
    const width = needs.widest ? t("need_width", { width: needs.widest }) : "";
    return t(`need_${name}`, {
      width: name === "spread" ? needs.widest : width, size: needs.least_size, ask: name === "crossed" ? answer.quote?.ask_price : needs.ask_at_most,
      bid: needs.bid_at_least, high: needs.bid_at_most, low: needs.ask_at_least,
      age: needs.max_age_ns ? duration(needs.max_age_ns) : "", rest: needs.min_rest_ns ? duration(needs.min_rest_ns) : "",
    });
  });
  const calm = { quoted: "valid_now", deemed: "valid_now", not_obliged: "nothing_owed", exempt: "nothing_owed", unknown: "unknown_why" }[answer.state];
  return h("div", { class: "card advice" }, h("h2", {}, t("make_valid")), calm ? h("p", { class: answer.state === "quoted" ? "calm" : "" }, t(calm)) : "",
    said.length ? h("ul", {}, said.map((one, i) => h("li", {}, h("b", {}, t(failed[i])), answer.failed_by[failed[i]] && failed[i] !== "one_sided" ? h("span", { class: "dim" }, ` (${answer.failed_by[failed[i]]})`) : "", h("br"), one))) : "");
}

function standing(answer, zone) {
  const quote = answer.quote ?? {};
  const width = quote.bid_price && quote.ask_price ? decimals(Number(quote.ask_price) - Number(quote.bid_price)) : NONE;
  const rows = [
    [t("bid"), quote.bid_price ?? NONE, quote.bid_price ? `× ${quote.bid_size}` : ""], [t("ask"), quote.ask_price ?? NONE, quote.ask_price ? `× ${quote.ask_size}` : ""],
    [t("width"), width, answer.limit ? `${t("limit")} ${answer.limit}` : ""], [t("theo"), answer.theo?.theo ?? NONE, answer.theo ? clock(answer.theo.ts_event, zone) : ""],
    [t("age"), clock(quote.ts_event, zone), quote.ts_event ? t("ago", { time: duration(Math.max(0, answer.at - quote.ts_event)) }) : ""],
  ];
  return h("div", { class: "card" }, h("h2", {}, t("now")), h("table", { class: "facts-table" }, h("tbody", {}, rows.map(([word, value, more]) =>
    h("tr", {}, h("th", { scope: "row" }, word), number(value), h("td", { class: "dim" }, more))))));
}

const decimals = (value) => String(Number(value.toFixed(8)));

function totals(mine) {
  const reasons = Object.entries(mine.lapsed_by_reason_ns).filter(([, ns]) => ns).sort((a, b) => b[1] - a[1]);
  const most = Math.max(1, ...reasons.map(([, ns]) => ns));
  const facts = [[t("presence"), percent(presence(mine))], [`${t("slack")} (${t("slack_unit")})`, slack({ slack_ns: mine.slack_ns, obligations: 1 })], [t("quoted"), duration(mine.quoted_ns)],
    [t("lapsed"), duration(mine.lapsed_ns)], [t("exempt"), duration(mine.exempt_ns)], [t("unknown"), duration(mine.unknown_ns)], [t("lapses"), count(mine.lapses)], [t("longest"), duration(mine.longest_lapse_ns)]];
  return h("div", { class: "card" }, h("h2", {}, t("today")), h("dl", { class: "factlist" }, facts.map(([word, value]) => h("div", {}, h("dt", {}, word), h("dd", {}, value)))),
    reasons.length ? h("div", { class: "reasons" }, h("h3", {}, t("by_reason")), reasons.map(([name, ns]) => h("div", { class: "bar" }, h("span", {}, t(name)),
      h("i", { class: `fill ${name}`, style: { width: `${(60 * ns) / most}%` } }), h("span", { class: "dim" }, duration(ns))))) : "");
}

function spans(seen, zone) {
  const rows = seen.spans.slice(-12).reverse().map(([start, end, state, reason]) => h("tr", {}, h("td", {}, clock(start, zone)), h("td", {}, stateWords(reason ? `${state}:${reason}` : state)), number(duration(end - start))));
  return h("div", { class: "card" }, h("h2", {}, t("spans")), rows.length ? table([[t("from")], [t("what")], [t("lasted"), "number"]], rows, t("spans")) : h("p", { class: "dim" }, t("chart_empty")));
}

function prove(answer, id, zone) {
  const sources = [[t("age"), answer.quote?.source], [t("theo"), answer.theo?.source]].filter(([, one]) => one);
  return h("div", { class: "card" }, h("h2", {}, t("prove")), commands([[t("command"), `mm-monitor explain CAPTURE ${words(answer.maker, answer.contract, "--rulebook", id, "--at", stamp(answer.at, zone))}`]]),
    sources.length ? [h("h3", {}, t("records")), h("ul", { class: "small" }, sources.map(([word, one]) => h("li", {}, `${word}: `, h("code", {}, `${one.topic} [${one.partition}] @ ${one.offset}`))))] : "");
}

function others(rows, id) {
  return h("div", { class: "card" }, h("h2", {}, t("others")), table([[t("maker")], [t("state")], [t("presence"), "number"], [`${t("slack")} (${t("slack_unit")})`, "number"], [t("lapses"), "number"]],
    rows.map((one) => h("tr", { "data-key": one.maker }, h("th", { scope: "row" }, link(one.maker, "contract", id, one.maker, one.contract)), h("td", {}, stateBadge(one.state, one.obliged)),
      number(percent(presence(one))), number(slack({ slack_ns: one.slack_ns, obligations: 1 })), number(count(one.lapses)))), t("others")));
}
