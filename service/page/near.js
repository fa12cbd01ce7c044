// Near: what given needles lie too near to, in the words of the plan's message. Distances are rounded down.

import { number, spoken } from "./dom.js";

/** Structures first, which bleed or leak as needles do not; then the nearest. */
export const byNearness = (near) =>
  [...near].sort((a, b) => (a.structure === null) - (b.structure === null) || a.clearance_mm - b.clearance_mm);

const down = (value, decimals) => Math.floor(value * 10 ** decimals) / 10 ** decimals;

/** What a given needle lies too near to. */
export function tooNear({ path_id: id, structure, other_path_id: other, parts, clearance_mm: clear, asked_mm: asked }) {
  if (other === null) {
    const where = clear > 0 ? `passes ${number(down(clear, 1))} mm from` : "touches or runs through";
    return `${id}, given, ${where} ${spoken(structure)}, where ${asked} mm are asked for.`;
  }
  const which = ["shafts", "hubs"].includes(parts) ? `the ${parts}` : "hub and shaft";
  const shown = down(clear, 2);
  const apart = shown < 0 ? `overlap by ${number(-shown, 2)} mm` : `run ${number(shown, 2)} mm apart and need ${asked} mm`;
  return `${id} and ${other}, given, are too near: ${which} ${apart}.`;
}
