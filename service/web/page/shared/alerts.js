// Alerts: errors at the top of the page, also read by screen readers. A missing key opens the form for one.

import { Problem, Unreachable } from "./api.js";
import { byId, h } from "./dom.js";

/** An error that the user of the page can correct. */
export class Mistake extends Error {}

/** Show an error. An unexpected one is a fault of this page, and is also written to the console. */
export function alertOf(error) {
  const fields = error instanceof Problem ? error.errors : [];
  byId("alert").replaceChildren(
    error.message,
    ...(fields.length ? [h("ul", {}, ...fields.map((f) => h("li", {}, h("code", {}, f.pointer), ` ${f.detail}`)))] : []),
  );
  if (error instanceof Problem && error.status === 401) byId("key").hidden = false;
  if (![Problem, Unreachable, Mistake].some((kind) => error instanceof kind)) console.error(error);
}

export const noAlert = () => byId("alert").replaceChildren();

/** A listener that shows the errors of `action`. */
export const guarded = (action) => async (...parameters) => {
  noAlert();
  try {
    await action(...parameters);
  } catch (error) {
    if (error.name !== "AbortError") alertOf(error);
  }
};
