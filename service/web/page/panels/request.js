// Request: what is asked of a plan. Common fields have their own inputs; the rest can be given as JSON.

import { Mistake, guarded } from "../shared/alerts.js";
import { byId, fill, h, spoken } from "../shared/dom.js";
import { order } from "./job.js";
import { on, state } from "../state.js";

const POSITIONS = ["supine", "prone", "left_lateral", "right_lateral"];

/** Inputs: label, the place in the request, default, least, most, step. Defaults are the service's own. */
const NUMBERS = [
  ["Margin around the target, mm", ["target", "margin_mm"], 5, 0, 30, 0.5],
  ["Clearance from forbidden organs, mm", ["clearance_mm", "default"], 2, 0, 20, 0.5],
  ["Needle length, mm", ["needle", "max_length_mm"], 200, 20, 400, 1],
  ["Covering radius of the search, mm", ["search", "covering_radius_mm"], 2, 0.5, 10, 0.5],
  ["Paths", ["search", "max_paths"], 10, 1, 50, 1],
];
const DOSE = [
  ["Prescribed dose, Gy", ["prescription", "dose_gy"], 120, 10, 300, 1],
  ["Activity of a seed, mCi", ["seeds", "activity_mci"], 0.6, 0.1, 2, 0.01],
];

/** Draw the form whenever a case is shown. */
export function startRequest() {
  on(["patient"], draw);
  on(["plan"], fillFromPlan);
}

function draw() {
  const panel = byId("request");
  if (state.patient === null) {
    panel.hidden = true;
    return;
  }
  const dose = h("fieldset", {}, h("legend", {}, "Implant"), ...DOSE.map(numberInput));
  const planted = h("input", { type: "checkbox", name: "planted", checked: true });
  planted.addEventListener("change", () => {
    dose.disabled = !planted.checked;
  });
  fill(
    panel,
    h(
      "form",
      { on: { submit: guarded(send) } },
      h("label", {}, "Target", h("select", { name: "target" }, ...targets())),
      h("label", {}, "Position", h("select", { name: "position" }, ...POSITIONS.map((p) => h("option", { value: p }, spoken(p))))),
      ...NUMBERS.map(numberInput),
      h("label", { class: "inline" }, planted, "Needles, seeds and dose, not paths alone"),
      dose,
      h(
        "details",
        {},
        h("summary", {}, "Everything else, as JSON; of the plan shown, if there is one"),
        h("label", {}, "Fields here win over those above", h("textarea", { name: "json", rows: 6, spellcheck: "false", placeholder: '{"roles": {"pleural_effusion": "passable"}}' })),
      ),
      h("button", { id: "plan" }, "Plan"),
    ),
  );
}

/** Show what the plan was asked for, so that asking again changes only what is changed. */
function fillFromPlan() {
  if (state.plan === null) return;
  const asked = state.plan.request;
  const form = byId("request").querySelector("form");
  showTarget(form.elements.target, asked.target.structure);
  form.elements.position.value = asked.pose.position;
  if ((asked.prescription !== null) !== form.elements.planted.checked) form.elements.planted.click();
  const rest = structuredClone(asked);
  delete rest.target.structure;
  delete rest.pose.position;
  for (const [, [part, field]] of [...NUMBERS, ...DOSE]) {
    if (asked[part] === null) continue;
    form.elements[`${part}/${field}`].value = asked[part][field];
    delete rest[part][field];
  }
  // Without a prescription the box above says so.
  if (rest.prescription === null) delete rest.prescription;
  form.elements.json.value = JSON.stringify(rest, null, 1);
}

/** Pick what a plan treats; what is none of the structures alone gets an option of its own. */
function showTarget(picker, structure) {
  const value = JSON.stringify(structure);
  if (![...picker.options].some((option) => option.value === value)) picker.prepend(h("option", { value }, named(structure)));
  picker.value = value;
}

/** A target as people say it: one structure, several, or all that have the role. */
export const named = (structure) => (structure === null ? "every target" : [structure].flat().map(spoken).join(" and "));

function targets() {
  const { structures, targets: first } = state.patient;
  const others = structures.map((s) => s.name).filter((name) => !first.includes(name));
  const options = (names) => names.map((name) => h("option", { value: JSON.stringify(name) }, spoken(name)));
  return [...options(first), h("optgroup", { label: "other structures" }, ...options(others))];
}

function numberInput([label, place, value, min, max, step]) {
  return h("label", {}, label, h("input", { type: "number", name: place.join("/"), value, min, max, step, required: true }));
}

async function send(event) {
  event.preventDefault();
  const given = new FormData(event.target);
  const asked = { target: { structure: JSON.parse(given.get("target")) }, pose: { position: given.get("position") } };
  for (const [, [part, field]] of [...NUMBERS, ...DOSE]) {
    // Inputs that are disabled are no part of the form's data.
    asked[part] = { ...asked[part], [field]: Number(event.target.elements[`${part}/${field}`].value) };
  }
  const whole = merged(asked, parsed(given.get("json")));
  if (!given.has("planted")) whole.prescription = null;
  await order(whole);
}

/** The object that a text means. Throws Mistake where it means none. */
function parsed(text) {
  if (text.trim() === "") return {};
  let found;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw new Mistake(`The JSON of the request cannot be read: ${error.message}`);
  }
  if (!isObject(found)) throw new Mistake("The JSON of the request must be an object, as {…}.");
  return found;
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function merged(one, other) {
  const all = { ...one };
  for (const [name, value] of Object.entries(other)) {
    all[name] = isObject(value) && isObject(one[name]) ? merged(one[name], value) : value;
  }
  return all;
}
