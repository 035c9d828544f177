/** The drawing itself, by Cytoscape.js: loaded when the first graph is shown, moved by mouse, touch and keys. */

import cytoscape from "cytoscape";
import { announce } from "../dom.js";
import { span } from "../when.js";
import { lettersOf, places } from "./layout.js";
import { sheet } from "./look.js";
import { HEALTH_WORDS } from "./model.js";

const MARGIN = 28;
const LARGEST = 1.5;
const READABLE = 0.8;
const STEP = 1.25;
const CROWD = 60;
/** Room at the foot for the legend. */
const LEGEND = 44;

/**
 * @param {HTMLElement} container
 * @param {import("./model.js").Graph} graph
 * @param {{colours: "health" | "kind", sources: Map<string, string> | null, chosen: (id: string | null) => void, opened: (id: string) => void, hovered?: (id: string | null) => void}} how
 */
export function draw(container, graph, how) {
  const box = container.getBoundingClientRect();
  const at = places(graph, Math.max(200, box.width), Math.max(200, box.height - LEGEND));
  const net = cytoscape({
    container,
    elements: elements(graph, at),
    style: sheet(how),
    layout: { name: "preset" },
    minZoom: 0.1,
    maxZoom: 3,
    autounselectify: true,
    boxSelectionEnabled: false,
    userZoomingEnabled: false,
  });
  let path = { nodes: new Set(), edges: new Set() };
  let chosen = null;
  frame();

  net.on("tap", "node", (event) => choose(event.target.id()));
  net.on("dbltap", "node", (event) => how.opened(event.target.id()));
  net.on("tap", (event) => event.target === net && choose(null));
  net.on("mouseover", "node", (event) => how.hovered?.(event.target.id()));
  net.on("mouseout", "node", () => how.hovered?.(null));
  const wheel = (on) => () => net.userZoomingEnabled(on);
  container.addEventListener("focus", wheel(true));
  container.addEventListener("blur", wheel(false));
  container.addEventListener("pointerdown", () => container.focus({ preventScroll: true }));
  container.addEventListener("keydown", press);
  const watch = new ResizeObserver(() => {
    net.resize();
    frame();
  });
  watch.observe(container);
  const themed = () => {
    net.style(sheet(how));
    frame();
  };
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  addEventListener("aiops:theme", themed);
  scheme.addEventListener("change", themed);

  function choose(id, tell = true) {
    net.nodes().removeClass("chosen");
    chosen = id && net.getElementById(id).nonempty() ? id : null;
    if (chosen) net.getElementById(chosen).addClass("chosen");
    if (tell) how.chosen(chosen);
  }

  function show(nodes, edges) {
    path = { nodes, edges };
    const any = nodes.size > 0;
    net.batch(() => {
      net.elements().removeClass("path dim");
      net.nodes().forEach((node) => void node.addClass(any ? (nodes.has(node.id()) ? "path" : "dim") : ""));
      net.edges().forEach((edge) => void edge.addClass(any ? (edges.has(edge.id()) ? "path" : "dim") : ""));
    });
    frame();
  }

  /** All of it, where names can be read then; else the path, with the rest around it. */
  function frame() {
    fit();
    const on = net.nodes(".path");
    if (on.empty() || net.zoom() >= READABLE) return;
    net.fit(on, MARGIN * 2);
    if (net.zoom() > 1) {
      net.zoom(1);
      net.center(on);
    }
    net.panBy({ x: 0, y: -LEGEND / 3 });
    names();
  }

  function fit() {
    net.fit(undefined, MARGIN);
    if (net.zoom() > LARGEST) {
      net.zoom(LARGEST);
      net.center();
    }
    net.panBy({ x: 0, y: -LEGEND / 3 });
    names();
  }

  /** Names stay readable when a middling graph is small on the screen. */
  function names() {
    net.nodes().style("font-size", graph.nodes.length > CROWD ? 12 : Math.min(17, Math.max(12, 11 / net.zoom())));
  }

  function zoom(by) {
    net.zoom({ level: net.zoom() * by, renderedPosition: { x: net.width() / 2, y: net.height() / 2 } });
  }

  function press(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) move(way);
    else if (event.key === "+" || event.key === "=") zoom(STEP);
    else if (event.key === "-") zoom(1 / STEP);
    else if (event.key === "0") fit();
    else if (event.key === "Escape") choose(null);
    else if (event.key === "Enter" && chosen) how.opened(chosen);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** The nearest node that way; the first of the path, or the first of all, where none is chosen. */
  function move([dx, dy]) {
    const all = net.nodes().toArray();
    const now = chosen ? net.getElementById(chosen) : null;
    let best = null;
    if (!now) best = all.find((node) => path.nodes.has(node.id())) ?? all[0];
    else {
      const from = now.position();
      let least = Infinity;
      for (const node of all) {
        const to = node.position();
        const along = (to.x - from.x) * dx + (to.y - from.y) * dy;
        const aside = Math.abs((to.x - from.x) * dy) + Math.abs((to.y - from.y) * dx);
        if (node.id() !== chosen && along > 1 && along + aside * 2 < least) {
          least = along + aside * 2;
          best = node;
        }
      }
    }
    if (!best) return;
    choose(best.id());
    announce(`${best.data("label")}, ${best.data("kind")}, ${HEALTH_WORDS[best.data("health")]}`);
    const seen = net.extent();
    const place = best.position();
    if (place.x < seen.x1 || place.x > seen.x2 || place.y < seen.y1 || place.y > seen.y2) net.center(best);
  }

  return {
    show,
    choose,
    fit,
    zoom,
    /** For tests and for the export: where each node stands on the screen. */
    points: () => Object.fromEntries(net.nodes().map((node) => [node.id(), node.renderedPosition()])),
    picture: () => net.png({ output: "blob", full: true, scale: 2, bg: getComputedStyle(document.documentElement).getPropertyValue("--surface").trim() }),
    end: () => {
      watch.disconnect();
      removeEventListener("aiops:theme", themed);
      scheme.removeEventListener("change", themed);
      net.destroy();
    },
  };
}

function elements(graph, at) {
  const letters = lettersOf(graph);
  return [
    ...graph.nodes.map((node) => ({ group: "nodes", data: { ...node, short: shorten(node, letters) }, position: at.get(node.id) })),
    ...graph.edges
      .filter((edge) => at.has(edge.from) && at.has(edge.to))
      .map((edge) => ({ group: "edges", data: { ...edge, source: edge.from, target: edge.to, lagText: edge.lag === null ? "" : `+${span(edge.lag)}` } })),
  ];
}

function shorten(node, letters) {
  const half = Math.floor((letters - 1) / 2);
  const name = node.label.length > letters ? `${node.label.slice(0, half)}…${node.label.slice(-half)}` : node.label;
  return node.rank ? `${node.rank} · ${name}` : name;
}
