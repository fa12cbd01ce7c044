// Slice picture: one slice on a canvas: CT or filled structures, outlines, lines of dose, the needle, seeds.

import { groupOf } from "./groups.js";
import { colour } from "../theme.js";
import { add, cross, dot, minus, times } from "../shared/vectors.js";

/** Hounsfield units from black to white: lung vessels and the mediastinum in one picture. */
const WINDOW_HU = [-900, 500];
/** Parts of the prescribed dose that get a line, with its width in pixels. */
const ISODOSES = [[0.5, 1], [1, 2], [1.5, 3], [2, 4]];
/** Seeds within this distance of the slice's plane are drawn, mm. */
const SEEN_WITHIN_MM = 3;
/** A needle lies in the plane if both ends are within this distance of it, mm. */
const IN_PLANE_MM = 0.5;
/** The label of pixels beyond the field of view. */
export const BEYOND = 65535;
/** Opacity of a slice that does not hold the needle. */
const DIMMED = 0.35;
const FILL = 0.35;
/** Picture pixels along the side of a slice's pixel: lines are drawn between pixels. */
const SCALE = 3;

/** A slice of the API with its pixels decoded to arrays of numbers. */
export function decoded(slice) {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  return {
    ...slice,
    labels: new Uint16Array(bytes(slice.labels)),
    ct: slice.ct_hu === null ? null : new Int16Array(bytes(slice.ct_hu)),
    dose: slice.dose_gy === null ? null : new Float32Array(bytes(slice.dose_gy)),
  };
}

const size = (slice) => slice.pixel_mm * slice.columns;
const corner = (slice) =>
  add(slice.first_mm, times(-0.5 * slice.pixel_mm, add(slice.right, slice.down)));

/** The place of a point on the slice, as fractions of its width, from the top left. */
export function onSlice(slice, p) {
  const from = minus(p, corner(slice));
  return [dot(from, slice.right) / size(slice), dot(from, slice.down) / size(slice)];
}

/** Distance of a point from the slice's plane, mm, positive towards the far side. */
export const offPlane = (slice, p) => dot(minus(p, corner(slice)), cross(slice.right, slice.down));

/** A displacement in the patient, mm, from one on the slice as fractions of its width. */
export const millimetres = (slice, [x, y]) => add(times(x * size(slice), slice.right), times(y * size(slice), slice.down));

/** Draw a slice's anatomy with the plan's seeds, and the moved needle if it lies in the slice; else dimmed. */
export function paint(canvas, slice, picture, { needle, safe, seeds }) {
  const pen = canvas.getContext("2d");
  const holds = needle !== null && [needle.entry_mm, needle.tip_mm].every((p) => Math.abs(offPlane(slice, p)) < IN_PLANE_MM);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.globalAlpha = holds ? 1 : DIMMED;
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  pen.globalAlpha = 1;
  letters(pen, canvas, slice);
  const at = (p) => onSlice(slice, p).map((part) => part * canvas.width);
  for (const seed of seeds) {
    if (Math.abs(offPlane(slice, seed.position_mm)) <= SEEN_WITHIN_MM) dot2d(pen, at(seed.position_mm), 5, colour("seed"));
  }
  if (holds) drawNeedle(pen, at(needle.entry_mm), at(needle.tip_mm), safe);
}

/** A picture of the anatomy in a slice, with isodose lines if the slice has a dose. */
export function anatomy(slice, structures, prescribedGy) {
  const kinds = structures.map((s) => groupOf(s.structure, s.role));
  const colours = [null, ...kinds.map((g) => rgb(g.colour))];
  const { rows, columns, labels } = slice;
  const air = rgb(colour("air"));
  const picture = new OffscreenCanvas(columns * SCALE, rows * SCALE);
  const small = new OffscreenCanvas(columns, rows);
  const pixels = new ImageData(columns, rows);
  for (let n = 0; n < rows * columns; n += 1) {
    const label = labels[n];
    const grey = slice.ct === null ? null : greyOf(slice.ct[n]);
    let shade = grey === null ? air : [grey, grey, grey];
    if (label === BEYOND) shade = hatched(n, columns, air);
    else if (label > 0 && grey === null) shade = mixed(air, colours[label], structures[label - 1].role === "skin" ? 0.18 : 2 * FILL);
    else if (label > 0 && structures[label - 1].role === "target") shade = mixed(shade, colours[label], FILL);
    pixels.data.set([...shade, 255], 4 * n);
  }
  small.getContext("2d").putImageData(pixels, 0, 0);
  const pen = picture.getContext("2d");
  pen.imageSmoothingEnabled = slice.ct !== null;
  pen.drawImage(small, 0, 0, picture.width, picture.height);
  borders(pen, slice, (n) => labels[n], (a, b) => css(colours[Math.max(a % BEYOND, b % BEYOND)] ?? rgb(colour("muted"))), 1.2);
  if (slice.dose !== null && prescribedGy !== null) {
    for (const [part, width] of ISODOSES) {
      borders(pen, slice, (n) => slice.dose[n] >= part * prescribedGy, () => colour("isodose"), width);
    }
  }
  return picture;
}

/** A pattern for pixels beyond the field of view, which is unknown and must not look like air. */
function hatched(n, columns, air) {
  const stripe = (Math.floor(n / columns) + (n % columns)) % 8 < 2;
  return stripe ? mixed(air, rgb(colour("muted")), 0.6) : air;
}

/** Lines between neighbouring pixels whose `value` differs. */
function borders(pen, { rows, columns }, value, strokeOf, width) {
  pen.lineWidth = width;
  const line = (x0, y0, x1, y1, stroke) => {
    pen.strokeStyle = stroke;
    pen.beginPath();
    pen.moveTo(x0 * SCALE, y0 * SCALE);
    pen.lineTo(x1 * SCALE, y1 * SCALE);
    pen.stroke();
  };
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const n = row * columns + column;
      const here = value(n);
      if (column + 1 < columns && value(n + 1) !== here) line(column + 1, row, column + 1, row + 1, strokeOf(here, value(n + 1)));
      if (row + 1 < rows && value(n + columns) !== here) line(column, row + 1, column + 1, row + 1, strokeOf(here, value(n + columns)));
    }
  }
}

function drawNeedle(pen, entry, tip, safe) {
  const ink = safe === null ? colour("muted") : colour(safe ? "safe" : "unsafe");
  const along = minus(entry, tip);
  const outer = add(entry, times(40 / Math.max(1, Math.hypot(...along)), along));
  for (const [stroke, width] of [["#000", 6], [ink, 4]]) {
    pen.strokeStyle = stroke;
    pen.lineWidth = width;
    pen.setLineDash(safe === false && stroke !== "#000" ? [10, 6] : []);
    pen.beginPath();
    pen.moveTo(...outer);
    pen.lineTo(...tip);
    pen.stroke();
  }
  pen.setLineDash([]);
  dot2d(pen, entry, 9, ink);
  pen.fillStyle = ink;
  pen.strokeStyle = "#000";
  pen.lineWidth = 2;
  pen.fillRect(tip[0] - 7, tip[1] - 7, 14, 14);
  pen.strokeRect(tip[0] - 7, tip[1] - 7, 14, 14);
}

function dot2d(pen, [x, y], radius, fill) {
  pen.fillStyle = fill;
  pen.strokeStyle = "#fff";
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
  pen.stroke();
}

function letters(pen, { width, height }, { edges }) {
  const places = { left: [14, height / 2], right: [width - 14, height / 2], top: [width / 2, 16], bottom: [width / 2, height - 16] };
  pen.font = "bold 22px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (const [edge, at] of Object.entries(places)) {
    pen.lineWidth = 4;
    pen.strokeStyle = "#000";
    pen.strokeText(edges[edge], ...at);
    pen.fillStyle = "#fff";
    pen.fillText(edges[edge], ...at);
  }
}

const greyOf = (hu) => Math.round(255 * Math.min(1, Math.max(0, (hu - WINDOW_HU[0]) / (WINDOW_HU[1] - WINDOW_HU[0]))));
const rgb = (hex) => [1, 3, 5].map((n) => parseInt(hex.slice(n, n + 2), 16));
const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;
const mixed = (one, other, part) => one.map((x, n) => Math.round((1 - part) * x + part * other[n]));
