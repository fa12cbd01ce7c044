// Points and directions of the patient, LPS, in mm, as arrays of three.

export const add = (a, b) => a.map((x, n) => x + b[n]);
export const minus = (a, b) => a.map((x, n) => x - b[n]);
export const times = (k, a) => a.map((x) => k * x);
export const dot = (a, b) => a.reduce((sum, x, n) => sum + x * b[n], 0);
export const length = (a) => Math.sqrt(dot(a, a));
export const unit = (a) => times(1 / length(a), a);
export const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

/** To a hundredth of a millimetre: finer than any hand moves. */
export const rounded = (p) => p.map((x) => Math.round(100 * x) / 100);

const WAYS = [
  ["to the patient's left", "to the patient's right"],
  ["towards posterior", "towards anterior"],
  ["towards superior", "towards inferior"],
];

/** A direction in words, by its largest part. */
export function wayOf(direction) {
  const sizes = direction.map(Math.abs);
  const axis = sizes.indexOf(Math.max(...sizes));
  return WAYS[axis][direction[axis] > 0 ? 0 : 1];
}

/**
 * Two directions across a needle as its operator sees them: towards the patient's left, or for a needle that
 * comes from a side towards posterior, and the one across both that is nearest to superior or anterior.
 */
export function acrossNeedle(entry, tip) {
  const along = unit(minus(tip, entry));
  const start = Math.abs(along[0]) < 0.8 ? [1, 0, 0] : [0, 1, 0];
  const right = unit(minus(start, times(dot(start, along), along)));
  const other = cross(right, along);
  const up = Math.abs(other[2]) > Math.abs(other[1]) ? Math.sign(other[2]) : -Math.sign(other[1]);
  return { right, up: times(up || 1, other) };
}
