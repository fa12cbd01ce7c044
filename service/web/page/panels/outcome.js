// Outcome: the worst news first, then how planning ended, what was searched, and what the search proves.

import { byId, counted, fill, h, number } from "../shared/dom.js";
import { crossed, lacking } from "../shared/lung.js";
import { news, warning } from "../shared/news.js";
import { on, state } from "../state.js";

/** Draw the panel whenever a plan is shown. */
export function startOutcome() {
  on(["plan"], draw);
}

function draw() {
  const { plan } = state;
  if (plan === null) {
    byId("outcome").hidden = true;
    return;
  }
  const { outcome, search, verification } = plan;
  fill(
    byId("outcome"),
    news(plan),
    h("p", { id: "status" }, h("strong", {}, outcome.status.replaceAll("_", " ")), ` ${outcome.message}`),
    warning([...lacking(plan.missing_structures), ...plan.notes]),
    h(
      "p",
      {},
      `${search.lines_tested.toLocaleString("en")} lines searched to a covering radius of `,
      `${number(search.covering_radius_mm)} mm, ${search.complete ? "complete" : "not complete"}.`,
    ),
    h("details", {}, h("summary", {}, "What the search proves"), h("ul", {}, ...search.claims.map((claim) => h("li", {}, claim)))),
    verification?.passed ? h("p", {}, `Verified: all ${verification.checks.length} checks hold.`) : null,
    implant(plan),
  );
}

function implant(plan) {
  const set = plan.needle_set;
  if (set === null) return null;
  return h(
    "div",
    {},
    h(
      "p",
      {},
      `Needle set: ${counted(set.path_ids.length, "needle")}, ${counted(set.seeds.length, "seed")}, ${crossed(set, plan.missing_structures)}. `,
      `Objective ${number(set.objective)} mm, bound ${number(set.bound)} mm.`,
    ),
    set.order.length ? h("p", {}, `Insert in this order: ${set.order.join(", ")}.`) : null,
    h("details", {}, h("summary", {}, "What is proved about the set"), h("ul", {}, ...set.claims.map((claim) => h("li", {}, claim)))),
  );
}
