// Lung: numbers on lung, said no further than the input's lung tells.

/** What of the lung is not in the input. The planner names lung and its lobes so, and nothing else. */
export const lungLacks = (missing) => missing.filter((name) => /^lung(_|$)/.test(name));

/** A number on lung as text: a lower bound where lung lacks, nothing where none is there. */
export function ofLung(text, missing) {
  if (missing.includes("lung")) return "unknown";
  return lungLacks(missing).length ? `at least ${text}` : `${text}`;
}
