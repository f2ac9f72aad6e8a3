// What operations write: that they have seen a breach, an exemption, planned maintenance.
import { h } from "./dom.js";
import { clock } from "./format.js";
import { store, stored, t } from "./words.js";

const SENDING = "…";
const known = new Map(); // by breach, "" for none: what may be ordered and who has seen it

export const mayOrder = (board) => Boolean(board.tokens) && !board.maker;

function knownOf(breach, redraw) {
  if (!known.has(breach)) {
    known.set(breach, null);
    load(breach, redraw);
  }
  return known.get(breach);
}

async function load(breach, redraw) {
  try {
    const answer = await fetch(`/api/v1/orders?breach=${encodeURIComponent(breach)}`);
    if (answer.ok) known.set(breach, await answer.json());
  } catch { /* the stream tells that the monitor does not answer */ }
  if (known.get(breach)) redraw();
  else known.delete(breach); // it is asked for again with the next board
}

// A form with these fields, left alone by redraws; what is written in it goes to `path`, and `done` follows.
function form(key, path, fields, bodyOf, done) {
  const said = h("output", {});
  const sent = async (event) => {
    event.preventDefault();
    if (said.textContent === SENDING) return; // a second click is no second order
    const values = Object.fromEntries(new FormData(event.target));
    store("author", values.author);
    said.textContent = SENDING;
    try {
      const answer = await fetch(path, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(bodyOf(values)), signal: AbortSignal.timeout(40000),
      });
      said.textContent = answer.ok ? t("order_done") : (await answer.json()).error;
      if (answer.ok) done();
    } catch (error) { said.textContent = error instanceof RangeError ? t("order_far") : t("order_lost"); }
  };
  return h("form", { class: "order", "data-keep": true, "data-key": key, onsubmit: sent },
    fields.map(([name, word, props]) => h("label", {}, t(word), field(name, props))), h("button", { type: "submit" }, t("order_send")), said);
}

const field = (name, { options, ...props }) => (options
  ? h("select", { name }, options.map((one) => h("option", { value: one }, one)))
  : h("input", { name, ...props }));
const author = ["author", "order_author", { value: stored("author") ?? "", required: true }];

export function acknowledgement(breach, redraw, zone) {
  const seen = knownOf(breach, redraw);
  return h("div", { class: "card" }, h("h2", {}, t("seen")),
    h("ul", { id: "seen" }, (seen?.acknowledgements ?? []).map((one) => h("li", {}, `${clock(one.at, zone)} · ${one.author}`, one.note ? ` · ${one.note}` : ""))),
    form(`seen ${breach}`, "/api/v1/acknowledgements", [author, ["note", "order_note", {}]], (values) => ({ breach, ...values }), () => load(breach, redraw)));
}

// Exemptions and planned maintenance: who, where, how long and why.
export function intervals(redraw) {
  const { kinds } = knownOf("", redraw) ?? { kinds: [] };
  const kind = ["kind", "order_kind", { options: kinds }];
  return [kinds.length ? interval("exemptions", "exempt_new", [kind], redraw) : "", interval("maintenance", "maintenance_new", [], redraw)];
}

function interval(what, title, first, redraw) {
  const after = (minutes) => new Date(Date.now() + minutes * 60000).toISOString();
  const fields = [
    ...first, ["maker", "maker", { value: "*", required: true }], ["scope", "order_scope", { value: "*", required: true }],
    ["minutes", "order_minutes", { type: "number", min: 1, value: 30, required: true }], ["ago", "order_ago", { type: "number", min: 0, value: 0, required: true }],
    ["reason", "order_reason", { required: true }], author, ["approver", "order_approver", {}],
  ];
  const bodyOf = ({ minutes, ago, ...rest }) => ({ ...rest, start: Number(ago) ? after(-ago) : "", end: after(minutes) });
  return h("div", { class: "card", id: what }, h("h2", {}, t(title)), form(what, `/api/v1/${what}`, fields, bodyOf, redraw));
}
