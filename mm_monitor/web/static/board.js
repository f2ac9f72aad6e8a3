// The live table of makers: asks for the estimate once a second and writes it into the page as text.
"use strict";

const EVERY_MS = 1000;
const NS = 1e9;
const board = document.getElementById("board");
const chip = document.getElementById("state");
const sections = new Map();

// Decimal text with nine digits, cut and never rounded: 89.999 % must not read as 90 %.
function percent(text) {
  if (text === null) return "–";
  const [whole, digits] = text.split(".");
  return `${Number(whole + digits.slice(0, 2))}.${digits.slice(2, 4)} %`;
}

function duration(ns) {
  if (ns === null) return "–";
  const seconds = Math.floor(Math.abs(ns) / NS);
  const sign = ns < 0 ? "−" : "";
  if (seconds < 60) return `${sign}${seconds} s`;
  if (seconds < 3600) return `${sign}${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${sign}${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function cell(text, className = "") {
  const made = document.createElement("td");
  made.textContent = text;
  made.className = className;
  return made;
}

function meter(maker) {
  const made = cell("");
  const bar = document.createElement("span");
  const fill = document.createElement("i");
  bar.className = `meter ${maker.verdict}`;
  fill.style.width = `${Number(maker.presence ?? 0) * 100}%`;
  bar.append(fill);
  made.append(bar, percent(maker.presence));
  return made;
}

function slack(maker) {
  const made = cell(duration(maker.slack_ns), `number${maker.slack_ns < 0 ? " breached" : ""}`);
  const told = [];
  if (maker.to_unreachable_ns !== null) told.push(`at this burn out of reach in ${duration(maker.to_unreachable_ns)}`);
  if (maker.failure_probability !== null) told.push(`chance to fail by the close ${Math.round(maker.failure_probability * 100)} % (a model)`);
  made.title = told.join("; ");
  return made;
}

function row(maker, required) {
  const made = document.createElement("tr");
  const verdict = maker.unreachable ? "out of reach" : maker.verdict.replace("_", " ");
  made.append(
    cell(maker.maker),
    meter(maker),
    cell(percent(required), "number dim"),
    slack(maker),
    cell(verdict, `verdict ${maker.unreachable ? "breached" : maker.verdict}`),
    cell(`${maker.lapsed_now} / ${maker.obligations}`, "number"),
    cell(percent(maker.coverage), "number"),
    cell(duration(maker.unknown_ns), `number${maker.unknown_ns > 0 ? " indeterminate" : " dim"}`),
    cell(maker.open_breaches, `number${maker.open_breaches > 0 ? " breached" : " dim"}`),
    cell(maker.dominant_reason || "–", "dim"),
  );
  return made;
}

function section(id) {
  if (!sections.has(id)) {
    const made = document.getElementById("rulebook").content.firstElementChild.cloneNode(true);
    board.append(made);
    sections.set(id, made);
  }
  return sections.get(id);
}

function show(book) {
  const part = section(book.rulebook.id);
  const at = new Date(book.at / 1e6).toLocaleString();
  part.querySelector("h2").textContent = `${book.rulebook.id} v${book.rulebook.version}`;
  part.querySelector(".facts").textContent =
    `${book.trading_date || "no trading date"} · ${at}${book.estimate ? " (estimate)" : ""} · ` +
    `${book.obligations} obligations · judged by ${book.judged_by.replaceAll("_", " ")}`;
  part.querySelector("tbody").replaceChildren(...book.makers.map((m) => row(m, book.required)));
}

function mark(kind, text) {
  chip.className = `chip ${kind}`;
  chip.textContent = text;
}

async function refresh() {
  try {
    const answer = await fetch("/api/v1/status?at=now", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const status = await answer.json();
    const ids = new Set(status.rulebooks.map((book) => book.rulebook.id));
    for (const [id, part] of sections) {
      if (!ids.has(id)) { part.remove(); sections.delete(id); }
    }
    status.rulebooks.forEach(show);
    mark(status.ready ? "ready" : "waiting", status.ready ? "live" : `not ready: ${status.reason}`);
  } catch (error) {
    mark("lost", `no answer from the monitor (${error.message}); the table is old`);
  }
  setTimeout(refresh, EVERY_MS);
}

refresh();
