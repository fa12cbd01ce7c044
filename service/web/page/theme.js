// Theme: light or dark, as the system has it or as it is picked; curves are drawn in the page's own colours.

import { byId } from "./shared/dom.js";

const CHOSEN = "seedpath.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const redraws = [];

/** Call `redraw` when the colours change. */
export const onTheme = (redraw) => redraws.push(redraw);

/** A colour of style.css by its name, as "ink". */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** What all of Plotly's layouts share. */
export const layout = (more) => ({
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  font: { family: "system-ui, sans-serif", size: 13, color: colour("ink") },
  margin: { l: 56, r: 12, t: 8, b: 48 },
  ...more,
});

export const axis = (title, more = {}) => ({
  title: { text: title },
  gridcolor: colour("line"),
  zerolinecolor: colour("line"),
  ...more,
});

/** Plotly's settings. */
export const CONFIG = { responsive: true, displaylogo: false };

function apply() {
  document.documentElement.dataset.theme = localStorage.getItem(CHOSEN) || (dark.matches ? "dark" : "light");
  for (const redraw of redraws) redraw();
}

/** Wire the picker, and follow the system. */
export function startTheme() {
  const picker = byId("theme");
  picker.value = localStorage.getItem(CHOSEN) ?? "";
  picker.addEventListener("change", () => {
    localStorage.setItem(CHOSEN, picker.value);
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
}
