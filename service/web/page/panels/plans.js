// Plans: those of the patient, by target, main figures and worst news; and showing one, with its skin access map.

import { Mistake, alertOf, guarded } from "../shared/alerts.js";
import { Problem, get } from "../shared/api.js";
import { byId, counted, fill, h, number, spoken, surePercent } from "../shared/dom.js";
import { crossed, lacking } from "../shared/lung.js";
import { badNewsListed, isUndone, warning } from "../shared/news.js";
import { on, set, state } from "../state.js";

/** Plans shown at first, and with each press for more; and the most that the API tells at once. */
const A_PAGE = 4;
const AT_ONCE = 100;

let listing = 0;
/** How many plans of the patient are shown, at most. */
let most = A_PAGE;

/** List the patient's plans whenever he, or the plan that is shown, is another. */
export function startPlans() {
  on(["patient"], () => {
    most = A_PAGE;
  });
  on(["patient", "plan"], () => void list().catch(alertOf));
}

async function list() {
  listing += 1;
  const mine = listing;
  const { patient } = state;
  if (patient === null) {
    byId("plans").hidden = true;
    return;
  }
  const { items, next } = await newest(patient);
  // Another patient, or a newer plan, may be shown meanwhile.
  if (mine !== listing) return;
  const focused = byId("plans").contains(document.activeElement) ? document.activeElement.id : null;
  const more = next && h("p", {}, h("button", { id: "more-plans", class: "quiet", on: { click: guarded(showMore) } }, "Show more"));
  fill(byId("plans"), items.length ? h("ol", { class: "plans" }, ...items.map(listed)) : h("p", { class: "note" }, "None yet."), more);
  // What was pressed is drawn anew: whoever works by keyboard stays where he was.
  // The button for more goes with the last of them.
  if (focused) (document.getElementById(focused) ?? byId("plans").querySelector("li:last-child button"))?.focus();
}

function showMore() {
  most += A_PAGE;
  return list();
}

/** The newest plans, `most` where there are so many, and the address of what follows. */
async function newest(patient) {
  const items = [];
  let next = `plans?case=${patient.id}`;
  while (next !== null && items.length < most) {
    const page = await get(atMost(next, Math.min(most - items.length, AT_ONCE)));
    items.push(...page.items);
    next = page.next;
  }
  return { items, next };
}

/** The address of a page of plans, with so many on it. */
function atMost(address, count) {
  const [path, query] = address.split("?");
  const asked = new URLSearchParams(query);
  asked.set("limit", count);
  return `${path}?${asked}`;
}

function listed({ id, created, summary }) {
  const shown = id === state.plan?.plan_sha256;
  const time = created.slice(0, 16).replace("T", " ");
  const word = shown ? "Shown" : "Open";
  const to = (summary?.targets ?? []).map(spoken).join(", ");
  const open = h(
    "button",
    {
      id: `plan-${id}`,
      class: "quiet",
      "aria-label": `${word}: plan of ${time}${to && ` to ${to}`}`,
      // Not disabled: it would lose the focus.
      "aria-disabled": shown ? "true" : null,
      on: shown ? {} : { click: guarded(() => openPlan(id)) },
    },
    word,
  );
  const said = summary === null ? [h("p", {}, "Made by another version, or damaged.")] : told(summary);
  return h("li", { "data-plan": id, "aria-current": shown ? "true" : null }, h("p", { class: "note" }, time, open), ...said);
}

/** What is known of a plan: its bad news, how it ended, its figures, what errors of placement leave, what the input lacks. */
function told(summary) {
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
