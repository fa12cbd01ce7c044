// Plans: those of the patient, by target, main figures and worst news; and showing one, with its skin access map.

import { Mistake, alertOf, guarded } from "./alerts.js";
import { Problem, get } from "./api.js";
import { byId, fill, h, number, spoken } from "./dom.js";
import { ofLung } from "./lung.js";
import { missed } from "./news.js";
import { on, set, state } from "./state.js";

/** Plans shown at first, and with each press for more. */
const A_PAGE = 4;

let listing = 0;

/** List the patient's plans whenever he, or the plan that is shown, is another. */
export function startPlans() {
  on(["patient", "plan"], () => void list(A_PAGE).catch(alertOf));
}

async function list(most) {
  listing += 1;
  const mine = listing;
  const { patient } = state;
  if (patient === null) {
    byId("plans").hidden = true;
    return;
  }
  const { items, next } = await get(`plans?case=${patient.id}&limit=${most}`);
  // Another patient, or a newer plan, may be shown meanwhile.
  if (mine !== listing) return;
  const focused = document.activeElement?.id;
  const more = next && h("p", {}, h("button", { id: "more-plans", class: "quiet", on: { click: guarded(() => list(most + A_PAGE)) } }, "Show more"));
  fill(byId("plans"), items.length ? h("ol", { class: "plans" }, ...items.map(listed)) : h("p", { class: "note" }, "None yet."), more);
  // What was pressed is drawn anew: whoever works by keyboard stays where he was.
  if (focused) document.getElementById(focused)?.focus();
}

function listed({ id, created, summary }) {
  const shown = id === state.plan?.plan_sha256;
  const open = h("button", { id: `plan-${id}`, class: "quiet", disabled: shown, on: { click: guarded(() => openPlan(id)) } }, shown ? "Shown" : "Open");
  const said = summary === null ? [h("p", {}, "Its file cannot be read.")] : told(summary);
  return h("li", { "data-plan": id, "aria-current": shown ? "true" : null }, h("p", { class: "note" }, created.slice(0, 16).replace("T", " "), open), ...said);
}

/** What is known of a plan: its bad news, then how it ended, its figures, and what errors of placement leave. */
function told(summary) {
  const { status, targets, robustness: placed } = summary;
  const bad = badNews(summary);
  return [
    bad.length ? h("ul", { class: "warning" }, ...bad.map((text) => h("li", {}, text))) : null,
    h("p", {}, h("strong", {}, `${targets.map((name) => `${spoken(name)}, `).join("")}${status.replaceAll("_", " ")}`)),
    h("p", {}, figures(summary)),
    placed && h("p", { class: "note" }, `Placed by ${spoken(placed.placement)}: both goals in ${number(100 * placed.goals_met_share, 0)} % of samples.`),
  ];
}

function badNews({ verified, dose, needle_set: set }) {
  return [
    ...(verified ? [] : ["Not verified."]),
    ...(dose?.limits_exceeded ?? []).map(
      ({ structure, organ, limit, protocol }) => `Exceeded: ${spoken(structure)}, ${limit} for ${spoken(organ)} (${protocol}).`,
    ),
    ...(dose?.goals_missed ?? []).map(missed),
    ...(set?.given_too_near ? [`Given needles too near to something: ${set.given_too_near}.`] : []),
  ];
}

function figures({ paths, best_path: best, needle_set: set, dose, missing_structures: missing }) {
  const crossed = ({ lung_length_mm: lung, pleural_punctures: punctures }) =>
    `lung ${ofLung(`${number(lung)} mm`, missing)}, pleural punctures ${ofLung(punctures, missing)}`;
  if (best === null && set === null) return "No path.";
  const all = set === null ? `${paths} paths, the best: ${crossed(best)}` : `${set.needles} needles, ${set.seeds} seeds, ${crossed(set)}`;
  return dose === null ? `${all}.` : `${all}, D90 ${number(dose.d90_gy)} Gy of ${number(dose.prescribed_gy)}, V100 ${number(dose.v100_percent)} %.`;
}

/** Show a plan of the patient who is shown, its best path picked. */
export async function openPlan(id) {
  const { patient } = state;
  const [plan, access] = await Promise.all([get(`plans/${id}`), accessOf(id)]);
  // Another patient may have been picked meanwhile, and this plan is none of his.
  if (state.patient !== patient) return;
  // The same surfaces read in other axes are another patient.
  const named = ({ sha256, axes }) => `${sha256} ${axes ?? ""}`;
  const known = patient.inputs.map(named);
  if (!plan.inputs.every((input) => known.includes(named(input)))) {
    throw new Mistake("This plan was made from another case than the one shown. Open the case it belongs to.");
  }
  const best = plan.paths[0] ?? null;
  const miss = plan.nearest_miss;
  const held = best ?? miss;
  set({
    plan,
    access,
    path: best?.id ?? null,
    needle: held && { entry_mm: held.entry_mm, tip_mm: held.tip_mm, aim: best?.aim ?? "target" },
  });
}

/** Plans made while needles are in have no map. */
async function accessOf(id) {
  try {
    return await get(`plans/${id}/skin-access`);
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}
