// Plans: showing one, with the skin access map that it was chosen from.

import { Mistake } from "./alerts.js";
import { Problem, get } from "./api.js";
import { set, state } from "./state.js";

/** Show a plan of the patient who is shown, its best path picked. */
export async function openPlan(id) {
  const { patient } = state;
  const [plan, access] = await Promise.all([get(`plans/${id}`), accessOf(id)]);
  // Another patient may have been picked meanwhile, and this plan is none of his.
  if (state.patient !== patient) return;
  // The same surfaces read in other axes are another patient.
  const named = ({ sha256, axes }) => `${sha256} ${axes ?? ""}`;
  const known = patient.inputs.map(named);
  if (!plan.inputs.every((input) => known.includes(named(input)))) {
    throw new Mistake("This plan was made from another case than the one shown. Open the case it belongs to.");
  }
  const best = plan.paths[0] ?? null;
  const miss = plan.nearest_miss;
  const held = best ?? miss;
  set({
    plan,
    access,
    path: best?.id ?? null,
    needle: held && { entry_mm: held.entry_mm, tip_mm: held.tip_mm, aim: best?.aim ?? "target" },
  });
}

/** Plans made while needles are in have no map. */
async function accessOf(id) {
  try {
    return await get(`plans/${id}/skin-access`);
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}
