// The frame: follows the stream, knows which page is open, and brings it up to date with every board.
import { contractPage } from "./contract.js";
import { classPage, makerPage } from "./details.js";
import { h, href, show } from "./dom.js";
import { clock } from "./format.js";
import { breachPage, breachesPage, healthPage, holesPage } from "./lists.js";
import { overviewPage } from "./overview.js";
import { language, speak, store, stored, t } from "./words.js";

const QUIET_MS = 5000; // without a board for so long, what is shown is old
const top = document.getElementById("top");
const banners = document.getElementById("banners");
const main = document.getElementById("main");
const PAGES = {
  "": overviewPage, maker: makerPage, class: classPage, contract: contractPage,
  breaches: breachesPage, breach: breachPage, holes: holesPage, health: healthPage,
};
const TABS = [["", "overview"], ["breaches", "breaches"], ["holes", "holes"], ["health", "health"]];

// What every page is handed: the newest board, the parts of its address, and answers it has asked for.
const state = { board: null, lost: false, heard: 0, path: [], answers: new Map(), asking: new Set(), redraw: draw, ask };

// The answer to an API path, null until it is there; it is asked for again with every board.
function ask(path) {
  if (!state.asking.has(path)) {
    state.asking.add(path);
    if (!state.answers.has(path)) fetchOne(path).then(draw);
  }
  return state.answers.get(path) ?? null;
}

async function fetchOne(path) {
  try {
    const answer = await fetch(path, { signal: AbortSignal.timeout(10000) });
    if (answer.status === 401) location.assign("/login");
    state.answers.set(path, answer.ok ? await answer.json() : { error: answer.status });
  } catch { /* the stream tells that the monitor does not answer */ }
}

async function heard(board) {
  Object.assign(state, { board, lost: false, heard: Date.now() });
  await Promise.all([...state.asking].map(fetchOne));
  draw();
}

function draw() {
  const { board, path } = state;
  document.getElementById("skip").textContent = t("skip");
  show(top, header());
  show(banners, warnings());
  document.body.classList.toggle("doubtful", state.lost || (board !== null && !board.vouched));
  state.asking.clear();
  const name = path[0] ?? "";
  if (!Object.hasOwn(PAGES, name)) show(main, h("p", {}, t("no_such")));
  else if (board === null) show(main, h("p", { class: "dim" }, `${t("connecting")} …`));
  else show(main, made(PAGES[name]));
}

// A page that cannot be made says so: what stood there before must not stand on as if it were of now.
function made(page) {
  try {
    return page(state);
  } catch (error) {
    console.error(error);
    return h("p", { class: "banner bad", role: "alert" }, t("broken", { error: String(error) }));
  }
}

function header() {
  const { board, path } = state;
  const zone = board?.rulebooks[0]?.around?.zone ?? "UTC";
  const tabs = TABS.filter(([name]) => !(board?.maker && (name === "holes" || name === "health")));
  const own = board?.maker ? h("span", { class: "chip" }, t("own_board", { maker: board.maker })) : "";
  return [
    h("a", { class: "brand", href: "#/" }, h("img", { src: "/static/icon.svg", alt: "", width: 22, height: 22 }), "mm-monitor"),
    own,
    h("nav", { "aria-label": "mm-monitor" }, tabs.map(([name, word]) => tab(name, word, path[0] ?? "", board))),
    h("div", { class: "tools" },
      h("span", { class: `pulse ${state.lost ? "lost" : board?.vouched === false ? "waiting" : "ready"}`, id: "state", role: "status" },
        state.lost ? "×" : "", h("span", {}, board === null ? t("connecting") : state.lost ? t("lost", { at: "" }).split(/[.。]/)[0].trim() : board.vouched ? t("live") : t("doubt"))),
      board?.rulebooks[0] ? h("time", { title: zone }, clock(board.rulebooks[0].at, zone), h("small", {}, zone.split("/").pop().replace("_", " "))) : "",
      choice("language", [["en", "English"], ["zh", "中文"]], language(), (name) => { speak(name); draw(); }),
      choice("theme", ["auto", "light", "dark"].map((name) => [name, t(`theme_${name}`)]), stored("theme") ?? "auto", dress),
      board?.tokens ? h("form", { method: "post", action: "/logout", onsubmit: () => store("left", Date.now()) }, h("button", { class: "plain", type: "submit" }, t("logout"))) : ""),
  ];
}

function tab(name, word, here, board) {
  const open = name === "breaches" ? board?.rulebooks.reduce((sum, one) => sum + one.open_breaches, 0) : 0;
  return h("a", { href: href(...(name ? [name] : [])), "aria-current": here === name ? "page" : null }, t(word),
    open ? h("span", { class: "badge" }, open) : "");
}

function choice(word, options, now, chosen) {
  return h("select", { "aria-label": t(word), onchange: (event) => chosen(event.target.value) },
    options.map(([name, text]) => h("option", { value: name, selected: name === now }, text)));
}

function dress(name) {
  store("theme", name);
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  draw();
}

function warnings() {
  const { board } = state;
  const found = [];
  const zone = board?.rulebooks[0]?.around?.zone ?? "UTC";
  if (state.lost) found.push(h("p", { class: "banner bad", role: "alert" }, h("b", {}, t("lost", { at: state.heard ? clock(state.heard * 1e6, zone) : "–" }))));
  if (board && !board.vouched) {
    const why = board.doubts.map((one) => t(`doubt_${one.code}`, one)).join(" · ");
    found.push(h("p", { class: "banner doubt", role: "alert" }, h("b", {}, `${t("doubt")}. `), why));
  }
  for (const { around } of board?.rulebooks ?? []) {
    if (around?.stress.length) {
      const scopes = around.stress.map((scope) => (scope === "*" ? t("everywhere") : scope)).join(", ");
      found.push(h("p", { class: "banner stress" }, h("b", {}, `${t("stress")}. `), t("stress_in", { scopes })));
    }
  }
  return found;
}

function follow() {
  const stream = new EventSource("/api/v1/stream");
  stream.addEventListener("board", (event) => heard(JSON.parse(event.data)));
  stream.addEventListener("error", async () => {
    if (stream.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    await fetchOne("/api/v1/board"); // leads to the login page when that is why
    setTimeout(follow, 2000);
  });
}

// What somebody typed or cut short may be no encoding of anything; then it is the name itself.
function decoded(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

function turn() {
  const parts = location.hash.replace(/^#\/?/, "").split("/");
  if (location.hash === "#main") return; // the link that skips to the content
  state.path = parts.map(decoded).filter((part, i) => part || i);
  state.answers.clear();
  draw();
  document.title = [...state.path.slice(0, 1).map((name) => t(name)), ...state.path.slice(2), "mm-monitor"].join(" · ");
  scrollTo(0, 0);
}

setInterval(() => {
  if (!state.lost && Date.now() - state.heard > QUIET_MS && (state.board || performance.now() > QUIET_MS)) {
    state.lost = true;
    draw();
  }
}, 500);
addEventListener("hashchange", turn);
addEventListener("storage", ({ key }) => key === "mm-monitor.left" && location.assign("/login")); // logged out in another tab
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
turn();
follow();
