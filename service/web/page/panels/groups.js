// Groups: structures that are shown together, by their names. Colours say nothing about safety.

/** Id, label, colour, opacity in 3D, whether shown at first, and which names belong to it. */
const GROUPS = [
  ["target", "target", "#009E73", 1, true, null],
  ["lung", "lungs", "#56B4E9", 0.16, true, null],
  ["bone", "bones", "#D8C9A8", 0.55, true, /rib|vertebra|sternum|scapula|clavicula|costal|humerus|skull|sacrum|hip|femur/],
  ["artery", "arteries and heart", "#C8553D", 1, true, /aorta|arter|carotid|brachiocephalic_trunk|pulmonary_trunk|heart|atri|ventric|mammary/],
  ["vein", "veins", "#3B6FB6", 1, true, /vein|vena/],
  ["airway", "airways and oesophagus", "#B07AA1", 1, true, /trachea|bronch|airway|esophagus|oesophagus/],
  ["other", "other organs", "#9A8C7C", 0.35, false, /./],
  ["outside", "table and cushion", "#7F7F7F", 0.35, false, null],
  ["skin", "skin", "#C9A58B", 0.1, true, null],
];

/** In the order in which Plotly draws: skin comes last, so that it hides nothing. */
export const groups = GROUPS.map(([id, label, colour, opacity, shown, names]) => ({ id, label, colour, opacity, shown, names }));

const BY_ROLE = { target: "target", lung: "lung", outside: "outside", skin: "skin" };

/** The group of a structure in a role. */
export function groupOf(structure, role) {
  const id = BY_ROLE[role];
  return groups.find((g) => (id === undefined ? g.names?.test(structure) : g.id === id));
}
