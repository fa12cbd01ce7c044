// News: what must be known of a plan before anything else. The worst is first, in the order of the plan's message:
// given needles that are too near, given seeds that may be one, goals that are missed, limits that are exceeded, what
// errors of placement undo.

import { counted, h, number, spoken, surePercent } from "./dom.js";
import { missed } from "./goals.js";
import { byExcess, exceeded } from "./limits.js";
import { byNearness, givenTwice, tooNear } from "./near.js";

/** Where goals are reached in less of the samples, errors of placement are bad news; of a plan's message too. */
const ROBUST_SHARE = 0.95;
/** Structures most likely to be touched that are named. */
const TOUCHES_SHOWN = 3;

/** A list of a plan's news; null where there is none. */
export function news(plan) {
  const { dose, robustness } = plan;
  const bad = badNews(plan);
  const rest = [
    ...(robustness === null ? [] : [...(isUndone(robustness) ? [] : [placed(robustness)]), ...touched(robustness)]),
    ...(dose === null ? [] : [biological(dose.bed)]),
  ];
  if (bad.length + rest.length === 0) return null;
  return h(
    "div",
    { id: "news" },
    warning(bad),
    rest.length ? h("ul", {}, ...rest.map((text) => h("li", {}, text))) : null,
  );
}

/** Bad news as a list; null where there is none. */
export const warning = (bad) => (bad.length ? h("ul", { class: "warning" }, ...bad.map((text) => h("li", {}, text))) : null);

function badNews({ outcome, verification, needle_set: set, dose, robustness }) {
  return inOrder({
    unverified: unverified(verification),
    near: byNearness(set?.given_too_near ?? []),
    twice: set?.given_seed_pairs_near ?? 0,
    unplaced: dose === null && outcome.status === "goals_not_met",
    goals: (dose?.goals ?? []).filter(({ met }) => !met),
    over: byExcess(dose?.bed.limits ?? []),
    robustness,
  });
}

/** The bad news of a plan in a list, by its summary. */
export function badNewsListed({ status, verified, needle_set: set, dose, robustness }) {
  return inOrder({
    unverified: verified ? [] : ["Not verified."],
    near: set?.given_too_near ?? [],
    twice: set?.given_seed_pairs_near ?? 0,
    unplaced: dose === null && status === "goals_not_met",
    goals: dose?.goals_missed ?? [],
    over: dose?.limits_exceeded ?? [],
    robustness,
  });
}

const inOrder = ({ unverified, near, twice, unplaced, goals, over, robustness }) => [
  ...unverified,
  ...near.map(tooNear),
  ...givenTwice(twice),
  ...(unplaced ? ["Goals not met: no seed is planned."] : []),
  ...goals.map(missed),
  ...over.map(exceeded),
  ...(robustness !== null && isUndone(robustness) ? [placed(robustness)] : []),
];

/** A plan of which nothing was checked is as little verified as one that failed. */
function unverified(verification) {
  if (verification === null) return ["Not verified: nothing of it was checked."];
  const failed = verification.checks.filter(({ passed }) => !passed).length;
  return verification.passed ? [] : [`Not verified: of ${counted(verification.checks.length, "check")} ${failed} failed.`];
}

/** Whether errors of placement undo too much of what was planned. */
export const isUndone = ({ goals_met_share: share }) => share < ROBUST_SHARE;

/** What errors of placement leave. Of how many samples, a list does not tell. */
function placed({ placement, dose_samples: samples, d90_gy: d90, v100_percent: v100, goals_met_share: share }) {
  const spread = ({ p5, p50, p95 }, unit) => `${number(p50)} ${unit} (${number(p5)} to ${number(p95)})`;
  return (
    `Placed by ${spoken(placement)} with its published errors: D90 ${spread(d90, "Gy")}, V100 ${spread(v100, "%")}; ` +
    `D90 and V100 are reached in ${surePercent(share)} of ${samples === undefined ? "samples" : counted(samples, "sample")}.`
  );
}

function touched({ needles }) {
  const touches = needles
    .flatMap((needle) => needle.touches.map((touch) => ({ ...touch, id: needle.path_id })))
    .sort((a, b) => b.chance - a.chance)
    .slice(0, TOUCHES_SHOWN)
    .map(({ structure, chance, id }) => `${spoken(structure)} ${number(100 * chance, 0)} % (${id})`);
  return touches.length ? [`Most likely touched: ${touches.join(", ")}.`] : [];
}

const biological = ({ target_d90_gy: bed, target_d90_eqd2_gy: eqd2, external_target_gy: before, limits }) => {
  const unknown = limits.filter(({ met }) => met === null).length;
  return (
    `BED of the PTV: D90 ${number(bed)} Gy${before > 0 ? `, ${number(before)} Gy of it given before` : ""} (EQD2 ${number(eqd2)} Gy).` +
    (unknown ? ` Organ limits: ${limits.length - unknown} compared, ${unknown} cannot be.` : "")
  );
};
