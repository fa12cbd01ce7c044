// Request: the form for a plan. Common fields have their own inputs; all others can be given as JSON.

import { Mistake, guarded } from "../shared/alerts.js";
import { byId, fill, h, spoken } from "../shared/dom.js";
import { order } from "./job.js";
import { on, state } from "../state.js";

const POSITIONS = ["supine", "prone", "left_lateral", "right_lateral"];

/** Inputs: label, place in the request, default, minimum, maximum, step. Defaults are those of the service. */
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
  const implant = h("input", { type: "checkbox", name: "implant", checked: true });
  implant.addEventListener("change", () => {
    dose.disabled = !implant.checked;
  });
  fill(
    panel,
    h(
      "form",
      { on: { submit: guarded(send) } },
      h("label", {}, "Target", h("select", { name: "target" }, ...targets())),
      h("label", {}, "Position", h("select", { name: "position" }, ...POSITIONS.map((p) => h("option", { value: p }, spoken(p))))),
      ...NUMBERS.map(numberInput),
      h("label", { class: "inline" }, implant, "Plan needles, seeds and dose, not only paths"),
      dose,
      h(
        "details",
        {},
        h("summary", {}, "All other fields, as JSON (from the shown plan, if there is one)"),
        h("label", {}, "Fields here override those above", h("textarea", { name: "json", rows: 6, spellcheck: "false", placeholder: '{"roles": {"pleural_effusion": "passable"}}' })),
      ),
      h("button", { id: "plan" }, "Plan"),
    ),
  );
}

/** Fill the form from the plan's request, so that the next request differs only in what the user changes. */
function fillFromPlan() {
  if (state.plan === null) return;
  const request = state.plan.request;
  const form = byId("request").querySelector("form");
  showTarget(form.elements.target, request.target.structure);
  form.elements.position.value = request.pose.position;
  if ((request.prescription !== null) !== form.elements.implant.checked) form.elements.implant.click();
  const others = structuredClone(request);
  delete others.target.structure;
  delete others.pose.position;
  for (const [, [part, field]] of [...NUMBERS, ...DOSE]) {
    if (request[part] === null) continue;
    form.elements[`${part}/${field}`].value = request[part][field];
    delete others[part][field];
  }
  // That there is no prescription is shown by the checkbox.
  if (others.prescription === null) delete others.prescription;
  form.elements.json.value = JSON.stringify(others, null, 1);
}

/** Select the target of a plan; several targets, or all, get an option of their own. */
function showTarget(picker, structure) {
  const value = JSON.stringify(structure);
  if (![...picker.options].some((option) => option.value === value)) picker.prepend(h("option", { value }, targetText(structure)));
  picker.value = value;
}

/** A target in words: one structure, several, or all that have the role. */
export const targetText = (structure) => (structure === null ? "every target" : [structure].flat().map(spoken).join(" and "));

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
  const fields = new FormData(event.target);
  const request = { target: { structure: JSON.parse(fields.get("target")) }, pose: { position: fields.get("position") } };
  for (const [, [part, field]] of [...NUMBERS, ...DOSE]) {
    // Disabled inputs are not in the form's data.
    request[part] = { ...request[part], [field]: Number(event.target.elements[`${part}/${field}`].value) };
  }
  const complete = merged(request, parsed(fields.get("json")));
  if (!fields.has("implant")) complete.prescription = null;
  await order(complete);
}

/** The object that a JSON text describes; empty for an empty text. Throws Mistake if it is not an object. */
function parsed(text) {
  if (text.trim() === "") return {};
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Mistake(`The JSON of the request cannot be read: ${error.message}`);
  }
  if (!isObject(value)) throw new Mistake("The JSON of the request must be an object, as {…}.");
  return value;
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function merged(one, other) {
  const all = { ...one };
  for (const [name, value] of Object.entries(other)) {
    all[name] = isObject(value) && isObject(one[name]) ? merged(one[name], value) : value;
  }
  return all;
}
