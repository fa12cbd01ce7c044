// Lung: numbers on lung, said no further than the input's lung tells; and what else the input lacks.

import { number, spoken } from "./dom.js";

/** What of the lung is not in the input. The planner names lung and its lobes so, and nothing else. */
export const lungLacks = (missing) => missing.filter((name) => /^lung(_|$)/.test(name));

/** What the input lacks, in sentences: organs, from which no needle keeps clear, and lung, in which none is counted. */
export function lacking(missing) {
  const lung = lungLacks(missing);
  const organs = missing.filter((name) => !lung.includes(name));
  const said = (names, what) => (names.length ? [`Not in the input, so not ${what}: ${names.map(spoken).join(", ")}.`] : []);
  const none = lung.includes("lung");
  return [
    ...said(organs, "kept clear of"),
    ...(none ? ["No lung is in the input: what needles cross of it is not known."] : said(lung, "counted as lung")),
  ];
}

/** A number on lung as text: a lower bound where lung lacks, nothing where none is there. */
export function ofLung(text, missing) {
  if (missing.includes("lung")) return "unknown";
  return lungLacks(missing).length ? `at least ${text}` : `${text}`;
}

/** What lung a path or a set runs through. */
export const crossed = ({ lung_length_mm: lung, pleural_punctures: punctures }, missing) =>
  `lung ${ofLung(`${number(lung)} mm`, missing)}, pleural punctures ${ofLung(punctures, missing)}`;
