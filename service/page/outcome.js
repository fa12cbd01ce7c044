// Outcome: the worst news first, then how planning ended, what was searched, and what that proves.

import { byId, fill, h, number } from "./dom.js";
import { ofLung } from "./lung.js";
import { news } from "./news.js";
import { on, state } from "./state.js";

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
  const held = verification.checks.length;
  fill(
    byId("outcome"),
    news(plan),
    h("p", { id: "status" }, h("strong", {}, outcome.status.replaceAll("_", " ")), ` ${outcome.message}`),
    warnings(plan),
    h(
      "p",
      {},
      `${search.lines_tested.toLocaleString("en")} lines searched to a covering radius of `,
      `${number(search.covering_radius_mm)} mm, ${search.complete ? "complete" : "not complete"}.`,
    ),
    h("details", {}, h("summary", {}, "What that proves"), h("ul", {}, ...search.claims.map((claim) => h("li", {}, claim)))),
    h("p", {}, verification.passed ? `Verified: all ${held} checks hold.` : `Not verified: of ${held} checks some fail.`),
    implant(plan),
  );
}

function warnings({ missing_structures: missing, notes }) {
  const said = [...notes];
  if (missing.length) said.unshift(`Not in the input, so not looked at: ${missing.join(", ")}.`);
  return said.length ? h("ul", { class: "warning" }, ...said.map((text) => h("li", {}, text))) : null;
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
      `Needle set: ${set.path_ids.length} needles, ${set.seeds.length} seeds, lung ${ofLung(`${number(set.lung_length_mm)} mm`, plan.missing_structures)}, `,
      `${ofLung(set.pleural_punctures, plan.missing_structures)} pleural punctures. Objective ${number(set.objective)} mm, bound ${number(set.bound)} mm.`,
    ),
    h("p", {}, `Insert in this order: ${set.order.join(", ")}.`),
    h("details", {}, h("summary", {}, "What is proved of the set"), h("ul", {}, ...set.claims.map((claim) => h("li", {}, claim)))),
  );
}
