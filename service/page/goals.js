// Goals in words: a goal is named as "d90_gy", its quantity and its unit.

import { number } from "./dom.js";

const UNITS = { gy: "Gy", percent: "%", cc: "cc" };

/** A goal's quantity, whose it is, what is wanted and what was reached, with units. */
export function goalInWords(goal) {
  const [, quantity, suffix] = goal.name.match(/^(.*)_([a-z]+)$/);
  const unit = UNITS[suffix] ?? suffix;
  return {
    quantity: quantity.replace(/^[dv]/, (first) => first.toUpperCase()).replace("_", "."),
    of: goal.structure,
    wanted: `${goal.at_least ? "at least" : "at most"} ${number(goal.wanted)} ${unit}`,
    reached: `${number(goal.reached)} ${unit}`,
  };
}
