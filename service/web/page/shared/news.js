// News: what the user must know first about a plan. The worst comes first, in the order of the plan's message:
// given needles that are too near, given seeds that may be one, missed goals, exceeded limits, and the effect of
// placement errors.

import { counted, h, number, spoken, surePercent } from "./dom.js";
import { missed } from "./goals.js";
import { byExcess, exceeded } from "./limits.js";
import { byNearness, givenTwice, tooNear } from "./near.js";

/** If goals are reached in a smaller share of the samples, placement errors are bad news, as in a plan's message. */
const ROBUST_SHARE = 0.95;
/** How many of the structures most likely to be touched are named. */
const TOUCHES_SHOWN = 3;

/** The news of a plan as a list; null if there is none. */
export function news(plan) {
  const { dose, robustness } = plan;
  const bad = badNews(plan);
  const others = [
    ...(robustness === null ? [] : [...(isUndone(robustness) ? [] : [placed(robustness)]), ...touched(robustness)]),
    ...(dose === null ? [] : [biological(dose.bed)]),
  ];
  if (bad.length + others.length === 0) return null;
  return h(
    "div",
    { id: "news" },
    warning(bad),
    others.length ? h("ul", {}, ...others.map((text) => h("li", {}, text))) : null,
  );
}

/** Bad news as a list; null if there is none. */
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

/** The bad news of a plan, from its summary. */
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

/** A plan without checks is not verified, like one with a failed check. */
function unverified(verification) {
  if (verification === null) return ["Not verified: nothing of it was checked."];
  const failed = verification.checks.filter(({ passed }) => !passed).length;
  return verification.passed ? [] : [`Not verified: of ${counted(verification.checks.length, "check")} ${failed} failed.`];
}

/** Whether placement errors undo too much of the plan. */
export const isUndone = ({ goals_met_share: share }) => share < ROBUST_SHARE;

/** Dose and goals under placement errors. A summary does not have the number of samples. */
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
