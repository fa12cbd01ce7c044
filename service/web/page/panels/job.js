// Job: a plan is asked for, its progress watched, and it may be withdrawn.

import { guarded } from "../shared/alerts.js";
import { Problem, events, get, post, remove } from "../shared/api.js";
import { byId, fill, h } from "../shared/dom.js";
import { openPlan } from "./plans.js";
import { on, state } from "../state.js";

const PHASES = {
  fields: "distances to every organ",
  search: "search of all lines",
  polish: "the best paths",
  explain: "what blocks the way",
  needles: "needles and seeds",
  dose: "dose",
  verify: "verification",
};

let watching = null;

/** Leave a job behind when another case is shown: it goes on by itself. */
export function startJob() {
  on(["patient"], () => {
    watching?.abort();
    byId("job").hidden = true;
  });
}

/** Ask for a plan of the case that is shown, and show it when it is made. */
export async function order(request) {
  watching?.abort();
  watching = new AbortController();
  const { signal } = watching;
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const job = await post(`cases/${state.patient.id}/plans`, request, { headers, signal });
  const shown = progressPanel(job);
  for await (const event of events(job.id, signal)) shown(event);
  await finish(await get(`jobs/${job.id}`, { signal }));
}

async function finish(job) {
  if (job.state === "failed") throw new Problem(job.problem);
  if (job.state === "done") await openPlan(job.plan.split("/").pop());
}

/** Seconds left in words, as coarsely as the service knows them; nothing while it does not. */
function inWords(left) {
  if (left === null) return "";
  if (left < 5) return "A moment left";
  return left < 120 ? `About ${5 * Math.round(left / 5)} s left` : `About ${Math.round(left / 60)} min left`;
}

/** Draws the panel; returns what shows an event on it. */
function progressPanel(job) {
  const text = h("p", { role: "status" }, "Waiting for its turn");
  const left = h("p", { class: "note" });
  const bar = h("progress", { max: 1, "aria-label": "Progress of planning" });
  const cancel = h("button", { class: "quiet", on: { click: guarded(() => remove(`jobs/${job.id}`)) } }, "Cancel");
  fill(byId("job"), text, bar, left, h("p", {}, cancel));
  byId("job").scrollIntoView({ block: "nearest" });
  return ({ state: now, progress }) => {
    const ended = now !== "queued" && now !== "running";
    cancel.disabled = ended;
    if (ended) bar.value = now === "done" ? 1 : 0;
    else if (progress?.fraction) bar.value = progress.fraction;
    else bar.removeAttribute("value");
    left.textContent = ended || progress === null ? "" : inWords(progress.left_s);
    // Said only when it changes: a reader of the screen would repeat it.
    const words = progress === null || ended ? now : (PHASES[progress.phase] ?? progress.phase);
    if (text.textContent !== words) text.textContent = words;
  };
}
