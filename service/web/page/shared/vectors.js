// Points and directions in the patient, LPS, in mm, as arrays of three numbers.

export const add = (a, b) => a.map((x, n) => x + b[n]);
export const minus = (a, b) => a.map((x, n) => x - b[n]);
export const times = (k, a) => a.map((x) => k * x);
export const dot = (a, b) => a.reduce((sum, x, n) => sum + x * b[n], 0);
export const length = (a) => Math.sqrt(dot(a, a));
export const unit = (a) => times(1 / length(a), a);
export const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

/** Rounded to a hundredth of a millimetre: finer than a needle is moved by hand. */
export const rounded = (p) => p.map((x) => Math.round(100 * x) / 100);

const DIRECTIONS = [
  ["to the patient's left", "to the patient's right"],
  ["towards posterior", "towards anterior"],
  ["towards superior", "towards inferior"],
];

/** A direction in words, by its largest part. */
export function directionName(direction) {
  const sizes = direction.map(Math.abs);
  const axis = sizes.indexOf(Math.max(...sizes));
  return DIRECTIONS[axis][direction[axis] > 0 ? 0 : 1];
}

/**
 * Two directions across a needle as its operator sees them. `right` is towards the patient's left, or towards
 * posterior if the needle comes from a side. `up` is across both, and points to superior or anterior.
 */
export function acrossNeedle(entry, tip) {
  const along = unit(minus(tip, entry));
  const start = Math.abs(along[0]) < 0.8 ? [1, 0, 0] : [0, 1, 0];
  const right = unit(minus(start, times(dot(start, along), along)));
  const other = cross(right, along);
  const up = Math.abs(other[2]) > Math.abs(other[1]) ? Math.sign(other[2]) : -Math.sign(other[1]);
  return { right, up: times(up || 1, other) };
}
