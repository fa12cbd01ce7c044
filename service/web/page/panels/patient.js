// Patient: the built-in thorax, an upload, or a stored case.

import { guarded } from "../shared/alerts.js";
import { get, post, remove, upload } from "../shared/api.js";
import { byId, counted, fill, h, spoken } from "../shared/dom.js";
import { NOTHING, set, state } from "../state.js";

const MOST_LISTED = 50;

let opened = null;

/** Show a case, without a plan. If several are opened one after the other, the last is shown. */
export async function openPatient(id) {
  opened = id;
  const patient = await get(`cases/${id}`);
  if (opened !== id) return;
  set({ patient, ...NOTHING });
  await draw();
  const { shapes } = await get(`cases/${id}/shapes`);
  // Another case may have been picked meanwhile.
  if (state.patient?.id === id) set({ shapes });
}

/** Draw the panel, with the stored cases. */
export const startPatient = () => draw();

async function draw() {
  const { items } = await get(`cases?limit=${MOST_LISTED}`);
  const focused = document.activeElement?.id;
  fill(byId("patient"), builtin(), uploading(), items.length ? listed(items) : null, described());
  // The pressed button is drawn again: keyboard users must not lose the focus.
  if (focused) document.getElementById(focused)?.focus();
}

function builtin() {
  const take = guarded(async () => openPatient((await post("cases", { builtin: "thorax" })).id));
  return h("p", {}, h("button", { id: "builtin", on: { click: take } }, "Use the built-in thorax"));
}

function uploading() {
  const bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Upload" });
  const send = guarded(async (event) => {
    event.preventDefault();
    const fields = new FormData(event.target);
    const form = new FormData();
    // Leave out files that were not picked (size 0) and axes that were not chosen (empty text).
    for (const [name, value] of fields) if (value.size > 0 || value.length > 0) form.append(name, value);
    bar.hidden = false;
    try {
      const added = await upload("cases", form, (share) => {
        bar.value = share;
      });
      await openPatient(added.id);
    } finally {
      bar.hidden = true;
    }
  });
  const file = (name, label, more = {}) => h("label", {}, label, h("input", { type: "file", name, ...more }));
  return h(
    "details",
    {},
    h("summary", {}, "Upload a segmentation"),
    h(
      "form",
      { id: "upload", on: { submit: send } },
      file("file", "Label map, .seg.nrrd, or a zip of masks or surfaces", { required: true }),
      file("names", "Names of labels (.json), if the map has none", { accept: ".json" }),
      file("target", "Target masks, if no structure is the target", { multiple: true }),
      file("ct", "CT on the same grid, for display"),
      h(
        "label",
        {},
        "Axes of surfaces, if the files do not state them",
        h(
          "select",
          { name: "mesh_axes" },
          h("option", { value: "" }, "not stated (read as LPS)"),
          h("option", { value: "lps" }, "LPS"),
          h("option", { value: "ras" }, "RAS"),
        ),
      ),
      h("button", {}, "Upload"),
      bar,
    ),
  );
}

function listed(items) {
  const name = ({ id, created, summary }) =>
    `${summary === null ? "Damaged" : inWords(summary)}; ${created.slice(0, 16).replace("T", " ")}; ${id.slice(0, 8)}`;
  const picker = h(
    "select",
    {},
    ...items.map((item) => h("option", { value: item.id, selected: item.id === state.patient?.id }, name(item))),
  );
  const open = guarded(() => openPatient(picker.value));
  return h("p", {}, h("label", {}, "Stored cases", picker), h("button", { id: "open", class: "quiet", on: { click: open } }, "Open"));
}

/** A case in words: its name, targets and structures. */
function inWords({ name, builtin, files, structures, targets }) {
  const called = builtin ? `Built-in ${name}` : files > 1 ? `${name} and ${files - 1} more` : name;
  return `${called}: ${targets.length ? `${targets.map(spoken).join(", ")}; ` : ""}${counted(structures, "structure")}`;
}

function described() {
  const patient = state.patient;
  if (patient === null) return null;
  const { shape, spacing_mm } = patient.grid;
  const drop = guarded(async () => {
    if (!confirm("Remove this case? Plans made from it stay.")) return;
    await remove(`cases/${patient.id}`);
    set({ patient: null, ...NOTHING });
    await draw();
  });
  return h(
    "div",
    { id: "described" },
    h(
      "p",
      {},
      `${patient.builtin ? `Built-in ${patient.builtin}` : patient.inputs.map((i) => i.name).join(", ")}: `,
      `${counted(patient.structures.length, "structure")}, ${shape.join(" × ")} voxels of `,
      `${spacing_mm.map((s) => s.toFixed(2)).join(" × ")} mm.`,
    ),
    patient.notes.length ? h("ul", {}, ...patient.notes.map((note) => h("li", {}, note))) : null,
    h(
      "details",
      {},
      h("summary", {}, "Structures"),
      h("ul", { class: "columns" }, ...patient.structures.map((s) => h("li", {}, `${spoken(s.name)} (${s.role})`))),
    ),
    h("button", { class: "quiet", on: { click: drop } }, "Remove this case"),
  );
}
