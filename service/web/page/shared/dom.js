// Elements of the page. Text is never parsed as HTML.

/**
 * A new element. `properties` are set on it; `on` adds listeners; other values of `attributes` are attributes.
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {...(Node | string | number | null | undefined)} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined).map(asNode));
  return element;
}

const asNode = (child) => (child instanceof Node ? child : String(child));

/** The element with this id. Throws an error where there is none. */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no ${id}.`);
  return element;
}

/** Replace the content of a panel below its heading by `children`, and show the panel. */
export function fill(panel, ...children) {
  const heading = panel.querySelector("h2");
  panel.replaceChildren(...(heading ? [heading] : []), ...children.filter((child) => child != null));
  panel.hidden = false;
}

/** A table with a caption for screen readers. Cells are nodes or texts; the first cell of a row is its header. */
export function table(caption, head, rows) {
  return h(
    "table",
    {},
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ...head.map((text) => h("th", { scope: "col" }, text)))),
    h(
      "tbody",
      {},
      ...rows.map(([name, ...cells]) =>
        h("tr", {}, h("th", { scope: "row" }, name), ...cells.map((cell) => h("td", {}, cell))),
      ),
    ),
  );
}

/** A structure's name with spaces. */
export const spoken = (name) => name.replaceAll("_", " ");

/** A name for Plotly, which interprets tags in texts. */
export const plain = (name) => spoken(name).replaceAll("<", "&lt;");

/** A number of things; the noun gets an s unless there is one. */
export const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

/** A share in whole per cent, rounded down: it must not look larger than it is. */
export const surePercent = (share) => `${Math.floor(100 * share + 1e-9)} %`;

/** A number with this many decimals, or a dash for null. A number above zero is never shown as 0. */
export const number = (value, decimals = 1) => {
  if (value === null) return "–";
  const least = 10 ** -decimals;
  return value > 0 && value < least / 2 ? `< ${least.toFixed(decimals)}` : value.toFixed(decimals);
};
