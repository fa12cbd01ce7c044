// Paths: the ranked table. A radio button selects a row, so arrow keys go from path to path.

import { byId, fill, h, number, spoken } from "../shared/dom.js";
import { ofLung } from "../shared/lung.js";
import { on, set, state } from "../state.js";

const COLUMNS = [
  ["window", (p) => windowName(p)],
  ["approach", (p) => p.approach],
  ["lung mm", (p) => ofLung(number(p.lung_length_mm), state.plan.missing_structures)],
  ["pleura", (p) => ofLung(p.pleural_punctures, state.plan.missing_structures)],
  ["fis\u00ADsures", (p) => ofLung(p.fissures_crossed, state.plan.missing_structures)],
  ["clear\u00ADance mm", (p) => number(p.clearance_mm)],
  ["nearest", (p) => spoken(p.nearest_structure)],
  ["length mm", (p) => number(p.length_mm)],
  ["in target mm", (p) => number(p.target_chord_mm)],
  ["axial °", (p) => number(p.axial_angle_deg)],
  ["cranio\u00ADcaudal °", (p) => number(p.craniocaudal_angle_deg)],
  ["seeds", (p) => p.seeds.length],
  ["Pareto", (p) => (p.pareto ? "front" : "")],
];

/** Draw the table whenever a plan is shown, and mark the picked path. */
export function startPaths() {
  on(["plan"], draw);
  on(["path"], mark);
}

const windowName = (path) => state.plan.windows.find((w) => w.id === path.window)?.name ?? path.window;

function draw() {
  const { plan } = state;
  if (plan === null || plan.paths.length === 0) {
    byId("paths").hidden = true;
    return;
  }
  const inSet = plan.needle_set?.path_ids ?? [];
  const ranked = plan.paths.filter((p) => p.aim === "target");
  const needles = plan.paths.filter((p) => p.aim !== "target");
  fill(
    byId("paths"),
    h(
      "div",
      { class: "scroll" },
      h(
        "table",
        {},
        h("caption", {}, "Paths to the target by rank, then the needles of the set"),
        h("thead", {}, h("tr", {}, ...["path", ...COLUMNS.map(([name]) => name)].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, ...ranked.map((p) => row(p, `${p.rank}`))),
        needles.length ? h("tbody", { class: "set" }, ...needles.map((p) => row(p, p.id))) : null,
      ),
    ),
    inSet.length ? h("p", { class: "note" }, `Needles of the set: ${inSet.join(", ")}.`) : null,
  );
  mark();
}

function row(path, name) {
  const pick = () => set({ path: path.id, needle: { entry_mm: path.entry_mm, tip_mm: path.tip_mm, aim: path.aim } });
  const radio = h("input", { type: "radio", name: "path", value: path.id, on: { change: pick } });
  const tableRow = h(
    "tr",
    { "data-path": path.id },
    h("th", { scope: "row" }, h("label", { class: "inline" }, radio, name)),
    ...COLUMNS.map(([, text]) => h("td", {}, text(path))),
  );
  tableRow.addEventListener("click", () => {
    radio.focus({ preventScroll: true });
    if (!radio.checked) radio.click();
  });
  return tableRow;
}

function mark() {
  for (const tableRow of byId("paths").querySelectorAll("tr[data-path]")) {
    const picked = tableRow.dataset.path === state.path;
    tableRow.classList.toggle("picked", picked);
    tableRow.querySelector("input").checked = picked;
  }
}
