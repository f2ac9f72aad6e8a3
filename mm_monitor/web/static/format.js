// Numbers and instants as people read them. Ratios are cut and never rounded: 89.999 % must not read as 90 %.
import { t, language } from "./words.js";

export const NS = 1e9;
export const NONE = "–";

export function percent(text, digits = 2) {
  if (text === null || text === undefined) return NONE;
  const [whole, rest] = text.split(".");
  const hundredths = rest.slice(2, 2 + digits);
  return `${Number(whole + rest.slice(0, 2))}${digits ? "." + hundredths : ""} %`;
}

// A length of time in two units; of seconds alone with a tenth where that is all there is.
export function duration(ns) {
  if (ns === null || ns === undefined) return NONE;
  const sign = ns < 0 ? "−" : "";
  const seconds = Math.floor(Math.abs(ns) / NS);
  if (Math.abs(ns) < 1e9) return `${sign}${Math.floor(Math.abs(ns) / 1e6)} ms`;
  if (seconds < 10) return `${sign}${(Math.floor(Math.abs(ns) / 1e8) / 10).toFixed(1)} ${t("s")}`;
  if (seconds < 60) return `${sign}${seconds} ${t("s")}`;
  if (seconds < 3600) return `${sign}${Math.floor(seconds / 60)} ${t("min")} ${seconds % 60} ${t("s")}`;
  return `${sign}${Math.floor(seconds / 3600)} ${t("h")} ${Math.floor((seconds % 3600) / 60)} ${t("min")}`;
}

// Slack of one contract on average, in minutes.
export function slack(row) {
  if (row.slack_ns === null || !row.obligations) return NONE;
  const minutes = row.slack_ns / row.obligations / 60e9;
  const sign = minutes < 0 ? "−" : "+";
  const size = Math.abs(minutes);
  return `${sign}${size < 10 ? (Math.floor(size * 10) / 10).toFixed(1) : Math.floor(size)}`;
}

const formats = new Map();
function format(zone, options) {
  const key = zone + language() + JSON.stringify(options);
  if (!formats.has(key)) {
    const locale = language() === "zh" ? "zh-CN" : "en-GB";
    formats.set(key, new Intl.DateTimeFormat(locale, { timeZone: zone, hourCycle: "h23", ...options }));
  }
  return formats.get(key);
}

// An instant (ns) on the venue's clock.
export function clock(ns, zone) {
  if (ns === null || ns === undefined) return NONE;
  return format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ns / 1e6);
}

export function day(ns, zone) {
  return format(zone, { year: "numeric", month: "short", day: "numeric" }).format(ns / 1e6);
}

// `2025-08-01T09:31:02` on the venue's clock, as `mm-monitor explain --at` reads it.
export function stamp(ns, zone) {
  const part = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
  return part.format(ns / 1e6).replace(" ", "T");
}

export const count = (n) => n.toLocaleString(language() === "zh" ? "zh-CN" : "en-GB");

export function bytes(n) {
  return n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}
