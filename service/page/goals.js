// Goals in words: a goal is named as "d90_gy", its quantity and its unit.

import { number } from "./dom.js";

const UNITS = { gy: "Gy", percent: "%", cc: "cc" };

/** Decimals of a goal's figures, and the most that are shown to tell two of them apart. */
const FEWEST = 1;
const MOST = 9;

/** As many decimals as tell what was reached from what is wanted: 94.98 of 95 is not 95.0. */
function decimalsApart(reached, wanted) {
  let decimals = FEWEST;
  while (decimals < MOST && reached !== wanted && number(reached, decimals) === number(wanted, decimals)) decimals += 1;
  return decimals;
}

/** Both numbers to so many decimals. */
export function apart(reached, wanted) {
  const decimals = decimalsApart(reached, wanted);
  return [number(reached, decimals), number(wanted, decimals)];
}

/** A goal's quantity, whose it is, what is wanted and what was reached, with units. */
export function goalInWords(goal) {
  const [, quantity, suffix] = goal.name.match(/^(.*)_([a-z]+)$/);
  const unit = UNITS[suffix] ?? suffix;
  const [reached, wanted] = apart(goal.reached, goal.wanted);
  return {
    quantity: quantity.replace(/^[dv]/, (first) => first.toUpperCase()).replace("_", "."),
    of: goal.structure,
    wanted: `${goal.at_least ? "at least" : "at most"} ${wanted} ${unit}`,
    reached: `${reached} ${unit}`,
  };
}
