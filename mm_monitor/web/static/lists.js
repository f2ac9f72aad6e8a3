// Breaches, one breach with its grounds, market holes, and the monitor's own health.
import { table, number, trail } from "./details.js";
import { h, href, link } from "./dom.js";
import { NONE, bytes, clock, count, duration, stamp } from "./format.js";
import { acknowledgement, intervals, mayOrder } from "./orders.js";
import { tile, time_left } from "./overview.js";
import { known, t } from "./words.js";

// The reason of a breach; where it has none, as at maker level, what most of the time was lost by.
function why(one, row) {
  const reason = one.reason || one.evidence?.dominant_reason || row?.reason;
  return reason ? t(reason) : t(`kind_${one.kind}`);
}

function rowOf(one, book) {
  const rows = one.class ? book.classes : book.makers;
  return rows.find((row) => row.maker === one.maker && (!one.class || row.class === one.class));
}

export function breachRows(breaches, book) {
  const zone = book.around?.zone ?? "UTC";
  return table([[t("kind")], [t("who")], [t("contract")], [t("why")], [t("since")], [t("lasted"), "number"], [t("how_long")]],
    breaches.map((one) => h("tr", { "data-key": one.id, class: one.end === null ? null : "over" },
      h("th", { scope: "row" }, h("a", { href: href("breach", one.id) }, t(`kind_${one.kind}`)), one.end === null ? "" : h("span", { class: "dim" }, ` · ${t("closed")}`)),
      h("td", {}, one.maker ? link(one.maker, "maker", book.rulebook.id, one.maker) : NONE),
      h("td", {}, one.contract && one.maker ? link(one.contract, "contract", book.rulebook.id, one.maker, one.contract) : one.contract || NONE),
      h("td", {}, why(one, rowOf(one, book))), h("td", {}, clock(one.start, zone)), number(duration((one.end ?? book.at) - one.start)),
      h("td", { class: "dim" }, one.end === null ? time_left(rowOf(one, book), book) : NONE))), t("breaches"));
}

export function breachesPage({ board }) {
  return [h("h1", {}, t("breaches")), board.rulebooks.map((book) => {
    const open = book.breaches.filter((one) => one.end === null);
    const over = book.breaches.filter((one) => one.end !== null);
    return h("section", { "data-key": book.rulebook.id }, h("div", { class: "card" }, h("h2", {}, `${t("open")} · ${count(book.open_breaches)}`), open.length ? breachRows(open, book) : h("p", { class: "calm" }, t("none_open"))),
      over.length ? h("div", { class: "card" }, h("h2", {}, t("closed")), breachRows(over, book)) : "");
  })];
}

export function breachPage(state) {
  const { board, path: [, id] } = state;
  if (!id) return h("p", {}, t("no_such"));
  const answer = state.ask(`/api/v1/breaches?id=${encodeURIComponent(id)}`);
  const crumbs = trail([t("breaches"), "breaches"], [id.slice(0, 8)]);
  if (answer === null) return crumbs;
  const one = answer.breaches?.[0];
  const book = board.rulebooks.find((each) => each.rulebook.id === one?.rulebook.id);
  if (!book) return [crumbs, h("p", {}, t("no_such"))];
  const zone = book.around?.zone ?? "UTC";
  const day = `CAPTURE ${words(one.maker, one.contract || "CONTRACT", "--rulebook", one.rulebook.id, "--at", stamp(one.start, zone))}`;
  return [
    crumbs,
    h("div", { class: "title" }, h("h1", {}, t(`kind_${one.kind}`)), h("span", { class: `verdict ${one.end === null ? "below" : "none"}` }, t(one.end === null ? "open" : "closed"))),
    h("div", { class: "tiles answers" },
      tile(one.maker ? link(one.maker, "maker", one.rulebook.id, one.maker) : NONE, t("who"), "", [one.class, one.contract].filter(Boolean).join(" · ")),
      tile(why(one, rowOf(one, book)), t("why")), tile(clock(one.start, zone), t("since"), "", `${t("lasted")} ${duration((one.end ?? book.at) - one.start)}`),
      tile(one.end === null ? time_left(rowOf(one, book), book) : t("closed"), t("how_long"))),
    h("div", { class: "columns even" },
      h("div", { class: "card" }, h("h2", {}, t("evidence")), tree(one.evidence, zone)),
      h("div", { class: "card" }, h("h2", {}, t("prove")), h("h3", {}, t("id")), h("p", {}, h("code", {}, one.id)),
        commands([...(one.maker ? [[t("command"), `mm-monitor explain ${day}`], [t("command_part"), `mm-monitor evidence part LOG ${words(`--maker=${one.maker}`)}`]] : [])]),
        one.contract && one.maker ? h("p", {}, link(`${t("chart")}: ${one.contract}`, "contract", one.rulebook.id, one.maker, one.contract)) : "")),
    mayOrder(board) ? acknowledgement(one.id, state.redraw, zone) : "",
  ];
}

// Evidence as it is, names in words where there are any; instants on the venue's clock.
function tree(value, zone, name = "") {
  if (value === null || value === undefined || value === "") return h("span", { class: "dim" }, NONE);
  if (typeof value === "object") {
    return h("dl", { class: "tree" }, Object.entries(value).map(([key, one]) => h("div", {}, h("dt", {}, known(key) ? t(key) : key.replaceAll("_", " ").replace(/ ns$/, "")), h("dd", {}, tree(one, zone, key)))));
  }
  if (["ts_event", "began", "at"].includes(name)) return clock(value, zone);
  if (name.endsWith("_ns")) return duration(value);
  return known(value) ? t(value) : String(value);
}

// Words of a command line as a shell reads them: a name may hold what would run there.
export const words = (...parts) => parts.map((part) => (/^[\w./:=@%+-]+$/.test(part) ? part : `'${part.replaceAll("'", "'\\''")}'`)).join(" ");

// Command lines to copy.
export function commands(rows) {
  return rows.map(([word, line]) => {
    const copy = async (event) => { await navigator.clipboard.writeText(line); event.target.textContent = t("copied"); };
    return [h("h3", {}, word), h("div", { class: "command" }, h("code", { tabindex: 0 }, line), h("button", { class: "plain", type: "button", onclick: copy }, t("copy")))];
  });
}

export function holesPage(state) {
  const answer = state.ask("/api/v1/holes");
  const rows = answer?.holes ?? [];
  return [h("h1", {}, t("holes")), h("p", { class: "dim" }, t("hole_help")), h("div", { class: "card" },
    rows.length === 0 ? h("p", { class: "calm" }, t("none")) : table([[t("contract")], [t("class")], [t("hole"), "number"]],
      rows.slice(0, 200).map((one) => h("tr", { "data-key": one.contract }, h("th", { scope: "row" }, one.contract), h("td", {}, link(one.class, "class", one.rulebook, one.class)), number(duration(one.hole_ns)))), t("holes")))];
}

export function healthPage({ board, redraw }) {
  const { health } = board;
  if (!health) return [h("h1", {}, t("health")), h("p", {}, t("not_yours"))];
  const zone = board.rulebooks[0]?.around?.zone ?? "UTC";
  const judged = Object.values(health.records).reduce((sum, n) => sum + n, 0);
  const dead = Object.entries(health.dead_letters);
  const around = board.rulebooks.flatMap((book) => (book.around ? [book.around] : []));
  return [
    h("h1", {}, t("health")),
    h("div", { class: "tiles" },
      tile(clock(health.watermark, zone), t("watermark"), "", zone), tile(duration(health.watermark_lag_ns), t("watermark_lag")),
      tile(count(judged), t("records_applied")), tile(count(dead.reduce((sum, [, n]) => sum + n, 0)), t("dead_letters"), dead.length ? "below" : "", dead.map(([reason, n]) => `${reason.replaceAll("_", " ")} ${n}`).join(", ")),
      tile(count(health.late), t("late"), health.late ? "below" : ""), tile(count(health.waiting_rows), t("waiting")),
      health.checkpoint ? tile(`${health.checkpoint.age_seconds} ${t("s")}`, t("checkpoint"), health.checkpoint.failures ? "below" : "", bytes(health.checkpoint.bytes)) : "", tile(health.version, t("version"))),
    h("div", { class: "columns even" },
      h("div", { class: "card" }, h("h2", {}, t("feeds")), table([[t("topic")], [t("partition"), "number"], [t("backlog"), "number"]],
        health.partitions.map((one) => h("tr", {}, h("th", { scope: "row" }, one.topic), number(one.partition), number(count(one.backlog)))), t("feeds")),
        around.map((one) => one.feeds_down.map((feed) => h("p", { class: "verdict doubt" }, t(feed.waits ? "feed_waits" : "feed_down", named(feed)))))),
      h("div", { class: "card" }, h("h2", {}, t("sink")), table([[t("sink")], [t("lag"), "number"], [t("dropped"), "number"], [t("failures"), "number"]],
        health.sinks.map((one) => h("tr", {}, h("th", { scope: "row" }, one.name), number(`${one.lag_seconds} ${t("s")}`), number(count(one.dropped)), number(count(one.failures)))), t("sink")))),
    around.some((one) => one.exemptions.length) ? h("div", { class: "card" }, h("h2", {}, t("exemptions")), h("ul", {}, around.map((one) => one.exemptions.map((each) => h("li", {}, t("exempt_in", { ...named(each), kind: each.kind, effect: each.effect })))))) : "",
    mayOrder(board) ? intervals(redraw) : "",
  ];
}

const named = ({ scope, maker }) => ({ scope: scope === "*" ? t("everywhere") : scope, maker: maker === "*" ? t("everybody") : maker });
