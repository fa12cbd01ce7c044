// Dose: goals and values reached, and dose-volume histograms.

import { byId, counted, fill, h, number, plain, spoken, table } from "../shared/dom.js";
import { goalInWords } from "../shared/goals.js";
import { on, state } from "../state.js";
import { CONFIG, axis, colour, layout, onTheme } from "../theme.js";

const TREATED = ["PTV", "GTV"];
const ORGANS_DRAWN = 8;
/** The dose axis ends at this multiple of the prescribed dose. */
const SHOWN_TO = 3;
const DASHES = ["solid", "dash", "dot", "dashdot"];
const COLOURS = ["#D55E00", "#0072B2", "#E69F00", "#CC79A7", "#56B4E9", "#8C8C8C"];

const plot = h("div", { class: "plot", id: "dvh-plot" });

/** Draw the panel whenever a plan is shown. */
export function startDose() {
  on(["plan"], draw);
  onTheme(drawCurves);
}

function draw() {
  const dose = state.plan?.dose ?? null;
  if (dose === null) {
    byId("dose").hidden = true;
    return;
  }
  fill(
    byId("dose"),
    h(
      "p",
      {},
      `${spoken(dose.medium)}, ${counted(state.plan.needle_set.seeds.length, "seed")} ${dose.source} of `,
      `${number(dose.air_kerma_strength_u, 3)} U. Near lung the true dose can differ by up to a quarter.`,
    ),
    plot,
    h("div", { class: "scroll" }, table("Goals", ["goal", "of", "required", "reached", "met"], dose.goals.map(goal))),
    h("div", { class: "scroll" }, table("Volumes", ["volume", "cc", "D90 Gy", "V100 %", "V150 %", "V200 %"], volumes(dose))),
    h(
      "details",
      {},
      h("summary", {}, "Organs"),
      h("div", { class: "scroll" }, table("Least dose in the hottest part", ["organ", "D0.1cc Gy", "D1cc Gy", "D2cc Gy"], organs(dose))),
    ),
  );
  drawCurves();
}

const goal = (g) => {
  const { quantity, of, wanted, reached } = goalInWords(g);
  return [quantity, of, wanted, reached, g.met ? "✓ yes" : "✕ no"];
};

const volumes = ({ target, gtv }) =>
  [["PTV", target], ["GTV", gtv]].map(([name, v]) => [
    name,
    number(v.volume_cc),
    number(v.d90_gy),
    number(v.v100_percent),
    number(v.v150_percent),
    number(v.v200_percent),
  ]);

const hottest = (organ) => organ.d0_1cc_gy ?? organ.d1cc_gy ?? 0;

const organs = (dose) =>
  [...dose.organs]
    .sort((a, b) => hottest(b) - hottest(a))
    .map((o) => [spoken(o.structure), number(o.d0_1cc_gy), number(o.d1cc_gy), number(o.d2cc_gy)]);

function drawCurves() {
  const dose = state.plan?.dose ?? null;
  if (dose === null) return;
  const rank = new Map(dose.organs.map((o) => [o.structure, hottest(o)]));
  const organCurves = dose.dvh
    .filter((c) => !TREATED.includes(c.structure))
    .sort((a, b) => (rank.get(b.structure) ?? 0) - (rank.get(a.structure) ?? 0))
    .slice(0, ORGANS_DRAWN);
  const curve = (c, name, line) => ({
    type: "scatter",
    mode: "lines",
    name,
    x: c.dose_gy,
    y: c.volume_percent,
    line,
    hovertemplate: "%{x:.0f} Gy: %{y:.1f} %<extra>%{fullData.name}</extra>",
  });
  Plotly.react(
    plot,
    [
      ...dose.dvh
        .filter((c) => TREATED.includes(c.structure))
        .map((c) => curve(c, c.structure, { color: colour("target"), width: 4, dash: c.structure === "PTV" ? "solid" : "dash" })),
      ...organCurves.map((c, n) => curve(c, plain(c.structure), { color: COLOURS[n % COLOURS.length], width: 2, dash: DASHES[n % DASHES.length] })),
    ],
    layout({
      xaxis: axis("dose, Gy", { range: [0, SHOWN_TO * dose.prescribed_gy] }),
      yaxis: axis("volume with at least this dose, %", { range: [0, 101] }),
      shapes: [{ type: "line", x0: dose.prescribed_gy, x1: dose.prescribed_gy, y0: 0, y1: 1, yref: "paper", line: { color: colour("ink"), dash: "dot" } }],
      annotations: [{ x: dose.prescribed_gy, y: 1, yref: "paper", yanchor: "bottom", showarrow: false, text: `prescribed ${dose.prescribed_gy} Gy` }],
      margin: { l: 56, r: 12, t: 28, b: 48 },
      height: 420,
    }),
    CONFIG,
  );
}
