// Goals in words. A goal's name holds its quantity and unit, as in "d90_gy".

import { number, spoken } from "./dom.js";

const UNITS = { gy: "Gy", percent: "%", cc: "cc" };

/** Decimals of numbers in tables, of goals in sentences, and the most that are shown to distinguish two numbers. */
const IN_TABLES = 1;
const IN_SENTENCES = 2;
const MOST = 15;

/** Decimals, at least `least`, that show which of two numbers is larger: 94.98 beside 95 is not shown as 95.0. */
function decimalsApart(one, other, least) {
  let decimals = least;
  const shown = (value) => Number(value.toFixed(decimals));
  while (decimals < MOST && Math.sign(shown(one) - shown(other)) !== Math.sign(one - other)) decimals += 1;
  return decimals;
}

/** Both numbers, with the decimals that distinguish them. */
export function apart(reached, bound, least = IN_TABLES) {
  const decimals = decimalsApart(reached, bound, least);
  return [number(reached, decimals), number(bound, decimals)];
}

/** A requested number to six digits, without zeros at its end. */
export const general = (value) => `${Number(value.toPrecision(6))}`;

/** A goal's quantity and its unit. */
function nameParts({ name }) {
  const [, quantity, suffix] = name.match(/^(.*)_([a-z]+)$/);
  return { quantity: quantity.replace(/^[dv]/, (first) => first.toUpperCase()).replace("_", "."), unit: UNITS[suffix] ?? suffix };
}

const sense = (goal) => (goal.at_least ? "at least" : "at most");

/** A goal's quantity, its structure, the bound and the value reached, with units. */
export function goalInWords(goal) {
  const { quantity, unit } = nameParts(goal);
  const [reached, wanted] = apart(goal.reached, goal.wanted);
  return { quantity, of: goal.structure, wanted: `${sense(goal)} ${wanted} ${unit}`, reached: `${reached} ${unit}` };
}

/** A missed goal, in the words of the plan's message. */
export function missed(goal) {
  const { quantity, unit } = nameParts(goal);
  const [reached, exact] = apart(goal.reached, goal.wanted, IN_SENTENCES);
  const short = general(goal.wanted);
  const bound = Number(short) === goal.wanted ? short : exact;
  return `Not met: ${quantity} of ${spoken(goal.structure)} ${reached} ${unit}, ${sense(goal)} ${bound} ${unit} asked for.`;
}
