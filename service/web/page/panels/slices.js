// Slices: the two planes that hold the needle, asked for again when it has moved, and its ends dragged in them.
//
// While an end is dragged, its slice stays as it is: a slice that was cut, centred and scaled anew under the
// pointer would carry the end away by itself.

import { post } from "../shared/api.js";
import { byId, fill, h, number, spoken } from "../shared/dom.js";
import { hold } from "./needle.js";
import { BEYOND, anatomy, decoded, millimetres, onPage, paint } from "./slice_picture.js";
import { on, request, state } from "../state.js";
import { onTheme } from "../theme.js";
import { add, length, minus, rounded, times, unit } from "../shared/vectors.js";

/** The least side of a pixel, mm, and how many a side of a slice has at most: what is sent stays small. */
const PIXEL_MM = 1;
const MOST_PIXELS = 400;
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
/** The end that a pointer holds, with where both were when it was taken; null while none is held. */
let drag = null;

/** Draw the slices whenever the needle moves. */
export function startSlices() {
  for (const view of views) wire(view);
  on(["patient", "plan"], () => {
    drag = null;
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

/** The needle as slices are cut along it: no longer than a needle is, wherever the entry was put on its line. */
function shownLine({ entry_mm: entry, tip_mm: tip }) {
  const outward = minus(entry, tip);
  const longest = state.plan.request.needle.max_length_mm;
  return { entry_mm: length(outward) > longest ? add(tip, times(longest, unit(outward))) : entry, tip_mm: tip };
}

async function cut() {
  if (underWay || !wanted || drag !== null) return;
  wanted = false;
  underWay = true;
  const { patient, plan, needle } = state;
  const isShown = () => state.patient === patient && state.plan === plan;
  const line = shownLine(needle);
  const half = Math.max(LEAST_HALF_MM, length(minus(line.entry_mm, line.tip_mm)) / 2 + MARGIN_MM);
  try {
    const found = await post(`cases/${patient.id}/slices`, {
      ...line,
      half_mm: half,
      pixel_mm: Math.max(PIXEL_MM, (2 * half) / MOST_PIXELS),
      request: request(),
      plan: plan?.dose ? plan.plan_sha256 : null,
    });
    if (drag !== null) wanted = true;
    else if (isShown()) show(found);
  } catch (error) {
    if (drag !== null) wanted = true;
    else if (isShown() && state.needle === needle) showNone(error.message);
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
  const { canvas } = view;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (view.slice === null || state.needle === null || drag !== null) return;
    const { width } = canvas.getBoundingClientRect();
    const away = (end) => width * Math.hypot(...minus(onPage(view.slice, state.needle[end]), at(event)));
    const [end] = ["entry_mm", "tip_mm"].sort((a, b) => away(a) - away(b));
    if (away(end) > REACH_PX) return;
    drag = { view, end, pointer: event.pointerId, from: state.needle[end], down: [event.clientX, event.clientY], width };
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (view.slice === null) return;
    view.under.textContent = told(view.slice, at(event));
    if (drag === null || drag.view !== view || drag.pointer !== event.pointerId) return;
    // By how far the pointer went, not by where it is: the page may move beneath it, as the verdict grows.
    const by = minus([event.clientX, event.clientY], drag.down).map((pixels) => pixels / drag.width);
    hold({ ...state.needle, [drag.end]: rounded(add(drag.from, millimetres(view.slice, by))) });
  });
  const release = (event) => {
    if (drag === null || drag.view !== view || drag.pointer !== event.pointerId) return;
    drag = null;
    cut();
  };
  for (const ends of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(ends, release);
  canvas.addEventListener("pointerleave", () => {
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
