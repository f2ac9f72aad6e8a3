// Before the first paint: light or dark as the reader has chosen, else as the system has it.
"use strict";
try {
  const chosen = localStorage.getItem("mm-monitor.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* a private window */ }
