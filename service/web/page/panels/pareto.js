// Pareto: two quantities of the paths against each other. No other path is better in all quantities than one on the front.

import { byId, fill, h } from "../shared/dom.js";
import { on, set, state } from "../state.js";
import { CONFIG, axis, colour, layout, onTheme } from "../theme.js";

const QUANTITIES = {
  lung_length_mm: "lung crossed, mm",
  clearance_mm: "clearance, mm",
  length_mm: "length, mm",
  pleural_punctures: "pleural punctures",
  fissures_crossed: "fissures crossed",
};

const axes = { x: "lung_length_mm", y: "clearance_mm" };
const plot = h("div", { class: "plot", id: "pareto-plot" });

/** Draw the plot whenever a plan is shown, or another path is picked. */
export function startPareto() {
  on(["plan"], build);
  on(["path"], draw);
  onTheme(draw);
}

const rankedPaths = () => (state.plan?.paths ?? []).filter((p) => p.aim === "target");

function build() {
  if (rankedPaths().length === 0) {
    byId("pareto").hidden = true;
    return;
  }
  const picker = (which, label) => {
    const select = h(
      "select",
      {},
      ...Object.entries(QUANTITIES).map(([name, text]) => h("option", { value: name, selected: axes[which] === name }, text)),
    );
    select.addEventListener("change", () => {
      axes[which] = select.value;
      draw();
    });
    return h("label", { class: "inline" }, label, select);
  };
  fill(byId("pareto"), h("p", {}, picker("x", "Across"), " ", picker("y", "Up")), plot);
  draw();
}

function draw() {
  const paths = rankedPaths();
  if (paths.length === 0) return;
  const group = (name, belongs, symbol) => {
    const members = paths.filter(belongs);
    return {
      type: "scatter",
      mode: "markers+text",
      name,
      x: members.map((p) => p[axes.x]),
      y: members.map((p) => p[axes.y]),
      text: members.map((p) => String(p.rank)),
      textposition: "top center",
      customdata: members.map((p) => p.id),
      hovertemplate: `path %{text}<br>%{x:.1f} ${QUANTITIES[axes.x]}<br>%{y:.1f} ${QUANTITIES[axes.y]}<extra></extra>`,
      marker: {
        symbol,
        size: members.map((p) => (p.id === state.path ? 17 : 11)),
        color: members.map((p) => (p.id === state.path ? colour("picked") : colour("accent"))),
      },
    };
  };
  Plotly.react(
    plot,
    [group("on the front", (p) => p.pareto, "diamond"), group("another path is better", (p) => !p.pareto, "circle-open")],
    layout({
      xaxis: axis(QUANTITIES[axes.x]),
      yaxis: axis(QUANTITIES[axes.y]),
      legend: { orientation: "h", y: 1.12 },
      height: 380,
    }),
    CONFIG,
  );
  plot.removeAllListeners?.("plotly_click");
  plot.on("plotly_click", ({ points: [point] }) => {
    const path = paths.find((p) => p.id === point.customdata);
    set({ path: path.id, needle: { entry_mm: path.entry_mm, tip_mm: path.tip_mm, aim: path.aim } });
  });
}
