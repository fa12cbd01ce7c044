// Goals in words: a goal is named as "d90_gy", its quantity and its unit.

import { number, spoken } from "./dom.js";

const UNITS = { gy: "Gy", percent: "%", cc: "cc" };

/** Decimals of figures in tables, of goals in sentences, and the most that are shown to tell two numbers apart. */
const IN_TABLES = 1;
const IN_SENTENCES = 2;
const MOST = 15;

/** As many decimals, at least `least`, as show which of two numbers is the larger: 94.98 of 95 is not 95.0. */
function decimalsApart(one, other, least) {
  let decimals = least;
  const told = (value) => Number(value.toFixed(decimals));
  while (decimals < MOST && Math.sign(told(one) - told(other)) !== Math.sign(one - other)) decimals += 1;
  return decimals;
}

/** Both numbers to so many decimals. */
export function apart(reached, wanted, least = IN_TABLES) {
  const decimals = decimalsApart(reached, wanted, least);
  return [number(reached, decimals), number(wanted, decimals)];
}

/** A number that was asked for, to six digits, without zeros at its end. */
export const general = (value) => `${Number(value.toPrecision(6))}`;

/** A goal's quantity and its unit. */
function named({ name }) {
  const [, quantity, suffix] = name.match(/^(.*)_([a-z]+)$/);
  return { quantity: quantity.replace(/^[dv]/, (first) => first.toUpperCase()).replace("_", "."), unit: UNITS[suffix] ?? suffix };
}

const sense = (goal) => (goal.at_least ? "at least" : "at most");

/** A goal's quantity, whose it is, what is wanted and what was reached, with units. */
export function goalInWords(goal) {
  const { quantity, unit } = named(goal);
  const [reached, wanted] = apart(goal.reached, goal.wanted);
  return { quantity, of: goal.structure, wanted: `${sense(goal)} ${wanted} ${unit}`, reached: `${reached} ${unit}` };
}

/** A goal that is missed, in the words of the plan's message. */
export function missed(goal) {
  const { quantity, unit } = named(goal);
  const [reached, exact] = apart(goal.reached, goal.wanted, IN_SENTENCES);
  const short = general(goal.wanted);
  const asked = Number(short) === goal.wanted ? short : exact;
  return `Not met: ${quantity} of ${spoken(goal.structure)} ${reached} ${unit}, ${sense(goal)} ${asked} ${unit} asked for.`;
}
