// Limits in words: organ limits that are exceeded, the largest excess first, as in the plan's message.

import { spoken } from "./dom.js";
import { apart } from "./goals.js";

/** The limits that are exceeded, the largest excess first. */
export const byExcess = (limits) => limits.filter(({ met }) => met === false).sort((a, b) => excess(b) - excess(a));

/** How many times a limit is reached, by BED; of what is spared, by volume. What has no number is the most. */
function excess({ kind, volume_cc: needed, achieved_cc: spared, limit_bed_gy: most, achieved_bed_gy: reached }) {
  const [over, under] = kind === "spared" ? [needed, spared] : [reached, most];
  return over === null || !under ? Number.MAX_VALUE : over / under;
}

/** An exceeded limit; with its doses where they are told. */
export function exceeded({ structure, organ, limit, protocol, limit_bed_gy: most = null, achieved_bed_gy: reached = null }) {
  const said = `Exceeded: ${spoken(structure)}, ${limit} for ${spoken(organ)} (${protocol})`;
  if (most === null || reached === null) return `${said}.`;
  return `${said}: BED ${apart(reached, most).join(" Gy of ")} Gy.`;
}
