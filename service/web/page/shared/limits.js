// Limits in words: organ limits that are exceeded, the largest excess first, in the words of the plan's message.

import { spoken } from "./dom.js";
import { apart, general } from "./goals.js";

/** Reasons why an excess may be larger, and why it is unsure, by doubt. */
const MAY_BE_MORE = {
  lacking: "a part of it was not segmented",
  in_seed: "dose inside a seed is not known",
};
const UNSURE = {
  other_reading: "by another reading of the row it is met",
  unverified: "the row is not known to be the protocol's",
  wall: "the row may mean the wall away from the target only",
  holds_more: "what was segmented is more than this organ",
};

/** Relative difference up to which two volumes are equal: rounding. */
const ROUNDING = 1e-9;

/** The limits that are exceeded, the largest excess first. */
export const byExcess = (limits) => limits.filter(({ met }) => met === false).sort((a, b) => excess(b) - excess(a));

/** Ratio of what an organ gets to its limit, by BED; by volume if a volume is to be spared. Without numbers: the largest. */
function excess({ kind, volume_cc: needed, achieved_cc: spared, limit_bed_gy: most, achieved_bed_gy: reached }) {
  const [over, under] = kind === "spared" ? [needed, spared] : [reached, most];
  return over === null || !under ? Number.MAX_VALUE : over / under;
}

/** An exceeded limit: the organ, what it gets and may get; then the protocol, what was assumed, and what is unsure. */
export function exceeded(limit) {
  const { organ, structure, protocol, doubts } = limit;
  const reasons = (certainty, words) => {
    const why = doubts.filter((doubt) => doubt in words).map((doubt) => words[doubt]);
    return why.length ? [`${certainty}: ${why.join(", ")}`] : [];
  };
  const qualifiers = [
    protocol,
    ...(doubts.includes("beams_in_full") ? ["external beams before counted in full everywhere"] : []),
    ...reasons("may be more", MAY_BE_MORE),
    ...reasons("unsure", UNSURE),
  ];
  return `Exceeded: ${organ}${structure ? ` (${spoken(structure)})` : ""} ${excessText(limit)} (${qualifiers.join("; ")}).`;
}

function excessText({ kind, volume_cc: volume, achieved_cc: cc, limit_bed_gy: limit, achieved_bed_gy: reached }) {
  const most = limit ?? 0;
  if (volume === null || cc === null) {
    const [gets, allowed] = apart(reached ?? 0, most);
    return `gets BED ${gets} Gy, at most ${allowed} Gy allowed`;
  }
  if (kind === "spared") return `has ${inCc(cc, volume, 0)} cc below BED ${most.toFixed(1)} Gy, more than ${general(volume)} cc needed`;
  return `gets BED ${most.toFixed(1)} Gy or more in ${inCc(cc, volume, 1)} cc, less than ${general(volume)} cc allowed`;
}

/** A volume with the decimals that show whether it is above or below the limit's; equal within rounding, it is shown as the limit's. */
const inCc = (cc, limit, least) =>
  Math.abs(cc - limit) <= ROUNDING * Math.max(cc, limit) ? general(limit) : apart(cc, limit, least)[0];
