// The page: connects the panels to the state, and keeps the state in the address, so that a reload shows the same.

import { alertOf, guarded } from "./shared/alerts.js";
import { get, useKey } from "./shared/api.js";
import { startBlocked } from "./panels/blocked.js";
import { byId } from "./shared/dom.js";
import { startDose } from "./panels/dose.js";
import { startDownloads } from "./panels/downloads.js";
import { startJob } from "./panels/job.js";
import { startNeedle } from "./panels/needle.js";
import { startOutcome } from "./panels/outcome.js";
import { startPareto } from "./panels/pareto.js";
import { startPaths } from "./panels/paths.js";
import { openPatient, startPatient } from "./panels/patient.js";
import { openPlan, startPlans } from "./panels/plans.js";
import { startRequest } from "./panels/request.js";
import { startScene } from "./panels/scene.js";
import { startSlices } from "./panels/slices.js";
import { on, state } from "./state.js";
import { startTheme } from "./theme.js";

function remember() {
  const parameters = new URLSearchParams();
  if (state.patient !== null) parameters.set("case", state.patient.id);
  if (state.plan !== null) parameters.set("plan", state.plan.plan_sha256);
  history.replaceState(null, "", `?${parameters}`);
}

async function restore() {
  const parameters = new URLSearchParams(location.search);
  if (parameters.has("case")) await openPatient(parameters.get("case"));
  if (parameters.has("plan") && state.patient?.id === parameters.get("case")) await openPlan(parameters.get("plan"));
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
