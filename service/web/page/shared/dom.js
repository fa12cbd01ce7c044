// Elements, made without ever reading text as HTML.

/**
 * A new element. `properties` are set on it; `on` adds listeners; other values of `attributes` are attributes.
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {...(Node | string | number | null | undefined)} children
 */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value === true) {
      made.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, value);
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined).map(asNode));
  return made;
}

const asNode = (child) => (child instanceof Node ? child : String(child));

/** The element with this id, which the page has. */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no ${id}.`);
  return found;
}

/** Put `children` into a panel, below its heading, instead of what was there, and show it. */
export function fill(panel, ...children) {
  const heading = panel.querySelector("h2");
  panel.replaceChildren(...(heading ? [heading] : []), ...children.filter((child) => child != null));
  panel.hidden = false;
}

/** A table with a caption for readers of the screen; cells are nodes or texts, the first of a row its name. */
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

/** A structure's name as people write it. */
export const spoken = (name) => name.replaceAll("_", " ");

/** A name for Plotly, which reads some marks in texts. */
export const plain = (name) => spoken(name).replaceAll("<", "&lt;");

/** So many of something, which takes an s where it is not one. */
export const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

/** A share in whole per cent, rounded down: nothing is said to be reached more often than it was. */
export const surePercent = (share) => `${Math.floor(100 * share + 1e-9)} %`;

/** A number with so many decimals, or a dash where there is none. What is more than nothing is never said to be 0. */
export const number = (value, decimals = 1) => {
  if (value === null) return "–";
  const least = 10 ** -decimals;
  return value > 0 && value < least / 2 ? `< ${least.toFixed(decimals)}` : value.toFixed(decimals);
};
