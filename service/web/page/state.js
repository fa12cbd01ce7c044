// State: what the page shows, in one place. Panels listen for what they draw.

/**
 * patient     the case as GET /v1/cases/{id} answers it, or null
 * shapes      its structures as meshes
 * plan        the plan, and `access` its skin access map or null
 * path        the id of the path that was picked, or null
 * needle      {entry_mm, tip_mm, aim} as a hand holds it; the aim is that of a plan's paths: "target", "ptv", "given"
 * appraisal   what the service says of that needle, or null while it has said nothing of it
 * unanswered  why it says nothing, or null
 */
export const state = {
  patient: null,
  shapes: null,
  plan: null,
  access: null,
  path: null,
  needle: null,
  appraisal: null,
  unanswered: null,
};

/** What is shown of a patient, of whom nothing is known yet. */
export const NOTHING = { shapes: null, plan: null, access: null, path: null, needle: null };

const listeners = [];

/** Call `listener` whenever one of `names` is set. */
export function on(names, listener) {
  listeners.push({ names, listener });
}

/**
 * Change the state, then tell those who listen for any of it, once each. A needle that is held elsewhere has
 * no verdict: the one before it must not be taken for its own.
 */
export function set(given) {
  const changes = "needle" in given ? { appraisal: null, unanswered: null, ...given } : given;
  Object.assign(state, changes);
  const faults = [];
  for (const { names, listener } of listeners) {
    if (!names.some((name) => name in changes)) continue;
    try {
      listener();
    } catch (fault) {
      // The others must not go on to show what was before.
      faults.push(fault);
    }
  }
  if (faults.length) throw faults[0];
}

/** What says which paths are safe: the parts of the plan's request that matter for a needle. */
export function request() {
  const asked = state.plan === null ? {} : state.plan.request;
  return Object.fromEntries(MATTERS.filter((name) => name in asked).map((name) => [name, asked[name]]));
}

const MATTERS = ["target", "needle", "clearance_mm", "roles", "pose", "seeds", "search"];
