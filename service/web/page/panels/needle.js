// Needle: moving its entry or tip by hand, and what is said of it at once.

import { byId, fill, h, number, spoken, table } from "../shared/dom.js";
import { apart } from "../shared/goals.js";
import { askAgain, startLive } from "../shared/live.js";
import { lacking, ofLung } from "../shared/lung.js";
import { named } from "./request.js";
import { on, set, state } from "../state.js";
import { acrossNeedle, add, rounded, times, wayOf } from "../shared/vectors.js";

const STEPS_MM = [0.5, 1, 2, 5, 10];
const AXES = ["left (L)", "posterior (P)", "superior (S)"];
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

const verdict = h("div", { id: "verdict", role: "status" });
const found = h("div", { id: "found" });
const inputs = { entry_mm: [], tip_mm: [] };
const buttons = {};

/** Draw the panel whenever a needle is held first, then keep it up to date. */
export function startNeedle() {
  startLive();
  on(["patient", "plan"], () => {
    byId("needle").hidden = true;
    found.replaceChildren();
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
    found,
  );
}

/** Whose rules the verdict goes by: those of the plan, whatever the form says by now. */
function judgedBy() {
  const { target, clearance_mm: clearance } = state.plan.request;
  return (
    `By the request of the plan shown: to ${named(target.structure)}, ${number(clearance.default)} mm clear ` +
    "unless a structure has its own. By itself: other needles of the plan and their hubs are not looked at. " +
    "Measured at once, not verified as plans are."
  );
}

function stepPicker() {
  const picker = h("select", {}, ...STEPS_MM.map((s) => h("option", { value: s, selected: s === moving.step }, s)));
  picker.addEventListener("change", () => {
    moving.step = Number(picker.value);
  });
  return picker;
}

/** Four buttons, which arrow keys press too wherever the focus is among them. */
function pad() {
  const button = (text, key) => {
    buttons[key] = h("button", { type: "button", on: { click: () => move(...KEYS[key]) } }, text);
    return buttons[key];
  };
  const made = h(
    "div",
    { class: "pad", id: "pad", role: "group", "aria-label": "Move across the needle; arrow keys do too" },
    button("←", "ArrowLeft"),
    button("↑", "ArrowUp"),
    button("↓", "ArrowDown"),
    button("→", "ArrowRight"),
  );
  made.addEventListener("keydown", (event) => {
    const by = KEYS[event.key];
    if (by === undefined) return;
    event.preventDefault();
    move(...by);
  });
  return made;
}

function move(right, up) {
  const { entry_mm: entry, tip_mm: tip } = state.needle;
  const across = acrossNeedle(entry, tip);
  const by = add(times(right * moving.step, across.right), times(up * moving.step, across.up));
  hold({ ...state.needle, [moving.end]: rounded(add(state.needle[moving.end], by)) });
}

/** Say of each button which way of the patient it moves: that depends on the needle. */
function nameButtons() {
  const across = acrossNeedle(state.needle.entry_mm, state.needle.tip_mm);
  for (const [key, [right, up]] of Object.entries(KEYS)) {
    const way = wayOf(add(times(right, across.right), times(up, across.up)));
    buttons[key].ariaLabel = way;
    buttons[key].title = way;
  }
}

/**
 * Hold the needle there: it is no path of the plan any more. It aims at what it aimed at before; one that was in
 * already is judged as one that is to be driven.
 */
export const hold = (needle) => set({ path: null, needle: { ...needle, aim: needle.aim === "given" ? "ptv" : needle.aim } });

function points(end, name) {
  inputs[end] = AXES.map((axis, n) => {
    const input = h("input", { type: "number", step: 0.1, "aria-label": `${name}, ${axis}` });
    input.addEventListener("change", () => {
      if (input.value === "" || !Number.isFinite(Number(input.value))) return;
      hold({ ...state.needle, [end]: state.needle[end].with(n, Number(input.value)) });
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
  const said = state.appraisal;
  found.classList.toggle("stale", said === null);
  found.ariaHidden = said === null;
  if (said === null) {
    verdict.className = "";
    if (state.unanswered === null) verdict.replaceChildren(h("p", {}, h("strong", {}, "… Asking")));
    else showNoAnswer();
    return;
  }
  verdict.className = said.safe ? "safe" : "unsafe";
  verdict.replaceChildren(
    h("p", {}, h("strong", {}, said.safe ? "✓ " : "✕ ", VERDICTS[said.aim][said.safe ? 0 : 1]), ` ${JUDGED[said.aim]}`),
    said.reasons.length ? h("ul", {}, ...said.reasons.map(({ detail }) => h("li", {}, detail))) : "",
    ...lacking(said.missing_structures).map((text) => h("p", {}, text)),
  );
  found.replaceChildren(
    h(
      "dl",
      {},
      ...[
        ["lung crossed", ofLung(`${number(said.lung_length_mm)} mm`, said.missing_structures)],
        ["pleural punctures", ofLung(number(said.pleural_punctures, 0), said.missing_structures)],
        ["fissures", ofLung(number(said.fissures_crossed, 0), said.missing_structures)],
        ["clearance", `${clearance(said)} mm to ${spoken(said.nearest_structure)}`],
        ["length", `${number(said.length_mm)} mm`],
        ["in the target", `${number(said.target_chord_mm)} mm`],
        ["axial angle", `${number(said.axial_angle_deg)}°`],
        ["craniocaudal angle", `${number(said.craniocaudal_angle_deg)}°`],
      ].flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
    h("details", { open: !said.safe }, h("summary", {}, "Near the needle"), near(said)),
    h("details", {}, h("summary", {}, "What it runs through"), crossed(said)),
  );
}

const VERDICTS = {
  target: ["Safe as asked", "Not safe"],
  ptv: ["Safe as asked", "Not safe"],
  given: ["In place, clear as asked", "In place, not as asked"],
};
/** What the tip is at decides what is asked of a needle. */
const JUDGED = {
  target: "as a path to the target",
  ptv: "as a needle of the set: its tip in the PTV, with room for a seed",
  given: "as a needle that is in: where its tip is does not matter",
};

function showNoAnswer() {
  found.replaceChildren();
  verdict.replaceChildren(
    h("p", {}, h("strong", {}, "? Not known"), ` ${state.unanswered}`),
    h("button", { type: "button", class: "quiet", on: { click: askAgain } }, "Ask again"),
  );
}

/** The clearance as it is told where it stands beside what is needed. */
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
        const [told, asked] = apart(clear, needed);
        return [`${clear < needed ? "✕ " : ""}${spoken(structure)}`, told, asked];
      }),
    ),
  );

const crossed = ({ crosses }) =>
  h(
    "div",
    { class: "scroll" },
    table("Depths from the entry", ["structure", "from mm", "to mm"], crosses.map((c) => [spoken(c.structure), number(c.from_mm), number(c.to_mm)])),
  );
