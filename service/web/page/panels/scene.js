// Scene: the patient in 3D, with the skin access map, the plan's needles and seeds, and the needle that is moved.

import { byId, fill, h, plain } from "../shared/dom.js";
import { groupOf, groups } from "./groups.js";
import { ofLung } from "../shared/lung.js";
import { moveNeedle } from "./needle.js";
import { on, state } from "../state.js";
import { CONFIG, colour, layout, onTheme } from "../theme.js";
import { add, minus, rounded, times, unit } from "../shared/vectors.js";

const VIEWS = {
  front: [0, -1, 0.1],
  right: [-1, -0.1, 0.1],
  left: [1, -0.1, 0.1],
  back: [0, 1, 0.1],
  feet: [0, -0.1, -1],
};
/** How far the moved needle is drawn outside the skin, mm. */
const OUTSIDE_MM = 40;
/** The needle is drawn after this time without a change, ms: Plotly draws all meshes again each time. */
const REST_MS = 150;
/** Half the length of a 6711 seed, mm: 10.1118/1.1646040, figure 1. */
const HALF_SEED_MM = 2.25;

const shown = Object.fromEntries([...groups.map((g) => [g.id, g.shown]), ["access", true], ["needles", true], ["seeds", true]]);
const plot = h("div", { id: "scene-plot", class: "plot" });
/** A pointer that moves farther between press and release turns the view, CSS pixels. */
const CLICK_PX = 5;
/** Plotly reports what is under the pointer one frame later, ms. */
const CLICK_DELAY_MS = 60;

let traceNames = null;
let drawTimer = 0;
let pressed = null;
let pointed = null;

/** Draw the scene whenever a part of it changes. */
export function startScene() {
  on(["patient"], () => {
    byId("scene").hidden = true;
  });
  on(["shapes", "plan"], build);
  on(["needle", "appraisal"], needleMoved);
  onTheme(draw);
  plot.addEventListener("pointerdown", press, true);
  plot.addEventListener("pointerup", release, true);
}

function build() {
  if (state.shapes === null) return;
  if (byId("scene").hidden) {
    fill(byId("scene"), toggles(), views(), plot, h("p", { class: "note" }, NOTE));
  }
  draw();
}

function toggles() {
  const names = [...groups.map((g) => [g.id, g.label]), ["access", "skin access"], ["needles", "needles"], ["seeds", "seeds"]];
  const toggle = ([id, label]) => {
    const box = h("input", { type: "checkbox", checked: shown[id] });
    box.addEventListener("change", () => {
      shown[id] = box.checked;
      draw();
    });
    const of = groups.find((g) => g.id === id)?.colour;
    return h("label", { class: "inline" }, box, of ? swatch(of) : null, label);
  };
  return h("div", { class: "toggles", role: "group", "aria-label": "Shown" }, ...names.map(toggle));
}

function swatch(of) {
  const element = h("span", { class: "swatch", "aria-hidden": "true" });
  element.style.background = of;
  return element;
}

function views() {
  const look = (name) => () => Plotly.relayout(plot, { "scene.camera": camera(name) });
  return h(
    "div",
    { class: "views", role: "group", "aria-label": "Look from" },
    ...Object.keys(VIEWS).map((name) => h("button", { type: "button", class: "quiet", on: { click: look(name) } }, name)),
  );
}

const camera = (name) => {
  const [x, y, z] = VIEWS[name];
  return { eye: { x, y, z }, up: name === "feet" ? { x: 0, y: -1, z: 0 } : { x: 0, y: 0, z: 1 }, projection: { type: "orthographic" } };
};

/** The role of a structure: from the plan, else from the structure's name. */
const roleOf = (shape) => state.plan?.roles[shape.structure] ?? shape.role;

function meshes() {
  const parts = new Map(groups.map((g) => [g, { x: [], y: [], z: [], i: [], j: [], k: [], text: [] }]));
  for (const shape of state.shapes) {
    const group = groupOf(shape.structure, roleOf(shape));
    if (!shown[group.id]) continue;
    const { x, y, z, i, j, k, text } = parts.get(group);
    const first = x.length;
    const name = plain(shape.structure);
    for (const [a, b, c] of shape.vertices_mm) {
      x.push(a);
      y.push(b);
      z.push(c);
      text.push(name);
    }
    for (const [a, b, c] of shape.triangles) {
      i.push(first + a);
      j.push(first + b);
      k.push(first + c);
    }
  }
  return [...parts].map(([group, part]) => ({
    ...part,
    type: "mesh3d",
    name: group.id,
    color: group.colour,
    opacity: group.opacity,
    hoverinfo: "text",
    visible: part.x.length > 0,
    flatshading: false,
    lighting: { ambient: 0.8, diffuse: 0.6, specular: 0.05, roughness: 0.9 },
    lightposition: { x: -2000, y: -6000, z: 4000 },
  }));
}

function access() {
  const map = state.access;
  const visible = shown.access && map !== null;
  const of = (name, rows, marker) => ({
    type: "scatter3d",
    mode: "markers",
    name,
    visible,
    x: rows.map((n) => map.entry_mm[n][0]),
    y: rows.map((n) => map.entry_mm[n][1]),
    z: rows.map((n) => map.entry_mm[n][2]),
    hoverinfo: "text",
    text: rows.map((n) => `least lung from here: ${ofLung(`${map.lung_length_mm[n].toFixed(1)} mm`, state.plan.missing_structures)}`),
    marker: { size: 3, ...marker },
  });
  const all = visible ? map.lung_length_mm.map((_, n) => n) : [];
  const free = all.filter((n) => map.lung_length_mm[n] === 0);
  const through = all.filter((n) => map.lung_length_mm[n] > 0);
  return [
    of("access-lung", through, {
      color: through.map((n) => map.lung_length_mm[n]),
      colorscale: "Viridis",
      reversescale: true,
      cmin: 0,
      showscale: through.length > 0,
      colorbar: { title: { text: "least lung, mm" }, thickness: 12, len: 0.6, x: 0.99, xanchor: "right" },
    }),
    of("access-free", free, { color: "#D55E00", symbol: "diamond" }),
  ];
}

/** Segments, each its own line, as one trace. */
function segments(name, pairs, line, more = {}) {
  const along = (axis) => pairs.flatMap(([a, b]) => [a[axis], b[axis], null]);
  return { type: "scatter3d", mode: "lines", name, x: along(0), y: along(1), z: along(2), line, hoverinfo: "skip", ...more };
}

function needles() {
  const paths = state.plan?.paths ?? [];
  const inSet = state.plan?.needle_set?.path_ids ?? [];
  const of = (belongs) => paths.filter(belongs).map((p) => [p.entry_mm, p.tip_mm]);
  const visible = shown.needles;
  return [
    segments("ranked", of((p) => p.aim === "target"), { color: colour("muted"), width: 3 }, { visible }),
    segments("set", of((p) => inSet.includes(p.id)), { color: colour("needle"), width: 6 }, { visible }),
    segments("seeds", seeds(), { color: colour("seed"), width: 12 }, { visible: shown.seeds }),
  ];
}

function seeds() {
  return (state.plan?.needle_set?.seeds ?? []).map(({ position_mm: at, axis }) => {
    const half = times(HALF_SEED_MM, axis ?? [0, 0, 1]);
    return [minus(at, half), add(at, half)];
  });
}

/** The moved needle: red and dotted if it is not safe, grey until it is appraised. */
function movedNeedle() {
  const { needle, appraisal } = state;
  if (needle === null) return segments("hand", [], {});
  const entry = appraisal?.entry_mm ?? needle.entry_mm;
  const outer = add(entry, times(OUTSIDE_MM, unit(minus(needle.entry_mm, needle.tip_mm))));
  const [name, dash] = appraisal === null ? ["muted", "solid"] : appraisal.safe ? ["safe", "solid"] : ["unsafe", "dot"];
  return segments("hand", [[outer, needle.tip_mm]], { color: colour(name), width: 9, dash });
}

const NOTE =
  "A click on the skin or on an access point moves the entry there. Shapes here are coarse, and thin vessels may be missing; slices and verdict use every voxel.";

const HIDDEN_AXIS = { visible: false, showspikes: false };

function draw() {
  if (state.shapes === null || byId("scene").hidden) return;
  const traces = [...meshes(), ...access(), ...needles(), movedNeedle()];
  traceNames = traces.map((t) => t.name);
  Plotly.react(
    plot,
    traces,
    layout({
      scene: {
        aspectmode: "data",
        xaxis: HIDDEN_AXIS,
        yaxis: HIDDEN_AXIS,
        zaxis: HIDDEN_AXIS,
        bgcolor: colour("air"),
        camera: camera("front"),
        uirevision: state.patient.id,
      },
      uirevision: state.patient.id,
      showlegend: false,
      margin: { l: 0, r: 0, t: 0, b: 0 },
      height: 560,
    }),
    CONFIG,
  );
  plot.removeAllListeners?.("plotly_click");
  plot.on("plotly_click", ({ points: [point] }) => {
    pointed = point;
  });
}

function needleMoved() {
  clearTimeout(drawTimer);
  drawTimer = setTimeout(drawNeedle, REST_MS);
}

function drawNeedle() {
  if (traceNames === null || byId("scene").hidden) return;
  const { x, y, z, line } = movedNeedle();
  Plotly.restyle(plot, { x: [x], y: [y], z: [z], "line.color": line.color, "line.dash": line.dash, "line.width": line.width }, [traceNames.indexOf("hand")]);
}

/** Plotly reports a click at the press, even if it becomes a drag, so that the release decides. */
function press(event) {
  pressed = [event.clientX, event.clientY];
  pointed = null;
}

function release(event) {
  const isClick = pressed !== null && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) < CLICK_PX;
  pressed = null;
  if (isClick) setTimeout(moveEntry, CLICK_DELAY_MS);
}

function moveEntry() {
  if (pointed === null || state.needle === null) return;
  const trace = traceNames[pointed.curveNumber];
  const at = [pointed.x, pointed.y, pointed.z];
  pointed = null;
  if (trace === "skin" || trace.startsWith("access")) moveNeedle({ ...state.needle, entry_mm: rounded(at) });
}
