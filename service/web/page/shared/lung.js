// Lung: numbers on lung with what the input lacks of it, and other structures that the input lacks.

import { number, spoken } from "./dom.js";

/** Missing lungs and lobes, among the names of missing structures. */
export const lungLacks = (missing) => missing.filter((name) => /^lung(_|$)/.test(name));

/** What the input lacks, in sentences: organs, which needles do not keep clear of, and lung, which is not counted. */
export function lacking(missing) {
  const lung = lungLacks(missing);
  const organs = missing.filter((name) => !lung.includes(name));
  const sentences = (names, what) => (names.length ? [`Not in the input, so not ${what}: ${names.map(spoken).join(", ")}.`] : []);
  const none = lung.includes("lung");
  return [
    ...sentences(organs, "kept clear of"),
    ...(none ? ["No lung is in the input: what needles cross of it is not known."] : sentences(lung, "counted as lung")),
  ];
}

/** A number on lung as text: a lower bound if a part of the lung is missing, unknown if all of it is. */
export function ofLung(text, missing) {
  if (missing.includes("lung")) return "unknown";
  return lungLacks(missing).length ? `at least ${text}` : `${text}`;
}

/** The lung that a path or a set crosses. */
export const crossed = ({ lung_length_mm: lung, pleural_punctures: punctures }, missing) =>
  `lung ${ofLung(`${number(lung)} mm`, missing)}, pleural punctures ${ofLung(punctures, missing)}`;
