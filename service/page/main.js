// The page: panels wired to the state, and the state kept in the address, so that a reload shows the same.

import { alertOf, guarded } from "./alerts.js";
import { get, useKey } from "./api.js";
import { startBlocked } from "./blocked.js";
import { byId } from "./dom.js";
import { startDose } from "./dose.js";
import { startDownloads } from "./downloads.js";
import { startJob } from "./job.js";
import { startNeedle } from "./needle.js";
import { startOutcome } from "./outcome.js";
import { startPareto } from "./pareto.js";
import { startPaths } from "./paths.js";
import { openPatient, startPatient } from "./patient.js";
import { openPlan, startPlans } from "./plans.js";
import { startRequest } from "./request.js";
import { startScene } from "./scene.js";
import { startSlices } from "./slices.js";
import { on, state } from "./state.js";
import { startTheme } from "./theme.js";

function remember() {
  const shown = new URLSearchParams();
  if (state.patient !== null) shown.set("case", state.patient.id);
  if (state.plan !== null) shown.set("plan", state.plan.plan_sha256);
  history.replaceState(null, "", `?${shown}`);
}

async function restore() {
  const shown = new URLSearchParams(location.search);
  if (shown.has("case")) await openPatient(shown.get("case"));
  if (shown.has("plan") && state.patient?.id === shown.get("case")) await openPlan(shown.get("plan"));
}

async function start() {
  startTheme();
  for (const panel of [
    startPlans,
    startRequest,
    startJob,
    startOutcome,
    startDownloads,
    startScene,
    startNeedle,
    startSlices,
    startPaths,
    startBlocked,
    startPareto,
    startDose,
  ]) {
    panel();
  }
  byId("key").addEventListener(
    "submit",
    guarded(async (event) => {
      event.preventDefault();
      useKey(new FormData(byId("key")).get("key").trim());
      await get("cases?limit=1");
      byId("key").hidden = true;
      await begin();
    }),
  );
  await begin();
}

async function begin() {
  await startPatient();
  await restore();
}

on(["patient", "plan"], remember);
start().catch(alertOf);
