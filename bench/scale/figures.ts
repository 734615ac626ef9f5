/**
 * The figures of `docs/scale.md`: nothing goes into them but what was found.
 *
 * @module
 */

import { type Area, barChart, legend, lineChart, type Series } from "./chart.ts";
import { countsOf, type Findings, median } from "./findings.ts";
import { COLORS, picture } from "./svg.ts";

const WIDTH = 720;

/** What is drawn, in the order of its colours. */
const STATES = [
  { name: "pending", title: "queued", color: COLORS[0] },
  { name: "scheduled", title: "scheduled", color: COLORS[1] },
  { name: "terminal", title: "completed (records)", color: COLORS[2] },
  { name: "waiting", title: "in line before a limit", color: COLORS[3] },
] as const;

const LOOKS = [
  { metric: "snapshot", title: "snapshot(), ms" },
  { metric: "execution", title: "execution(key), ms" },
  { metric: "sweep", title: "one call of the sweep, ms" },
  { metric: "promote", title: "one look at what is due, ms" },
] as const;

const BELOW = "tasks that are there already";

/** Each by the name of its file. */
export function figures(findings: Findings): Readonly<Record<string, string>> {
  return {
    scale_cost: drawCost(findings),
    scale_memory: drawMemory(findings),
    scale_looks: drawLooks(findings),
  };
}

function drawCost(findings: Findings): string {
  const panels = [
    { metric: "addRedis", title: "Redis CPU per add, µs" },
    { metric: "drainRedis", title: "Redis CPU per task drained, µs" },
  ];
  return drawPanels(findings, "What a task costs Redis, by how many are there already", panels);
}

function drawLooks(findings: Findings): string {
  const summary = "How long looking at a docket takes, by how many tasks are there";
  return drawPanels(findings, summary, LOOKS);
}

function drawMemory(findings: Findings): string {
  const bars = STATES.flatMap(({ name, title, color }) => {
    const most = countsOf(findings, name).at(-1);
    const value = most && median(findings, name, most, "bytes");
    return value ? [{ name: title, color, value }] : [];
  });
  const area: Area = { left: 12, top: 12, width: WIDTH - 24, height: 170 };
  const title = "Redis memory for each task, bytes";
  return picture(WIDTH, 194, title, barChart(area, bars, { title }));
}

/** Two in a row, with a legend above. */
function drawPanels(
  findings: Findings,
  summary: string,
  panels: readonly { readonly metric: string; readonly title: string }[],
): string {
  const height = 220;
  const rows = Math.ceil(panels.length / 2);
  const parts = panels.flatMap(({ metric, title }, i) => {
    const area: Area = {
      left: 12 + (i % 2) * (WIDTH / 2),
      top: 40 + Math.floor(i / 2) * height,
      width: WIDTH / 2 - 24,
      height: height - 12,
    };
    return lineChart(area, seriesOf(findings, metric), { title, below: BELOW });
  });
  const names = legend(12, 20, seriesOf(findings, panels[0].metric));
  return picture(WIDTH, 40 + rows * height, summary, [...names, ...parts]);
}

function seriesOf(findings: Findings, metric: string): Series[] {
  return STATES.map(({ name, title, color }) => ({
    name: title,
    color,
    points: countsOf(findings, name).flatMap((count) => {
      const value = median(findings, name, count, metric);
      return value === undefined ? [] : [[count, value] as const];
    }),
  })).filter(({ points }) => points.length > 0);
}
