// Alerts: what went wrong, where everybody sees and hears it; a missing key opens the form for one.

import { Problem, Unreachable } from "./api.js";
import { byId, h } from "./dom.js";

/** What the user of the page can put right. */
export class Mistake extends Error {}

/** Say what went wrong. What nobody expects is a fault of this page, and goes to the console too. */
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

/** A listener that shows what `action` throws. */
export const guarded = (action) => async (...given) => {
  noAlert();
  try {
    await action(...given);
  } catch (error) {
    if (error.name !== "AbortError") alertOf(error);
  }
};
