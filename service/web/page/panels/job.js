// Job: requests a plan, shows the progress of its job, and cancels it.

import { guarded } from "../shared/alerts.js";
import { Problem, events, get, post, remove } from "../shared/api.js";
import { byId, fill, h } from "../shared/dom.js";
import { openPlan } from "./plans.js";
import { on, state } from "../state.js";

const PHASES = {
  fields: "distances to every organ",
  search: "search of all lines",
  polish: "the best paths",
  explain: "what blocks directions",
  needles: "needles and seeds",
  dose: "dose",
  verify: "verification",
};

let watching = null;

/** Stop watching a job when another case is shown: the job continues without the page. */
export function startJob() {
  on(["patient"], () => {
    watching?.abort();
    byId("job").hidden = true;
  });
}

/** Request a plan of the shown case, and show it when it is done. */
export async function order(request) {
  watching?.abort();
  watching = new AbortController();
  const { signal } = watching;
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const job = await post(`cases/${state.patient.id}/plans`, request, { headers, signal });
  const showEvent = progressPanel(job);
  for await (const event of events(job.id, signal)) showEvent(event);
  await finish(await get(`jobs/${job.id}`, { signal }));
}

async function finish(job) {
  if (job.state === "failed") throw new Problem(job.problem);
  if (job.state === "done") await openPlan(job.plan.split("/").pop());
}

/** The time left in words, rounded as coarsely as the estimate is; empty if there is none. */
function inWords(left) {
  if (left === null) return "";
  if (left < 5) return "A moment left";
  return left < 120 ? `About ${5 * Math.round(left / 5)} s left` : `About ${Math.round(left / 60)} min left`;
}

/** Draw the panel; returns a function that shows an event on it. */
function progressPanel(job) {
  const text = h("p", { role: "status" }, "Waiting in the queue");
  const left = h("p", { class: "note" });
  const bar = h("progress", { max: 1, "aria-label": "Progress of planning" });
  const cancel = h("button", { class: "quiet", on: { click: guarded(() => remove(`jobs/${job.id}`)) } }, "Cancel");
  fill(byId("job"), text, bar, left, h("p", {}, cancel));
  byId("job").scrollIntoView({ block: "nearest" });
  return ({ state: jobState, progress }) => {
    const ended = jobState !== "queued" && jobState !== "running";
    cancel.disabled = ended;
    if (ended) bar.value = jobState === "done" ? 1 : 0;
    else if (progress?.fraction) bar.value = progress.fraction;
    else bar.removeAttribute("value");
    left.textContent = ended || progress === null ? "" : inWords(progress.left_s);
    // Set only when it changes: a screen reader would repeat it.
    const words = progress === null || ended ? jobState : (PHASES[progress.phase] ?? progress.phase);
    if (text.textContent !== words) text.textContent = words;
  };
}
