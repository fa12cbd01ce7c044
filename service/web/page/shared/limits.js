// Limits in words: organ limits that are exceeded, the largest excess first, in the words of the plan's message.

import { spoken } from "./dom.js";
import { apart, general } from "./goals.js";

/** Why an excess may be larger still, and what makes it unsure, by doubt. */
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

/** Volumes that agree to this part are one: what rounding leaves. */
const SAME_PART = 1e-9;

/** The limits that are exceeded, the largest excess first. */
export const byExcess = (limits) => limits.filter(({ met }) => met === false).sort((a, b) => excess(b) - excess(a));

/** How many times a limit is reached, by BED; of what is spared, by volume. What has no number is the most. */
function excess({ kind, volume_cc: needed, achieved_cc: spared, limit_bed_gy: most, achieved_bed_gy: reached }) {
  const [over, under] = kind === "spared" ? [needed, spared] : [reached, most];
  return over === null || !under ? Number.MAX_VALUE : over / under;
}

/** An exceeded limit: the organ, what it gets and may get; whose limit, what was assumed, and what is unsure. */
export function exceeded(limit) {
  const { organ, structure, protocol, doubts } = limit;
  const because = (said, words) => {
    const why = doubts.filter((doubt) => doubt in words).map((doubt) => words[doubt]);
    return why.length ? [`${said}: ${why.join(", ")}`] : [];
  };
  const beside = [
    protocol,
    ...(doubts.includes("beams_in_full") ? ["external beams before counted in full everywhere"] : []),
    ...because("may be more", MAY_BE_MORE),
    ...because("unsure", UNSURE),
  ];
  return `Exceeded: ${organ}${structure ? ` (${spoken(structure)})` : ""} ${got(limit)} (${beside.join("; ")}).`;
}

function got({ kind, volume_cc: volume, achieved_cc: cc, limit_bed_gy: limit, achieved_bed_gy: reached }) {
  const most = limit ?? 0;
  if (volume === null || cc === null) {
    const [told, allowed] = apart(reached ?? 0, most);
    return `gets BED ${told} Gy, at most ${allowed} Gy allowed`;
  }
  if (kind === "spared") return `has ${inCc(cc, volume, 0)} cc below BED ${most.toFixed(1)} Gy, more than ${general(volume)} cc needed`;
  return `gets BED ${most.toFixed(1)} Gy or more in ${inCc(cc, volume, 1)} cc, less than ${general(volume)} cc allowed`;
}

/** A volume to as many decimals as show on which side of the limit's it lies; one that is it within rounding is said to be it. */
const inCc = (cc, limit, least) =>
  Math.abs(cc - limit) <= SAME_PART * Math.max(cc, limit) ? general(limit) : apart(cc, limit, least)[0];
