// News: what must be known of a plan before anything else, the worst first: limits that are exceeded, goals that
// are missed, what errors of placement leave of the dose, and its biological dose.

import { h, number, spoken } from "./dom.js";
import { goalInWords } from "./goals.js";

/** Structures most likely to be touched that are named. */
const TOUCHES_SHOWN = 3;

/** A list of them; null where no dose is planned. */
export function news({ dose, robustness }) {
  if (dose === null) return null;
  const bad = [...dose.bed.limits.filter(({ met }) => met === false).map(exceeded), ...dose.goals.filter(({ met }) => !met).map(missed)];
  const rest = [...(robustness === null ? [] : placed(robustness)), biological(dose.bed)];
  return h(
    "div",
    { id: "news" },
    bad.length ? h("ul", { class: "warning" }, ...bad.map((text) => h("li", {}, text))) : null,
    h("ul", {}, ...rest.map((text) => h("li", {}, text))),
  );
}

function exceeded({ structure, organ, limit, protocol, limit_bed_gy: most, achieved_bed_gy: reached, reason }) {
  const doses = most === null || reached === null ? "" : `: BED ${number(reached)} Gy of ${number(most)} Gy`;
  return `Exceeded: ${spoken(structure)}, ${limit} for ${spoken(organ)} (${protocol})${doses}. ${reason}`.trim();
}

/** A goal that is missed, in words. */
export const missed = (goal) => {
  const { quantity, of, wanted, reached } = goalInWords(goal);
  return `Not met: ${quantity} of ${of} is ${reached}, ${wanted} is wanted.`;
};

function placed({ placement, dose_samples: samples, d90_gy: d90, v100_percent: v100, goals_met_share: share, needles }) {
  const spread = ({ p5, p50, p95 }, unit) => `${number(p50)} ${unit} (${number(p5)} to ${number(p95)})`;
  // A share is rounded down: nothing is said to be reached more often than it was.
  const touches = needles
    .flatMap((needle) => needle.touches.map((touch) => ({ ...touch, id: needle.path_id })))
    .sort((a, b) => b.chance - a.chance)
    .slice(0, TOUCHES_SHOWN)
    .map(({ structure, chance, id }) => `${spoken(structure)} ${number(100 * chance, 0)} % (${id})`);
  return [
    `Placed by ${spoken(placement)} with its published errors: D90 ${spread(d90, "Gy")}, V100 ${spread(v100, "%")}; ` +
      `both goals are reached in ${Math.floor(100 * share + 1e-9)} % of ${samples} samples.`,
    ...(touches.length ? [`Most likely touched: ${touches.join(", ")}.`] : []),
  ];
}

const biological = ({ target_d90_gy: bed, target_d90_eqd2_gy: eqd2, limits }) => {
  const unknown = limits.filter(({ met }) => met === null).length;
  return (
    `BED of the PTV: D90 ${number(bed)} Gy (EQD2 ${number(eqd2)} Gy).` +
    (unknown ? ` Organ limits: ${limits.length - unknown} compared, ${unknown} cannot be.` : "")
  );
};
