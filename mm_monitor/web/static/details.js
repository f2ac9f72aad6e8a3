// One maker and one class: what they come to, and their obligations, those first that may lose least.
import { h, href, link } from "./dom.js";
import { NONE, count, duration, percent, slack } from "./format.js";
import { breachRows } from "./lists.js";
import { badge, head, standing, tile, time_left } from "./overview.js";
import { t } from "./words.js";

const ROWS = 50;
let shown = ROWS;
let sought = "";
let place = "";

function fresh(path) {
  if (place !== path) [place, shown, sought] = [path, ROWS, ""];
}

export const trail = (...parts) => h("nav", { class: "trail", "aria-label": t("overview") }, h("a", { href: "#/" }, t("overview")),
  parts.map((part, i) => [h("span", { "aria-hidden": "true" }, " › "), i === parts.length - 1 ? h("span", { "aria-current": "page" }, part[0]) : link(...part)]));

export function table(heads, rows, caption) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", { class: "list" }, h("thead", {}, h("tr", {}, heads.map(([word, kind]) => h("th", { scope: "col", class: kind ?? null }, word)))),
      h("tbody", {}, rows)));
}

export const number = (text, kind = "") => h("td", { class: `number ${kind}` }, text);

export function bookOf(board, id) {
  return board.rulebooks.find((book) => book.rulebook.id === id);
}

export function makerPage(state) {
  const { board, path: [, id, maker, klass = ""] } = state;
  const book = bookOf(board, id);
  const row = book?.makers.find((one) => one.maker === maker) ?? book?.classes.find((one) => one.maker === maker);
  const classes = book?.classes.filter((one) => one.maker === maker);
  if (!row || (klass && !classes.some((one) => one.class === klass))) return h("p", {}, t("no_such"));
  fresh(href(id, maker, klass));
  const query = new URLSearchParams({ rulebook: id, maker, class: klass, sort: "slack", limit: sought ? 5000 : shown });
  const open = book.breaches.filter((one) => one.maker === maker && (!klass || one.class === klass || !one.class));
  const here = classes.find((one) => one.class === klass) ?? row;
  return [
    trail(...(klass ? [[maker, "maker", id, maker], [klass]] : [[maker]])),
    h("div", { class: "title" }, h("h1", {}, maker, klass ? h("span", { class: "dim" }, ` · ${klass}`) : ""), badge(here, book)),
    h("div", { class: "tiles" },
      tile(percent(here.presence), t("presence"), standing(here, book), `/ ${percent(book.required)}`),
      tile(`${slack(here)} ${t("slack_unit")}`, t("slack"), here.slack_ns < 0 ? "below" : "", time_left(here, book)),
      tile(count(here.lapsed_now), t("tile_lapsed"), here.lapsed_now ? "below" : "", `/ ${count(here.obligations)}`),
      tile(count(here.unknown_now), t("tile_unknown"), here.unknown_now ? "doubt" : ""),
      here.failure_probability ? tile(`${Math.round(here.failure_probability * 100)} %`, t("chance", { n: "" }).replace(/\s*%.*$/, "").trim(), "") : ""),
    h("div", { class: "card" }, h("h2", {}, t("classes")), table(
      [[t("class")], [t("presence"), "number"], [`${t("slack")} (${t("slack_unit")})`, "number"], [t("verdict")], [t("lapsed"), "number"], [t("why")]],
      classes.map((one) => h("tr", { "data-key": one.class, class: one.class === klass ? "chosen" : null },
        h("th", { scope: "row" }, link(one.class, "maker", id, maker, one.class)), number(percent(one.presence)), number(slack(one)), h("td", {}, badge(one, book)),
        number(`${one.lapsed_now} / ${one.obligations}`), h("td", { class: "dim" }, one.reason ? t(one.reason) : NONE))), t("classes"))),
    open.length ? h("div", { class: "card" }, h("h2", {}, t("breaches")), breachRows(open.slice(0, 20), book)) : "",
    h("div", { class: "card" }, obligations(state, state.ask(`/api/v1/obligations?${query}`), book, "contract")),
  ];
}

export function classPage(state) {
  const { board, path: [, id, klass] } = state;
  const book = bookOf(board, id);
  if (!book?.classes_known.includes(klass)) return h("p", {}, t("no_such"));
  fresh(href(id, klass));
  const rows = book.classes.filter((one) => one.class === klass);
  const query = new URLSearchParams({ rulebook: id, class: klass, sort: "slack", limit: sought ? 5000 : shown });
  const holes = board.maker ? null : state.ask(`/api/v1/holes?rulebook=${encodeURIComponent(id)}`);
  const mine = holes?.holes?.filter((one) => one.class === klass) ?? [];
  return [
    trail([klass]),
    h("div", { class: "title" }, h("h1", {}, klass)),
    h("div", { class: "card" }, h("h2", {}, t("makers")), table(
      [[t("maker")], [t("presence"), "number"], [`${t("slack")} (${t("slack_unit")})`, "number"], [t("verdict")], [t("how_long")], [t("lapsed"), "number"], [t("why")]],
      rows.map((one) => h("tr", { "data-key": one.maker }, h("th", { scope: "row" }, link(one.maker, "maker", id, one.maker, klass)),
        number(percent(one.presence)), number(slack(one)), h("td", {}, badge(one, book)), h("td", { class: "dim" }, time_left(one, book)),
        number(`${one.lapsed_now} / ${one.obligations}`), h("td", { class: "dim" }, one.reason ? t(one.reason) : NONE))), t("makers"))),
    mine.length ? h("div", { class: "card" }, h("h2", {}, t("holes")), table([[t("contract")], [t("hole"), "number"]],
      mine.slice(0, 10).map((one) => h("tr", {}, h("th", { scope: "row" }, one.contract), number(duration(one.hole_ns)))), t("holes"))) : "",
    h("div", { class: "card" }, obligations(state, state.ask(`/api/v1/obligations?${query}`), book, "both")),
  ];
}

export const stateWords = (text) => {
  const [state, reason] = text.split(":");
  return reason ? t(reason) : t(state);
};

export function stateBadge(text, obliged = true) {
  const kind = !obliged ? "none" : { quoted: "good", deemed: "good", lapsed: "below", unknown: "doubt", exempt: "none" }[text.split(":")[0]];
  const sign = { good: "✓", below: "▼", doubt: "?", none: "·" }[kind];
  return h("span", { class: `verdict ${kind}` }, h("span", { "aria-hidden": "true" }, `${sign} `), obliged ? stateWords(text) : t("not_obliged"));
}

// An obligation's presence: quoted of what was required of it, cut and not rounded.
export function presence(row) {
  const all = row.quoted_ns + row.lapsed_ns + row.unknown_ns;
  return all ? (Math.floor((row.quoted_ns / all) * 1e4) / 1e4).toFixed(9) : null;
}

function obligations(state, answer, book, names) {
  const seek = (event) => { sought = event.target.value; state.redraw(); };
  const rows = (answer?.obligations ?? []).filter((one) => one.contract.toLowerCase().includes(sought.toLowerCase())).slice(0, shown);
  const both = names === "both";
  const more = () => { shown += 200; state.redraw(); };
  return [
    h("div", { class: "cardhead" }, h("h2", {}, t("worst")), h("label", { class: "dim" }, `${t("search")} `, h("input", { type: "search", value: sought, oninput: seek }))),
    table([...(both ? [[t("maker")]] : []), [t("contract")], [t("state")], [t("presence"), "number"], [`${t("slack")} (${t("slack_unit")})`, "number"], [t("current"), "number"], [t("lapses"), "number"], [t("longest"), "number"]],
      rows.map((one) => h("tr", { "data-key": href(one.maker, one.contract) },
        both ? h("th", { scope: "row" }, link(one.maker, "maker", one.rulebook, one.maker)) : "",
        h(both ? "td" : "th", both ? {} : { scope: "row" }, link(one.contract, "contract", one.rulebook, one.maker, one.contract)),
        h("td", {}, stateBadge(one.state, one.obliged)), number(percent(presence(one))), number(slack({ slack_ns: one.slack_ns, obligations: 1 }), one.slack_ns < 0 ? "bad" : ""),
        number(one.current_lapse_ns ? duration(one.current_lapse_ns) : NONE), number(count(one.lapses)), number(duration(one.longest_lapse_ns)))), t("worst")),
    answer && shown < answer.total && !sought ? h("button", { class: "plain", type: "button", onclick: more }, `${t("more")} (${count(answer.total - shown)})`) : "",
  ];
}
