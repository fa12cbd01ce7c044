// Blocked: which structures block directions to the target, and which change of the request would open a path.

import { byId, fill, h, number, spoken, table } from "../shared/dom.js";
import { ofLung } from "../shared/lung.js";
import { on, set, state } from "../state.js";

/** How many structures are shown at first. */
const FIRST = 8;

/** Draw the panel whenever a plan is shown. */
export function startBlocked() {
  on(["plan"], draw);
}

function draw() {
  const { plan } = state;
  if (plan === null) {
    byId("blocked").hidden = true;
    return;
  }
  const shares = plan.blocked_by.map(({ structure, share }) => [
    spoken(structure),
    `${number(100 * share, 1)} %`,
    h("meter", { min: 0, max: 1, value: share, "aria-hidden": "true" }),
  ]);
  fill(
    byId("blocked"),
    h("p", {}, "Share of all directions to the target, by the structure that blocks them first:"),
    h("div", { class: "scroll" }, table("Blocked directions", ["structure", "share", ""], shares.slice(0, FIRST))),
    shares.length > FIRST
      ? h(
          "details",
          {},
          h("summary", {}, `${shares.length - FIRST} more`),
          h("div", { class: "scroll" }, table("Further structures", ["structure", "share", ""], shares.slice(FIRST))),
        )
      : null,
    nearestMiss(plan.nearest_miss),
  );
}

/** What the nearest line lacks, by the constraint that it violates. */
function lacking({ constraint, structure, missing_mm: missing }) {
  if (constraint === "covering_radius") return "The nearest line is safe where it is, but not when it is displaced by the covering radius.";
  const what = constraint === "clearance" ? `of the clearance from ${spoken(structure)}` : `of room: ${spoken(structure)}`;
  return `The nearest line lacks ${number(missing)} mm ${what}.`;
}

function nearestMiss(miss) {
  if (miss === null) return null;
  const position = ({ entry_mm, tip_mm }) => () => set({ path: null, needle: { entry_mm, tip_mm, aim: "target" } });
  const opening = miss.relaxations.map((r) =>
    h(
      "li",
      {},
      `${spoken(r.setting)}${r.structure ? ` of ${spoken(r.structure)}` : ""} from ${number(r.from_mm)} to ${number(r.to_mm)} mm, `,
      `then there is a path; lung crossed: ${ofLung(`${number(r.lung_length_mm)} mm`, state.plan.missing_structures)}. `,
      h("button", { class: "quiet", on: { click: position(r) } }, "Show it"),
    ),
  );
  return h(
    "div",
    {},
    h(
      "p",
      {},
      `${lacking(miss)} `,
      h("button", { class: "quiet", on: { click: position(miss) } }, "Show it"),
    ),
    opening.length ? h("p", {}, "A single change that opens a path:") : null,
    opening.length ? h("ul", {}, ...opening) : null,
  );
}
