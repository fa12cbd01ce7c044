// Slices: the two planes that hold the needle, asked for again when it has moved, and its entry dragged in them.

import { post } from "./api.js";
import { byId, fill, h, number, spoken } from "./dom.js";
import { hold } from "./needle.js";
import { BEYOND, anatomy, decoded, offPage, onPage, paint, place } from "./slice_picture.js";
import { on, request, state } from "./state.js";
import { onTheme } from "./theme.js";
import { length, minus, rounded } from "./vectors.js";

const PIXEL_MM = 1;
/** Around the needle, and the least half of a slice, mm. */
const MARGIN_MM = 30;
const LEAST_HALF_MM = 60;
/** How near to an end a finger takes hold of it, in CSS pixels. */
const REACH_PX = 24;
const NAMES = { nearest_axial: "nearest to axial", across: "across it" };

const views = ["nearest_axial", "across"].map((name) => {
  const canvas = h("canvas", { width: 600, height: 600, role: "img", "aria-label": `Slice ${NAMES[name]}` });
  const under = h("output", { class: "note" });
  return { name, canvas, under, slice: null, anatomy: null };
});
let structures = [];
let underWay = false;
let wanted = false;

/** Draw the slices whenever the needle moves. */
export function startSlices() {
  for (const view of views) wire(view);
  on(["patient", "plan"], () => {
    for (const view of views) view.slice = null;
    byId("slices").hidden = true;
  });
  on(["needle"], () => {
    wanted = state.needle !== null;
    redraw();
    cut();
  });
  on(["appraisal"], redraw);
  onTheme(redrawAnatomy);
}

async function cut() {
  if (underWay || !wanted) return;
  wanted = false;
  underWay = true;
  const { patient, plan, needle } = state;
  const isShown = () => state.patient === patient && state.plan === plan;
  try {
    const found = await post(`cases/${patient.id}/slices`, {
      ...needle,
      half_mm: Math.max(LEAST_HALF_MM, length(minus(needle.entry_mm, needle.tip_mm)) / 2 + MARGIN_MM),
      pixel_mm: PIXEL_MM,
      request: request(),
      plan: plan?.dose ? plan.plan_sha256 : null,
    });
    if (isShown()) show(found);
  } catch (error) {
    if (isShown() && state.needle === needle) showNone(error.message);
  }
  underWay = false;
  cut();
}

function show(found) {
  structures = found.structures;
  for (const view of views) {
    view.slice = decoded(found.slices.find((s) => s.name === view.name));
    view.under.textContent = "";
  }
  if (byId("slices").hidden) build();
  redrawAnatomy();
}

/** Slices that do not hold the needle must not stand beside its verdict. */
function showNone(why) {
  if (byId("slices").hidden) build();
  for (const view of views) {
    view.canvas.getContext("2d").clearRect(0, 0, view.canvas.width, view.canvas.height);
    view.under.textContent = `No slice: ${why}`;
    view.slice = null;
  }
}

function build() {
  fill(
    byId("slices"),
    h("div", { class: "pair" }, ...views.map((v) => h("figure", {}, h("figcaption", {}, `Slice ${NAMES[v.name]}`), v.canvas, v.under))),
    h(
      "p",
      { class: "note" },
      "Drag the round entry or the square tip. ",
      state.plan?.dose ? "Lines of dose: 50, 100, 150 and 200 % of what is prescribed, thin to thick." : "",
    ),
  );
}

const cutViews = () => views.filter((view) => view.slice !== null);

function redrawAnatomy() {
  const prescribedGy = state.plan?.dose?.prescribed_gy ?? null;
  for (const view of cutViews()) view.anatomy = anatomy(view.slice, structures, prescribedGy);
  redraw();
}

function redraw() {
  for (const view of cutViews()) {
    paint(view.canvas, view.slice, view.anatomy, {
      needle: state.needle,
      safe: state.appraisal?.safe ?? null,
      seeds: state.plan?.needle_set?.seeds ?? [],
    });
  }
}

function wire(view) {
  let held = null;
  const at = (event) => {
    const box = view.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  view.canvas.addEventListener("pointerdown", (event) => {
    if (view.slice === null || state.needle === null) return;
    const size = view.canvas.getBoundingClientRect().width;
    const away = (end) => size * Math.hypot(...minus(onPage(view.slice, state.needle[end]), at(event)));
    const [end] = ["entry_mm", "tip_mm"].sort((a, b) => away(a) - away(b));
    if (away(end) > REACH_PX) return;
    held = end;
    view.canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  view.canvas.addEventListener("pointermove", (event) => {
    if (view.slice === null) return;
    view.under.textContent = told(view.slice, at(event));
    if (held === null) return;
    const off = offPage(view.slice, state.needle[held]);
    hold({ ...state.needle, [held]: rounded(place(view.slice, at(event), off)) });
  });
  const release = () => {
    held = null;
  };
  view.canvas.addEventListener("pointerup", release);
  view.canvas.addEventListener("pointercancel", release);
  view.canvas.addEventListener("pointerleave", () => {
    if (view.slice !== null) view.under.textContent = "";
  });
}

/** What lies at a place of a slice, in words. */
function told(slice, [x, y]) {
  const column = Math.min(slice.columns - 1, Math.max(0, Math.floor(x * slice.columns)));
  const row = Math.min(slice.rows - 1, Math.max(0, Math.floor(y * slice.rows)));
  const pixel = row * slice.columns + column;
  const label = slice.labels[pixel];
  if (label === BEYOND) return "beyond the field of view: nothing is known";
  const said = [label === 0 ? "outside the body" : spoken(structures[label - 1].structure)];
  if (slice.ct !== null && slice.ct[pixel] > -32768) said.push(`${slice.ct[pixel]} HU`);
  if (slice.dose !== null) said.push(`${number(slice.dose[pixel], 0)} Gy`);
  return said.join(", ");
}
