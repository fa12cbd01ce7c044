// Plans: lists the plans of the patient with target, main figures and worst news; opens one, with its skin access map.

import { Mistake, alertOf, guarded } from "../shared/alerts.js";
import { Problem, get } from "../shared/api.js";
import { byId, counted, fill, h, number, spoken, surePercent } from "../shared/dom.js";
import { crossed, lacking } from "../shared/lung.js";
import { badNewsListed, isUndone, warning } from "../shared/news.js";
import { on, set, state } from "../state.js";

/** Plans shown at first and added by each press of "Show more"; and the largest page of the API. */
const PAGE_SIZE = 4;
const MAX_PAGE_SIZE = 100;

let listing = 0;
/** How many plans of the patient are shown, at most. */
let most = PAGE_SIZE;

/** List the patient's plans whenever another patient or plan is shown. */
export function startPlans() {
  on(["patient"], () => {
    most = PAGE_SIZE;
  });
  on(["patient", "plan"], () => void list().catch(alertOf));
}

async function list() {
  listing += 1;
  const own = listing;
  const { patient } = state;
  if (patient === null) {
    byId("plans").hidden = true;
    return;
  }
  const { items, next } = await newest(patient);
  // Another patient, or a newer plan, may be shown meanwhile.
  if (own !== listing) return;
  const focused = byId("plans").contains(document.activeElement) ? document.activeElement.id : null;
  const more = next && h("p", {}, h("button", { id: "more-plans", class: "quiet", on: { click: guarded(showMore) } }, "Show more"));
  fill(byId("plans"), items.length ? h("ol", { class: "plans" }, ...items.map(listed)) : h("p", { class: "note" }, "None yet."), more);
  // The pressed button is drawn again: keyboard users must not lose the focus.
  // "Show more" disappears with the last page: then the last plan gets the focus.
  if (focused) (document.getElementById(focused) ?? byId("plans").querySelector("li:last-child button"))?.focus();
}

function showMore() {
  most += PAGE_SIZE;
  return list();
}

/** The newest plans, at most `most`, and the address of the next page. */
async function newest(patient) {
  const items = [];
  let next = `plans?case=${patient.id}`;
  while (next !== null && items.length < most) {
    const page = await get(atMost(next, Math.min(most - items.length, MAX_PAGE_SIZE)));
    items.push(...page.items);
    next = page.next;
  }
  return { items, next };
}

/** The address of a page of at most `count` plans. */
function atMost(address, count) {
  const [path, query] = address.split("?");
  const parameters = new URLSearchParams(query);
  parameters.set("limit", count);
  return `${path}?${parameters}`;
}

function listed({ id, created, summary }) {
  const shown = id === state.plan?.plan_sha256;
  const time = created.slice(0, 16).replace("T", " ");
  const label = shown ? "Shown" : "Open";
  const to = (summary?.targets ?? []).map(spoken).join(", ");
  const open = h(
    "button",
    {
      id: `plan-${id}`,
      class: "quiet",
      "aria-label": `${label}: plan of ${time}${to && ` to ${to}`}`,
      // Not disabled: it would lose the focus.
      "aria-disabled": shown ? "true" : null,
      on: shown ? {} : { click: guarded(() => openPlan(id)) },
    },
    label,
  );
  const content = summary === null ? [h("p", {}, "Made by another version, or damaged.")] : summaryOf(summary);
  return h("li", { "data-plan": id, "aria-current": shown ? "true" : null }, h("p", { class: "note" }, time, open), ...content);
}

/** A plan in the list: its bad news, status and figures, the effect of placement errors, and what the input lacks. */
function summaryOf(summary) {
  const { status, targets, robustness: placed } = summary;
  return [
    warning(badNewsListed(summary)),
    h("p", {}, h("strong", {}, `${targets.map((name) => `${spoken(name)}, `).join("")}${status.replaceAll("_", " ")}`)),
    h("p", {}, figures(summary)),
    placed && !isUndone(placed)
      ? h("p", { class: "note" }, `Placed by ${spoken(placed.placement)}: D90 and V100 reached in ${surePercent(placed.goals_met_share)} of samples.`)
      : null,
    ...lacking(summary.missing_structures).map((text) => h("p", { class: "note" }, text)),
  ];
}

function figures({ status, paths, best_path: best, needle_set: set, dose, missing_structures: missing }) {
  if (best === null && set === null) return status === "timed_out" ? "The search ended early: paths may exist." : "No path.";
  const all =
    set === null
      ? `${counted(paths, "path")}, the best: ${crossed(best, missing)}`
      : `${counted(set.needles, "needle")}, ${counted(set.seeds, "seed")}, ${crossed(set, missing)}`;
  return dose === null ? `${all}.` : `${all}, D90 ${number(dose.d90_gy)} Gy of ${number(dose.prescribed_gy)}, V100 ${number(dose.v100_percent)} %.`;
}

/** Show a plan of the shown patient, with its best path picked. */
export async function openPlan(id) {
  const { patient } = state;
  const [plan, access] = await Promise.all([get(`plans/${id}`), accessOf(id)]);
  // Another patient may have been opened meanwhile, to whom this plan does not belong.
  if (state.patient !== patient) return;
  // The same surfaces read in other axes are another patient.
  const keyOf = ({ sha256, axes }) => `${sha256} ${axes ?? ""}`;
  const patientKeys = patient.inputs.map(keyOf);
  if (!plan.inputs.every((input) => patientKeys.includes(keyOf(input)))) {
    throw new Mistake("This plan was made from another case than the one shown. Open the case it belongs to.");
  }
  const best = plan.paths[0] ?? null;
  const miss = plan.nearest_miss;
  const line = best ?? miss;
  set({
    plan,
    access,
    path: best?.id ?? null,
    needle: line && { entry_mm: line.entry_mm, tip_mm: line.tip_mm, aim: best?.aim ?? "target" },
  });
}

/** The skin access map; null for plans with given needles, which have none. */
async function accessOf(id) {
  try {
    return await get(`plans/${id}/skin-access`);
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}
