// The chart of one obligation: bid, ask, theo and the allowed band over time; behind them what the time counted as.
import { language, t } from "./words.js";

const HATCH = { lapsed: 6, unknown: 10, exempt: 14 };
let chart = null;

const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--${name}`).trim();

// Draw into `place` the points and spans that are remembered, as far as the answer's `at`.
export function draw(place, past, answer, around, zone) {
  if (!place || past.points.length === 0) return;
  const look = `${place.dataset.key}/${language()}/${place.clientWidth}/${colour("ground")}`;
  const data = columns(past.points, answer.at);
  if (chart?.look === look && chart.plot.root.parentNode === place) {
    Object.assign(chart.seen, { spans: past.spans, around, answer });
    chart.plot.setData(data);
    return;
  }
  chart?.plot.destroy();
  const seen = { spans: past.spans, around, answer };
  chart = { look, seen, plot: new uPlot(options(place, seen, zone), data, place) };
}

// ns and 10^-8 to seconds and prices; the last point goes on until `at`.
function columns(points, at) {
  const rows = points.at(-1)[0] < at ? [...points, [at, ...points.at(-1).slice(1)]] : points;
  const price = (value) => (value === null ? null : value / 1e8);
  const band = (row, sign) => (row[3] === null || row[4] === null ? null : (row[3] + (sign * row[4]) / 2) / 1e8);
  return [
    rows.map((row) => row[0] / 1e9), rows.map((row) => band(row, 1)), rows.map((row) => band(row, -1)),
    rows.map((row) => price(row[3])), rows.map((row) => price(row[1])), rows.map((row) => price(row[2])),
  ];
}

function options(place, seen, zone) {
  const stepped = uPlot.paths.stepped({ align: 1 });
  const line = (label, name, width, dash) => ({ label, stroke: colour(name), width, dash, paths: stepped, points: { show: false } });
  const axis = { stroke: colour("faint"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 }, font: "12px system-ui, sans-serif" };
  return {
    width: place.clientWidth, height: place.clientWidth < 600 ? 260 : 340, legend: { live: true }, cursor: { drag: { x: true, y: false } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), zone),
    scales: { y: { range: (_, low, high) => padded(low, high) } },
    axes: [{ ...axis, space: 80, values: (_, splits) => splits.map((seconds) => clocks(zone).format(seconds * 1e3)) }, { ...axis, size: 76 }],
    series: [
      { label: t("now"), value: (_, seconds) => (seconds === null ? "–" : new Date(seconds * 1e3).toLocaleTimeString(language() === "zh" ? "zh-CN" : "en-GB", { timeZone: zone })) },
      line(`${t("band_edge")} ↑`, "band-line", 1, [2, 3]), line(`${t("band_edge")} ↓`, "band-line", 1, [2, 3]),
      line(t("theo"), "theo", 1.5, [6, 4]), line(t("bid"), "bid", 2), line(t("ask"), "ask", 2),
    ],
    bands: [{ series: [1, 2], fill: colour("band") }],
    hooks: { drawClear: [(plot) => shade(plot, seen)], draw: [(plot) => marks(plot, seen, zone)] },
  };
}

function padded(low, high) {
  if (low === null || high === null) return [0, 1];
  const room = Math.max((high - low) * 0.12, Math.abs(high) * 1e-4, 1e-8);
  return [low - room, high + room];
}

const clocks = (zone) => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: zone });

// Spans that were not quoted: a tint, lines across it, and the word, so that no colour is needed to read them.
function shade(plot, { spans }) {
  const shown = spans.filter(([, , state]) => state !== "quoted" && state !== "deemed");
  let labelled = -1e9;
  for (const [start, end, state, reason] of shown) {
    const [left, right] = [start, end].map((ns) => plot.valToPos(ns / 1e9, "x", true));
    const { left: first, top, width, height } = plot.bbox;
    const from = Math.max(first, left);
    const wide = Math.min(first + width, right) - from;
    if (wide <= 0) continue;
    const { ctx } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(from, top, Math.max(1, wide), height);
    ctx.clip();
    ctx.fillStyle = colour(`shade-${state}`) || colour("shade-exempt");
    ctx.fillRect(from, top, Math.max(1, wide), height);
    ctx.strokeStyle = colour(`shade-${state}-line`) || colour("line");
    ctx.lineWidth = devicePixelRatio;
    const step = (HATCH[state] ?? 18) * devicePixelRatio;
    ctx.beginPath();
    for (let x = from - height; x < from + wide; x += step) { ctx.moveTo(x, top + height); ctx.lineTo(x + height, top); }
    ctx.stroke();
    ctx.restore();
    if (wide > 46 * devicePixelRatio && from - labelled > 40) { label(plot, t(reason || state), from + 5, top + 14 * devicePixelRatio); labelled = from; }
  }
}

function label(plot, text, x, y) {
  const { ctx } = plot;
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  const { width } = ctx.measureText(text);
  ctx.fillStyle = colour("card");
  ctx.globalAlpha = 0.85;
  ctx.fillRect(x - 3, y - 8 * devicePixelRatio, width + 6, 16 * devicePixelRatio);
  ctx.globalAlpha = 1;
  ctx.fillStyle = colour("ink");
  ctx.fillText(text, x, y);
  ctx.restore();
}

// Where a phase begins, and the exemptions that are on.
function marks(plot, { around, answer }) {
  const { ctx, bbox } = plot;
  for (const { at, phase } of around?.phases ?? []) {
    const x = plot.valToPos(at / 1e9, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.save();
    ctx.strokeStyle = colour("faint");
    ctx.setLineDash([4, 4]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
    label(plot, t(`phase_${phase}`), x + 4, bbox.top + bbox.height - 12 * devicePixelRatio);
  }
  const on = (around?.exemptions ?? []).filter((one) => ["*", answer.class, answer.contract].includes(one.scope) && ["*", answer.maker].includes(one.maker));
  on.forEach((one, i) => label(plot, `${t("exempt")}: ${one.kind}`, bbox.left + 6, bbox.top + (32 + 18 * i) * devicePixelRatio));
}
