/** How a graph looks, from the colours of the style sheet, so that both themes have theirs. */

import { outlineOf } from "../words.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const GROUNDS = { cause: "critical", symptom: "major-soft", alarm: "minor-soft", silent: "sunken", maintenance: "info-soft", healthy: "surface" };
const INKS = { cause: "surface", symptom: "major", alarm: "minor", silent: "ink-faint", maintenance: "info", healthy: "ink-faint" };
const BORDERS = { cause: "critical", symptom: "major", alarm: "minor", silent: "line-strong", maintenance: "info", healthy: "line-strong" };
const STROKES = { silent: "dashed", maintenance: "dotted", symptom: "solid", alarm: "solid", cause: "double", healthy: "solid" };
/** Colours of sources, told apart from each other in both themes; a word in the legend names each. */
const SOURCES = ["#4f7fd9", "#b06fc4", "#2f9e7a", "#c98a2b", "#d0607a", "#5f93a8", "#8a8f3c", "#9c7b66"];

const icons = new Map();

/** The sign of a kind as an image for the canvas. */
function icon(kind, ink) {
  const key = `${kind} ${ink}`;
  if (!icons.has(key)) {
    const text = `<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48" viewBox="0 0 24 24" fill="none" stroke="${ink}" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><path d="${outlineOf(kind)}"/></svg>`;
    icons.set(key, `data:image/svg+xml;utf8,${encodeURIComponent(text)}`);
  }
  return icons.get(key);
}

export function sourceColours(graph) {
  const names = [...new Set(graph.edges.map((edge) => edge.provenance))].sort();
  return new Map(names.map((name, index) => [name, SOURCES[index % SOURCES.length]]));
}

/** @param {{colours: "health" | "kind", sources: Map<string, string> | null}} how */
export function sheet(how) {
  const byKind = how.colours === "kind";
  const ground = (node) => (byKind ? colour("surface") : colour(GROUNDS[node.data("health")]));
  const ink = (node) => (byKind ? kindColour(node.data("kind")) : colour(INKS[node.data("health")]));
  const border = (node) => (byKind ? kindColour(node.data("kind")) : colour(BORDERS[node.data("health")]));
  return [
    {
      selector: "node",
      style: {
        shape: "round-rectangle",
        width: (node) => (node.data("health") === "cause" ? 38 : 32),
        height: (node) => (node.data("health") === "cause" ? 38 : 32),
        "background-color": ground,
        "background-image": (node) => icon(node.data("kind"), ink(node)),
        "background-fit": "none",
        "background-width": "64%",
        "background-height": "64%",
        "border-width": (node) => (node.data("health") === "healthy" ? 1 : 2),
        "border-color": border,
        "border-style": (node) => STROKES[node.data("health")],
        label: "data(short)",
        color: colour("ink"),
        "font-family": "system-ui, sans-serif",
        "font-size": 12,
        "font-weight": (node) => (node.data("rank") === 1 ? 700 : 500),
        "text-valign": "bottom",
        "text-margin-y": 4,
        "text-background-color": colour("surface"),
        "text-background-opacity": 0.82,
        "text-background-padding": 1,
        "min-zoomed-font-size": 5,
      },
    },
    { selector: "node[size]", style: { shape: "round-rectangle", width: 44, height: 36, "border-style": "double", "border-width": 4 } },
    {
      selector: "edge",
      style: {
        "curve-style": "bezier",
        width: 1.2,
        "line-color": (edge) => how.sources?.get(edge.data("provenance")) ?? colour("line-strong"),
        "line-style": (edge) => (edge.data("stale") ? "dashed" : edge.data("confidence") < 0.7 ? "dotted" : "solid"),
        "line-opacity": (edge) => (edge.data("stale") ? 0.55 : 0.75),
        "target-arrow-shape": (edge) => (edge.data("mutual") ? "none" : "triangle"),
        "target-arrow-color": (edge) => how.sources?.get(edge.data("provenance")) ?? colour("line-strong"),
        "arrow-scale": 0.7,
      },
    },
    { selector: ".dim", style: { opacity: 0.45 } },
    { selector: "node.path", style: { "underlay-color": colour("accent"), "underlay-opacity": 0.22, "underlay-padding": 5 } },
    {
      selector: "edge.path",
      style: {
        width: 3,
        "line-color": colour("accent"),
        "line-opacity": 1,
        "target-arrow-color": colour("accent"),
        "target-arrow-shape": "triangle",
        "line-style": (edge) => (edge.data("observed") ? "solid" : "dashed"),
        label: "data(lagText)",
        "font-size": 10,
        color: colour("ink"),
        "text-background-color": colour("surface"),
        "text-background-opacity": 0.9,
        "text-background-padding": 2,
        "z-index": 5,
      },
    },
    { selector: "node.chosen", style: { "underlay-color": colour("accent"), "underlay-opacity": 0.5, "underlay-padding": 7, "z-index": 9 } },
    { selector: ":active", style: { "overlay-opacity": 0.08 } },
  ];
}

function kindColour(kind) {
  let sum = 0;
  for (const letter of kind) sum = (sum * 31 + letter.charCodeAt(0)) % 997;
  return SOURCES[sum % SOURCES.length];
}
