// Downloads: files of this plan from the API. Requests need the key as a header, which plain links cannot send.

import { guarded } from "../shared/alerts.js";
import { blob } from "../shared/api.js";
import { byId, fill, h } from "../shared/dom.js";
import { on, state } from "../state.js";

/** Draw the links whenever a plan is shown. */
export function startDownloads() {
  on(["plan", "access"], draw);
}

function draw() {
  const { plan, access, patient } = state;
  if (plan === null) {
    byId("downloads").hidden = true;
    return;
  }
  const id = plan.plan_sha256;
  const files = [
    ["Plan (JSON, LPS mm)", `plans/${id}`, `plan-${id.slice(0, 12)}.json`],
    access && ["Skin access map (JSON)", `plans/${id}/skin-access`, `skin-access-${id.slice(0, 12)}.json`],
    ["Shapes of structures (JSON)", `cases/${patient.id}/shapes`, `shapes-${patient.id.slice(0, 12)}.json`],
  ];
  fill(byId("downloads"), h("ul", {}, ...files.filter(Boolean).map(([text, address, name]) => h("li", {}, link(text, address, name)))));
}

function link(text, address, name) {
  const save = guarded(async (event) => {
    event.preventDefault();
    const href = URL.createObjectURL(await blob(address));
    h("a", { href, download: name }).click();
    URL.revokeObjectURL(href);
  });
  return h("a", { href: `v1/${address}`, download: name, on: { click: save } }, text);
}
