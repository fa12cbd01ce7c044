// Near: given needles and seeds that are too near to something, in the words of the plan's message. Distances are rounded down.

import { counted, number, spoken } from "./dom.js";
import { general } from "./goals.js";

/** Structures before needles, because structures can bleed or leak; then by distance. */
export const byNearness = (near) =>
  [...near].sort((a, b) => (a.structure === null) - (b.structure === null) || a.clearance_mm - b.clearance_mm);

/** Parts of two needles, as the beginning of a sentence. */
const PARTS = { shafts: "The shafts", hubs: "The hubs", "hub and shaft": "Hub and shaft", "shaft and hub": "Hub and shaft" };

const down = (value, decimals) => Math.floor(value * 10 ** decimals) / 10 ** decimals;

/** A sentence on a structure or needle that a given needle is too near to. */
export function tooNear({ path_id: id, structure, other_path_id: other, parts, clearance_mm: clear, asked_mm: required }) {
  if (other === null) {
    const where = clear > 0 ? `passes ${down(clear, 1).toFixed(1)} mm from` : "touches or runs through";
    return `${id}, given, ${where} ${spoken(structure)}, where ${general(required)} mm are asked for.`;
  }
  const which = PARTS[parts];
  const shown = down(clear, 2);
  const apart = shown < 0 ? `overlap by ${number(-shown, 2)} mm` : `run ${shown.toFixed(2)} mm apart and need ${general(required)} mm`;
  return `${which} of ${id} and ${other}, given, ${apart}.`;
}

/** Pairs of given seeds that may be one seed: a list with one sentence, or an empty list. */
export const givenTwice = (pairs) =>
  pairs
    ? [`${counted(pairs, "pair")} of given seeds ${pairs === 1 ? "lies" : "lie"} nearer to each other than a seed is long: check that none was given twice.`]
    : [];
