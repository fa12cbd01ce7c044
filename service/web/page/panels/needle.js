// Needle: moves its entry or tip, and shows the immediate appraisal.

import { byId, fill, h, number, spoken, table } from "../shared/dom.js";
import { apart } from "../shared/goals.js";
import { askAgain, startLive } from "../shared/live.js";
import { lacking, ofLung } from "../shared/lung.js";
import { targetText } from "./request.js";
import { on, set, state } from "../state.js";
import { acrossNeedle, add, directionName, rounded, times } from "../shared/vectors.js";

const STEPS_MM = [0.5, 1, 2, 5, 10];
const AXES = ["left (L)", "posterior (P)", "superior (S)"];
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

const verdict = h("div", { id: "verdict", role: "status" });
const figures = h("div", { id: "figures" });
const inputs = { entry_mm: [], tip_mm: [] };
const buttons = {};

/** Draw the panel when there is a needle, then keep it up to date. */
export function startNeedle() {
  startLive();
  on(["patient", "plan"], () => {
    byId("needle").hidden = true;
    figures.replaceChildren();
  });
  on(["needle"], () => {
    if (state.needle === null) byId("needle").hidden = true;
    else if (byId("needle").hidden) build();
    showPoints();
  });
  on(["appraisal", "unanswered"], showAppraisal);
}

/** Which end is moved, and by how much. */
const moving = { end: "entry_mm", step: 1 };

function build() {
  fill(
    byId("needle"),
    verdict,
    h("p", { class: "note" }, judgedBy()),
    h(
      "fieldset",
      { class: "moving" },
      h("legend", {}, "Move"),
      ...[["entry_mm", "entry"], ["tip_mm", "tip"]].map(([end, name]) =>
        h(
          "label",
          { class: "inline" },
          h("input", { type: "radio", name: "end", value: end, checked: moving.end === end, on: { change: () => { moving.end = end; } } }),
          name,
        ),
      ),
      h("label", { class: "inline" }, "by", stepPicker(), "mm"),
      pad(),
    ),
    h("details", {}, h("summary", {}, "Points, mm, LPS"), points("entry_mm", "Entry"), points("tip_mm", "Tip")),
    figures,
  );
}

/** The rules of the appraisal: those of the shown plan's request, not of the form. */
function judgedBy() {
  const { target, clearance_mm: clearance } = state.plan.request;
  return (
    `Judged by the request of the shown plan: to ${targetText(target.structure)}, ${number(clearance.default)} mm clear ` +
    "unless a structure has its own clearance. Other needles of the plan and their hubs are not considered. " +
    "Measured immediately, but not verified as a plan is."
  );
}

function stepPicker() {
  const picker = h("select", {}, ...STEPS_MM.map((s) => h("option", { value: s, selected: s === moving.step }, s)));
  picker.addEventListener("change", () => {
    moving.step = Number(picker.value);
  });
  return picker;
}

/** Four buttons; arrow keys do the same while one of them has the focus. */
function pad() {
  const button = (text, key) => {
    buttons[key] = h("button", { type: "button", on: { click: () => move(...KEYS[key]) } }, text);
    return buttons[key];
  };
  const group = h(
    "div",
    { class: "pad", id: "pad", role: "group", "aria-label": "Move across the needle; arrow keys also work" },
    button("←", "ArrowLeft"),
    button("↑", "ArrowUp"),
    button("↓", "ArrowDown"),
    button("→", "ArrowRight"),
  );
  group.addEventListener("keydown", (event) => {
    const by = KEYS[event.key];
    if (by === undefined) return;
    event.preventDefault();
    move(...by);
  });
  return group;
}

function move(right, up) {
  const { entry_mm: entry, tip_mm: tip } = state.needle;
  const across = acrossNeedle(entry, tip);
  const by = add(times(right * moving.step, across.right), times(up * moving.step, across.up));
  moveNeedle({ ...state.needle, [moving.end]: rounded(add(state.needle[moving.end], by)) });
}

/** Name each button by its direction in the patient, which depends on the needle. */
function nameButtons() {
  const across = acrossNeedle(state.needle.entry_mm, state.needle.tip_mm);
  for (const [key, [right, up]] of Object.entries(KEYS)) {
    const direction = directionName(add(times(right, across.right), times(up, across.up)));
    buttons[key].ariaLabel = direction;
    buttons[key].title = direction;
  }
}

/**
 * Move the needle, which makes it different from the plan's paths. It keeps its aim; a given needle is judged as
 * one that is still to be inserted.
 */
export const moveNeedle = (needle) => set({ path: null, needle: { ...needle, aim: needle.aim === "given" ? "ptv" : needle.aim } });

function points(end, name) {
  inputs[end] = AXES.map((axis, n) => {
    const input = h("input", { type: "number", step: 0.1, "aria-label": `${name}, ${axis}` });
    input.addEventListener("change", () => {
      if (input.value === "" || !Number.isFinite(Number(input.value))) return;
      moveNeedle({ ...state.needle, [end]: state.needle[end].with(n, Number(input.value)) });
    });
    return input;
  });
  return h("p", { class: "points" }, `${name} `, ...inputs[end]);
}

function showPoints() {
  if (state.needle === null) return;
  nameButtons();
  for (const end of ["entry_mm", "tip_mm"]) {
    inputs[end].forEach((input, n) => {
      input.value = state.needle[end][n].toFixed(1);
    });
  }
}

function showAppraisal() {
  const { appraisal } = state;
  figures.classList.toggle("stale", appraisal === null);
  figures.ariaHidden = appraisal === null;
  if (appraisal === null) {
    verdict.className = "";
    if (state.unanswered === null) verdict.replaceChildren(h("p", {}, h("strong", {}, "… Asking")));
    else showNoAnswer();
    return;
  }
  verdict.className = appraisal.safe ? "safe" : "unsafe";
  verdict.replaceChildren(
    h("p", {}, h("strong", {}, appraisal.safe ? "✓ " : "✕ ", VERDICTS[appraisal.aim][appraisal.safe ? 0 : 1]), ` ${JUDGED[appraisal.aim]}`),
    appraisal.reasons.length ? h("ul", {}, ...appraisal.reasons.map(({ detail }) => h("li", {}, detail))) : "",
    ...lacking(appraisal.missing_structures).map((text) => h("p", {}, text)),
  );
  figures.replaceChildren(
    h(
      "dl",
      {},
      ...[
        ["lung crossed", ofLung(`${number(appraisal.lung_length_mm)} mm`, appraisal.missing_structures)],
        ["pleural punctures", ofLung(number(appraisal.pleural_punctures, 0), appraisal.missing_structures)],
        ["fissures", ofLung(number(appraisal.fissures_crossed, 0), appraisal.missing_structures)],
        ["clearance", `${clearance(appraisal)} mm to ${spoken(appraisal.nearest_structure)}`],
        ["length", `${number(appraisal.length_mm)} mm`],
        ["in the target", `${number(appraisal.target_chord_mm)} mm`],
        ["axial angle", `${number(appraisal.axial_angle_deg)}°`],
        ["craniocaudal angle", `${number(appraisal.craniocaudal_angle_deg)}°`],
      ].flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
    h("details", { open: !appraisal.safe }, h("summary", {}, "Near the needle"), near(appraisal)),
    h("details", {}, h("summary", {}, "Structures it crosses"), crossed(appraisal)),
  );
}

const VERDICTS = {
  target: ["Safe as requested", "Not safe"],
  ptv: ["Safe as requested", "Not safe"],
  given: ["In place, clear as requested", "In place, not clear as requested"],
};
/** What a needle is judged as, by its aim. */
const JUDGED = {
  target: "as a path to the target",
  ptv: "as a needle of the set: its tip in the PTV, with room for a seed",
  given: "as a needle in place: the position of its tip does not matter",
};

function showNoAnswer() {
  figures.replaceChildren();
  verdict.replaceChildren(
    h("p", {}, h("strong", {}, "? Not known"), ` ${state.unanswered}`),
    h("button", { type: "button", class: "quiet", on: { click: askAgain } }, "Ask again"),
  );
}

/** The clearance with the decimals that distinguish it from what is needed. */
function clearance({ clearance_mm: clear, nearest_structure: nearest, clearances }) {
  const listed = clearances.find(({ structure }) => structure === nearest);
  return listed ? apart(clear, listed.needed_mm)[0] : number(clear);
}

const near = ({ clearances }) =>
  h(
    "div",
    { class: "scroll" },
    table(
      "From the needle's wall",
      ["structure", "clearance mm", "needed mm"],
      clearances.map(({ structure, clearance_mm: clear, needed_mm: needed }) => {
        const [clearText, neededText] = apart(clear, needed);
        return [`${clear < needed ? "✕ " : ""}${spoken(structure)}`, clearText, neededText];
      }),
    ),
  );

const crossed = ({ crosses }) =>
  h(
    "div",
    { class: "scroll" },
    table("Depths from the entry", ["structure", "from mm", "to mm"], crosses.map((c) => [spoken(c.structure), number(c.from_mm), number(c.to_mm)])),
  );
