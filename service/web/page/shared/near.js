// Near: what given needles and seeds lie too near to, in the words of the plan's message. Distances are rounded down.

import { counted, number, spoken } from "./dom.js";
import { general } from "./goals.js";

/** Structures first, which bleed or leak as needles do not; then the nearest. */
export const byNearness = (near) =>
  [...near].sort((a, b) => (a.structure === null) - (b.structure === null) || a.clearance_mm - b.clearance_mm);

/** Parts of two needles, as a sentence begins with them. */
const PARTS = { shafts: "The shafts", hubs: "The hubs", "hub and shaft": "Hub and shaft", "shaft and hub": "Hub and shaft" };

const down = (value, decimals) => Math.floor(value * 10 ** decimals) / 10 ** decimals;

/** What a given needle lies too near to. */
export function tooNear({ path_id: id, structure, other_path_id: other, parts, clearance_mm: clear, asked_mm: asked }) {
  if (other === null) {
    const where = clear > 0 ? `passes ${down(clear, 1).toFixed(1)} mm from` : "touches or runs through";
    return `${id}, given, ${where} ${spoken(structure)}, where ${general(asked)} mm are asked for.`;
  }
  const which = PARTS[parts];
  const shown = down(clear, 2);
  const apart = shown < 0 ? `overlap by ${number(-shown, 2)} mm` : `run ${shown.toFixed(2)} mm apart and need ${general(asked)} mm`;
  return `${which} of ${id} and ${other}, given, ${apart}.`;
}

/** Pairs of given seeds of which each may be one seed, as no more than a list of one sentence. */
export const givenTwice = (pairs) =>
  pairs
    ? [`${counted(pairs, "pair")} of given seeds ${pairs === 1 ? "lies" : "lie"} nearer to each other than a seed is long: check that none was given twice.`]
    : [];
