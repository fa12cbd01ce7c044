// State: what the page shows, in one place. A panel listens for changes of what it draws.

/**
 * patient     the case as GET /v1/cases/{id} answers it, or null
 * shapes      its structures as meshes
 * plan        the plan, and `access` its skin access map or null
 * path        the id of the path that was picked, or null
 * needle      the needle that the user positions, {entry_mm, tip_mm, aim}; aim as in a plan's paths: "target", "ptv", "given"
 * appraisal   the service's appraisal of that needle, or null while there is none
 * unanswered  why there is no appraisal, or null
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

/** The state of a patient before its shapes and plans are loaded. */
export const NOTHING = { shapes: null, plan: null, access: null, path: null, needle: null };

const listeners = [];

/** Call `listener` whenever one of `names` is set. */
export function on(names, listener) {
  listeners.push({ names, listener });
}

/**
 * Change the state, then call each listener of any changed name once. A needle that has moved has no
 * appraisal: the appraisal of its old position must not be shown for the new one.
 */
export function set(values) {
  const changes = "needle" in values ? { appraisal: null, unanswered: null, ...values } : values;
  Object.assign(state, changes);
  const faults = [];
  for (const { names, listener } of listeners) {
    if (!names.some((name) => name in changes)) continue;
    try {
      listener();
    } catch (fault) {
      // The other panels must not continue to show the old state.
      faults.push(fault);
    }
  }
  if (faults.length) throw faults[0];
}

/** The parts of the plan's request that decide whether a needle is safe. */
export function request() {
  const planRequest = state.plan === null ? {} : state.plan.request;
  return Object.fromEntries(SAFETY_PARTS.filter((name) => name in planRequest).map((name) => [name, planRequest[name]]));
}

const SAFETY_PARTS = ["target", "needle", "clearance_mm", "roles", "pose", "seeds", "search"];
