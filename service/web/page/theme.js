// Theme: light or dark, chosen by the user or else by the system; curves are drawn in the colours of the theme.

import { byId } from "./shared/dom.js";

const STORAGE_KEY = "seedpath.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const redraws = [];

/** Call `redraw` when the colours change. */
export const onTheme = (redraw) => redraws.push(redraw);

/** A colour of style.css by its name, as "ink". */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A layout for Plotly, with the settings that all plots share. */
export const layout = (others) => ({
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  font: { family: "system-ui, sans-serif", size: 13, color: colour("ink") },
  margin: { l: 56, r: 12, t: 8, b: 48 },
  ...others,
});

export const axis = (title, others = {}) => ({
  title: { text: title },
  gridcolor: colour("line"),
  zerolinecolor: colour("line"),
  ...others,
});

/** Plotly's settings. */
export const CONFIG = { responsive: true, displaylogo: false };

function apply() {
  document.documentElement.dataset.theme = localStorage.getItem(STORAGE_KEY) || (dark.matches ? "dark" : "light");
  for (const redraw of redraws) redraw();
}

/** Connect the picker, and follow changes of the system. */
export function startTheme() {
  const picker = byId("theme");
  picker.value = localStorage.getItem(STORAGE_KEY) ?? "";
  picker.addEventListener("change", () => {
    localStorage.setItem(STORAGE_KEY, picker.value);
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
}
