// The overview: makers by classes, coloured by how presence stands against the requirement; beside it who is failing.
import { h, href, link } from "./dom.js";
import { NONE, clock, count, duration, percent, slack } from "./format.js";
import { store, stored, t } from "./words.js";

const SIGNS = { good: "✓", below: "▼", gone: "✕", doubt: "?", none: "·" };
let order = stored("order") ?? "by_name";

// How a row (a maker, or a maker in a class) stands: good | below | gone | doubt | none.
export function standing(row, book) {
  if (row.unreachable) return "gone";
  if (row.verdict === "not_assessed") return "none";
  if (row.verdict === "indeterminate") return "doubt";
  if (row.verdict === "compliant") return "good";
  return book.period.end === null ? "below" : "gone";
}

export function verdict(row, book) {
  if (row.unreachable) return t("unreachable");
  return row.verdict === "breached" && book.period.end !== null ? t("failed") : t(row.verdict);
}

export function badge(row, book) {
  const kind = standing(row, book);
  return h("span", { class: `verdict ${kind}` }, h("span", { "aria-hidden": "true" }, `${SIGNS[kind]} `), verdict(row, book));
}

// Four shades of what is left: how far presence is above the requirement, of how far it can be.
function shade(row, book) {
  const kind = standing(row, book);
  if (kind !== "good" && kind !== "below") return kind;
  const required = Number(book.required ?? 0);
  const margin = (Number(row.presence ?? 0) - required) / Math.max(1e-9, 1 - required);
  const step = kind === "good" ? Math.min(3, Math.floor(margin * 4)) : Math.min(2, Math.floor(-margin / 2));
  return `${kind} s${Math.max(0, step)}`;
}

export function overviewPage({ board, redraw }) {
  if (!board.rulebooks.length) return h("p", { class: "dim" }, t("no_views"));
  return board.rulebooks.map((book) => h("section", { "data-key": book.rulebook.id, class: "book" }, head(book), tiles(book, board),
    h("div", { class: "columns" }, heat(book, redraw), attention(book))));
}

export function head(book) {
  const zone = book.around?.zone ?? "UTC";
  const facts = [
    book.trading_date, t(`phase_${book.around?.phase ?? ""}`), `${percent(book.required)} ${t("required")}`,
    t("judged_by", { by: t(book.judged_by) }), t("as_of", { at: `${clock(book.at, zone)} ${zone}` }),
  ];
  return h("div", { class: "head" }, h("h1", {}, book.around?.title || book.rulebook.id),
    h("p", { class: "facts" }, h("code", {}, `${book.rulebook.id} v${book.rulebook.version}`), facts.filter(Boolean).map((one) => h("span", {}, one))));
}

export function tile(number, words, kind = "", sub = "") {
  return h("div", { class: `tile ${kind}` }, h("b", {}, number), h("span", {}, words), sub ? h("small", { class: sub.startsWith("/") ? "beside" : null }, sub) : "");
}

function tiles(book, board) {
  const judged = book.makers.filter((row) => row.verdict !== "not_assessed");
  const good = judged.filter((row) => standing(row, book) === "good").length;
  const lapsed = book.makers.reduce((sum, row) => sum + row.lapsed_now, 0);
  const unknown = book.makers.reduce((sum, row) => sum + row.unknown_now, 0);
  if (board.maker) return "";
  return h("div", { class: "tiles" },
    tile(`${good} / ${judged.length}`, t("tile_makers"), good === judged.length ? "good" : "below"),
    tile(count(book.open_breaches), t("tile_open"), book.open_breaches ? "below" : "good"),
    tile(count(lapsed), t("tile_lapsed"), "", `/ ${count(book.obligations)}`),
    tile(count(unknown), t("tile_unknown"), unknown ? "doubt" : ""),
    book.holes ? tile(count(book.holes.contracts), t("tile_holes"), "", `/ ${count(book.contracts)}`) : "");
}

function ordered(book) {
  const rows = [...book.makers];
  const worth = (row) => (row.slack_ns === null ? Infinity : row.slack_ns / Math.max(1, row.obligations));
  return order === "worst_first" ? rows.sort((a, b) => worth(a) - worth(b)) : rows;
}

function heat(book, redraw) {
  const cells = new Map(book.classes.map((row) => [`${row.maker}\n${row.class}`, row]));
  const choose = (event) => { order = event.target.value; store("order", order); redraw(); };
  const help = `${book.rulebook.id}-heat-help`;
  return h("div", { class: "card wide" },
    h("div", { class: "cardhead" }, h("h2", {}, t("heat")),
      h("label", { class: "dim" }, `${t("order")} `, h("select", { onchange: choose },
        ["by_name", "worst_first"].map((name) => h("option", { value: name, selected: name === order }, t(name)))))),
    h("p", { class: "dim small", id: help }, t("heat_help")),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("heat") },
      h("table", { class: "heat", "aria-describedby": help, onkeydown: walk },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("maker")), h("th", { scope: "col" }, t("all")),
          book.classes_known.map((name) => h("th", { scope: "col" }, link(name, "class", book.rulebook.id, name))))),
        h("tbody", {}, ordered(book).map((row) => h("tr", { "data-key": row.maker },
          h("th", { scope: "row" }, link(row.maker, "maker", book.rulebook.id, row.maker)),
          cell(row, book, true), book.classes_known.map((name) => cell(cells.get(`${row.maker}\n${name}`), book))))))),
    legend());
}

function legend() {
  const kinds = [["good s2", "good", "compliant"], ["below s0", "below", "breached"], ["gone", "gone", "unreachable"], ["doubt", "doubt", "indeterminate"], ["none", "none", "not_assessed"]];
  return h("ul", { class: "legend" }, kinds.map(([shades, sign, word]) =>
    h("li", {}, h("span", { class: `swatch ${shades}`, "aria-hidden": "true" }, SIGNS[sign]), t(word))));
}

function cell(row, book, sum = false) {
  if (!row) return h("td", { class: "empty" }, h("span", { class: "dim" }, NONE));
  const kind = standing(row, book);
  const out = row.lapsed_now ? t("lapsed_now", { n: row.lapsed_now }) : "";
  const unknown = row.unknown_now ? t("unknown_now", { n: row.unknown_now }) : "";
  const path = row.class ? ["maker", book.rulebook.id, row.maker, row.class] : ["maker", book.rulebook.id, row.maker];
  return h("td", { class: `${shade(row, book)}${sum ? " sum" : ""}${row.unknown_now ? " hatched" : ""}` },
    h("a", { href: href(...path), title: [out, unknown].filter(Boolean).join(", ") || null },
      spoken(`${row.maker} ${row.class ?? ""}: `),
      h("span", { class: "first" }, h("i", { "aria-hidden": "true" }, SIGNS[kind]), percent(row.presence).replace(" %", "")),
      spoken(" %"),
      spoken(` ${verdict(row, book)}. ${out} `),
      row.lapsed_now ? h("span", { class: "out", "aria-hidden": "true" }, `▾${row.lapsed_now}`) : "",
      spoken(`${unknown} ${t("slack")} `),
      h("span", { class: "second" }, slack(row)), spoken(` ${t("slack_unit")}`)));
}

const spoken = (text) => h("span", { class: "spoken" }, text);

// The arrow keys go from cell to cell.
function walk(event) {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const here = event.target.closest("td, th");
  if (!step || !here) return;
  const rows = [...event.currentTarget.rows];
  const next = rows[rows.indexOf(here.parentElement) + step[0]]?.cells[here.cellIndex + step[1]]?.querySelector("a");
  if (next) { next.focus(); event.preventDefault(); }
}

// How long a maker has before it is too late, in words.
export function time_left(row, book) {
  if (!row || row.slack_ns === null) return NONE;
  if (row.unreachable) return t("lost_already");
  if (book.period.end !== null) return t("day_over");
  if (row.to_unreachable_ns !== null) return t("out_in", { time: duration(row.to_unreachable_ns) });
  if (row.slack_ns < 0) return t("left_none");
  return t("left_slack", { time: duration(Math.floor(row.slack_ns / Math.max(1, row.obligations))) });
}

const why = (row) => (row.reason ? t(row.reason) : "");

function attention(book) {
  const zone = book.around?.zone ?? "UTC";
  const bad = book.makers.filter((row) => ["below", "gone", "doubt"].includes(standing(row, book)) || row.to_unreachable_ns !== null);
  const worth = (row) => (row.unreachable ? 1e30 : 0) - (row.slack_ns ?? 0) / Math.max(1, row.obligations);
  bad.sort((a, b) => worth(b) - worth(a));
  const opened = (row) => book.breaches.filter((one) => one.maker === row.maker && one.end === null).at(-1);
  return h("div", { class: "card side" }, h("h2", {}, t("attention")),
    bad.length === 0 ? h("p", { class: "calm" }, t("calm")) : h("ol", { class: "attention" }, bad.slice(0, 12).map((row) => {
      const breach = opened(row);
      return h("li", { "data-key": row.maker }, h("div", { class: "who" }, link(row.maker, "maker", book.rulebook.id, row.maker), badge(row, book)),
        h("div", { class: "what" }, h("span", {}, percent(row.presence)), h("span", {}, why(row))),
        h("div", { class: "dim small" }, time_left(row, book)),
        breach ? h("div", { class: "small" }, h("a", { href: href("breach", breach.id) }, `${t(`kind_${breach.kind}`)}`), h("span", { class: "dim" }, ` ${t("since")} ${clock(breach.start, zone)}`)) : "");
    })));
}
