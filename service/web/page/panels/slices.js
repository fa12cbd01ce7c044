// Slices: the two planes that hold the needle, requested again when it has moved. Its ends can be dragged in them.
//
// While an end is dragged, its slice stays the same: a slice that was centred and scaled again under the pointer
// would move the end itself.

import { post } from "../shared/api.js";
import { byId, fill, h, number, spoken } from "../shared/dom.js";
import { moveNeedle } from "./needle.js";
import { BEYOND, anatomy, decoded, millimetres, onSlice, paint } from "./slice_picture.js";
import { on, request, state } from "../state.js";
import { onTheme } from "../theme.js";
import { add, length, minus, rounded, times, unit } from "../shared/vectors.js";

/** The smallest side of a pixel, mm, and the most pixels along a side of a slice: they limit the size of answers. */
const PIXEL_MM = 1;
const MOST_PIXELS = 400;
/** The margin around the needle, and the smallest half side of a slice, mm. */
const MARGIN_MM = 30;
const LEAST_HALF_MM = 60;
/** An end is dragged if the pointer is pressed within this distance of it, in CSS pixels. */
const REACH_PX = 24;
const NAMES = { nearest_axial: "nearest to axial", across: "across the axial one" };

const views = ["nearest_axial", "across"].map((name) => {
  const canvas = h("canvas", { width: 600, height: 600, role: "img", "aria-label": `Slice ${NAMES[name]}` });
  const under = h("output", { class: "note" });
  return { name, canvas, under, slice: null, anatomy: null };
});
let structures = [];
let waiting = false;
let isPending = false;
/** The dragged end, with its position and the pointer's at the start of the drag; null if none is dragged. */
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
    isPending = state.needle !== null;
    redraw();
    cut();
  });
  on(["appraisal"], redraw);
  onTheme(redrawAnatomy);
}

/** The line that slices are cut along: no longer than a needle, even if the entry is farther out on its line. */
function shownLine({ entry_mm: entry, tip_mm: tip }) {
  const outward = minus(entry, tip);
  const longest = state.plan.request.needle.max_length_mm;
  return { entry_mm: length(outward) > longest ? add(tip, times(longest, unit(outward))) : entry, tip_mm: tip };
}

async function cut() {
  if (waiting || !isPending || drag !== null) return;
  isPending = false;
  waiting = true;
  const { patient, plan, needle } = state;
  const isShown = () => state.patient === patient && state.plan === plan;
  const line = shownLine(needle);
  const half = Math.max(LEAST_HALF_MM, length(minus(line.entry_mm, line.tip_mm)) / 2 + MARGIN_MM);
  try {
    const answer = await post(`cases/${patient.id}/slices`, {
      ...line,
      half_mm: half,
      pixel_mm: Math.max(PIXEL_MM, (2 * half) / MOST_PIXELS),
      request: request(),
      plan: plan?.dose ? plan.plan_sha256 : null,
    });
    if (drag !== null) isPending = true;
    else if (isShown()) show(answer);
  } catch (error) {
    if (drag !== null) isPending = true;
    else if (isShown() && state.needle === needle) showNone(error.message);
  }
  waiting = false;
  cut();
}

function show(answer) {
  structures = answer.structures;
  for (const view of views) {
    view.slice = decoded(answer.slices.find((s) => s.name === view.name));
    view.under.textContent = "";
  }
  if (byId("slices").hidden) build();
  redrawAnatomy();
}

/** Slices that do not hold the needle must not be shown beside its verdict. */
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
      state.plan?.dose ? "Isodose lines: 50, 100, 150 and 200 % of the prescribed dose, thin to thick." : "",
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
    const distance = (end) => width * Math.hypot(...minus(onSlice(view.slice, state.needle[end]), at(event)));
    const [end] = ["entry_mm", "tip_mm"].sort((a, b) => distance(a) - distance(b));
    if (distance(end) > REACH_PX) return;
    drag = { view, end, pointer: event.pointerId, from: state.needle[end], down: [event.clientX, event.clientY], width };
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (view.slice === null) return;
    view.under.textContent = placeText(view.slice, at(event));
    if (drag === null || drag.view !== view || drag.pointer !== event.pointerId) return;
    // By the distance that the pointer moved, not by its place: the page may scroll under it as the verdict grows.
    const by = minus([event.clientX, event.clientY], drag.down).map((pixels) => pixels / drag.width);
    moveNeedle({ ...state.needle, [drag.end]: rounded(add(drag.from, millimetres(view.slice, by))) });
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

/** What a place of a slice shows, in words. */
function placeText(slice, [x, y]) {
  const column = Math.min(slice.columns - 1, Math.max(0, Math.floor(x * slice.columns)));
  const row = Math.min(slice.rows - 1, Math.max(0, Math.floor(y * slice.rows)));
  const pixel = row * slice.columns + column;
  const label = slice.labels[pixel];
  if (label === BEYOND) return "beyond the field of view: nothing is known";
  const parts = [label === 0 ? "outside the body" : spoken(structures[label - 1].structure)];
  if (slice.ct !== null && slice.ct[pixel] > -32768) parts.push(`${slice.ct[pixel]} HU`);
  if (slice.dose !== null) parts.push(`${number(slice.dose[pixel], 0)} Gy`);
  return parts.join(", ");
}
