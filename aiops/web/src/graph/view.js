/** A graph with everything around it: legend, tools, the card of what is chosen, and a table that says the same in words. */

import { fillWith, h } from "../dom.js";
import { button, failure, loading, table } from "../parts.js";
import { HEALTH, HEALTH_WORDS, MOST, focused, grouped, onPath, single, worse } from "./model.js";
import { sourceColours } from "./look.js";
import { stamp } from "../when.js";
import { count, entityLink, kindIcon, percent, plain } from "../words.js";

const ROWS = 500;

/**
 * @param {{label: string, opened: (id: string) => void, chosen?: (id: string | null) => void, aside?: (node: any) => any, group?: string, keep?: Set<string>, colours?: "health" | "kind", bySource?: boolean, always?: boolean}} how
 */
export function graphView(how) {
  const state = { graph: null, drawn: null, groups: new Map(), rank: 0, chosen: null, table: false, canvas: null, filter: "", number: 0, ...how };
  const canvas = h("div", { class: "graph-canvas", tabindex: "0", role: "application", "aria-label": `${how.label}. Arrow keys move between entities, Enter opens one, plus and minus zoom. The table says the same in words.` });
  const card = h("div", { class: "graph-card", hidden: true });
  const hint = h("div", { class: "graph-hint", "aria-hidden": "true" });
  const legend = h("div", { class: "graph-legend" });
  const words = h("div", { class: "graph-table", hidden: true });
  const note = h("p", { class: "graph-note", role: "status" });
  const picture = h("div", { class: "graph-picture" }, canvas, hint, card, legend);
  const element = h("div", { class: "graph" }, note, picture, words);
  const toggle = button("Table", () => flip(!state.table), { class: "small", "aria-pressed": "false" });
  const wider = button("", () => {
    state.wide = !state.wide;
    state.focus = !state.wide;
    set(state.graph, state.rank);
  }, { class: "small", hidden: true, title: "Show or hide what nothing is known against" });
  const tools = h(
    "span",
    { class: "tools" },
    wider,
    toggle,
    button("+", () => state.canvas?.zoom(1.25), { class: "small", "aria-label": "Zoom in" }),
    button("−", () => state.canvas?.zoom(0.8), { class: "small", "aria-label": "Zoom out" }),
    button("Fit", () => state.canvas?.fit(), { class: "small" }),
  );

  function flip(on) {
    state.table = on;
    toggle.setAttribute("aria-pressed", String(on));
    toggle.textContent = on ? "Graph" : "Table";
    picture.hidden = on;
    words.hidden = !on;
    if (on) list();
    else paint();
  }

  /** Show another graph; the path of the cause with `rank` stands out in it. */
  async function set(graph, rank = 0) {
    state.graph = graph;
    state.rank = rank;
    state.filter = "";
    const seen = state.focus ? focused(graph, state.keep ?? new Set()) : graph;
    const hidden = graph.nodes.length - seen.nodes.length;
    wider.hidden = hidden === 0 && !state.wide;
    wider.textContent = state.wide ? "Less" : `+ ${hidden} healthy`;
    wider.setAttribute("aria-pressed", String(Boolean(state.wide)));
    const cut = grouped(seen, state.group ?? "kind", state.keep ?? new Set(), MOST, state.always ?? false);
    state.drawn = single(cut.graph);
    state.groups = cut.groups;
    const parts = [];
    if (graph.truncated) parts.push("More is near than the server gives at once; the nearest is shown.");
    if (seen.nodes.length > MOST && cut.groups.size) parts.push(`${seen.nodes.length.toLocaleString("en")} entities: those without trouble are grouped by ${state.group ?? "kind"}. The table has each of them.`);
    note.textContent = parts.join(" ");
    note.hidden = parts.length === 0;
    choose(null, false);
    key();
    if (state.table) list();
    else await paint();
  }

  async function paint() {
    if (!state.drawn) return;
    state.number += 1;
    const mine = state.number;
    try {
      const { draw } = await import("./canvas.js");
      if (mine !== state.number || !canvas.isConnected) return;
      state.canvas?.end();
      fillWith(canvas);
      state.canvas = draw(canvas, state.drawn, {
        colours: state.colours ?? "health",
        sources: state.bySource ? sourceColours(state.drawn) : null,
        chosen: (id) => choose(id, true),
        opened: open,
        hovered: hover,
      });
      element.graphPoints = state.canvas.points;
      light();
      if (state.chosen) state.canvas.choose(state.chosen, false);
      element.dataset.drawn = String(mine);
    } catch (error) {
      fillWith(canvas, failure(error, paint));
    }
  }

  function light() {
    if (!state.canvas || !state.drawn) return;
    const { nodes, edges } = onPath(state.drawn, state.rank);
    state.canvas.show(nodes, edges);
  }

  function open(id) {
    if (!id.startsWith("group:")) return how.opened(id);
    state.filter = id;
    flip(true);
    return undefined;
  }

  function hover(id) {
    const node = state.drawn.nodes.find((one) => one.id === id);
    hint.textContent = node ? `${node.label} · ${node.kind} · ${HEALTH_WORDS[node.health]}${node.alarms ? ` · ${count(node.alarms, "alert")}` : ""}` : "";
  }

  function choose(id, tell = true) {
    state.chosen = id;
    const node = state.drawn?.nodes.find((one) => one.id === id);
    card.hidden = !node;
    // On the side where it does not hide what it speaks of.
    const at = node && state.canvas?.points()[id];
    card.classList.toggle("left", Boolean(at && at.x > canvas.clientWidth / 2));
    if (node) fillWith(card, node.size ? groupCard(node) : nodeCard(node));
    if (tell) how.chosen?.(id);
  }

  function nodeCard(node) {
    const near = state.graph.edges.filter((edge) => edge.from === node.id || edge.to === node.id);
    const name = (id) => state.graph.nodes.find((one) => one.id === id)?.label ?? id;
    return [
      h("div", { class: "card-head" }, kindIcon(node.kind), h("strong", {}, node.label), button("×", () => { choose(null); state.canvas?.choose(null, false); }, { class: "plain small", "aria-label": "Close" })),
      h("p", { class: "faint mono" }, node.id),
      h("p", {}, h("span", { class: `health health-${node.health}` }, HEALTH_WORDS[node.health]), node.alarms > 0 && ` · ${count(node.alarms, "alert")}`),
      near.length > 0 &&
        h("ul", { class: "card-edges" }, near.slice(0, 6).map((edge) => h("li", {}, edge.from === node.id ? "→ " : "← ", name(edge.from === node.id ? edge.to : edge.from), h("span", { class: "faint" }, ` ${edge.kind} · ${edge.provenance} ${percent(edge.confidence)}${edge.stale ? " · stale" : ""}`))), near.length > 6 && h("li", { class: "faint" }, `and ${near.length - 6} more`)),
      how.aside?.(node),
    ];
  }

  function groupCard(node) {
    return [h("div", { class: "card-head" }, kindIcon(node.kind), h("strong", {}, node.label)), h("p", {}, HEALTH_WORDS[node.health], node.alarms > 0 && ` · ${count(node.alarms, "alert")}`), button("Show them as a table", () => open(node.id), { class: "small" })];
  }

  function key() {
    const there = new Set(state.drawn.nodes.map((node) => node.health));
    const signs = HEALTH.filter(([name]) => there.has(name)).map(([name, text]) => h("span", { class: "key" }, h("i", { class: `swatch health-${name}` }), text));
    const sources = state.bySource ? [...sourceColours(state.drawn)].map(([name, colour]) => h("span", { class: "key" }, h("i", { class: "stroke", vars: { "--stroke": colour } }), name)) : [];
    const lines = [];
    if (state.drawn.edges.some((edge) => edge.stale)) lines.push(["stale", "not confirmed lately"]);
    if (state.drawn.edges.some((edge) => edge.confidence < 0.7)) lines.push(["weak", "inferred, below 70 %"]);
    if (state.drawn.edges.some((edge) => edge.ranks.length && !edge.observed)) lines.push(["unseen", "path, not observed"]);
    fillWith(legend, state.colours === "kind" ? [] : signs, sources, lines.map(([look, text]) => h("span", { class: "key" }, h("i", { class: `stroke ${look}` }), text)));
  }

  function list() {
    const members = state.groups.get(state.filter) ?? state.graph.nodes;
    const rows = [...members].sort((a, b) => (a.rank ?? 99) - (b.rank ?? 99) || b.ranks.length - a.ranks.length || worse(a, b));
    const degree = new Map();
    for (const edge of state.graph.edges) for (const id of [edge.from, edge.to]) degree.set(id, (degree.get(id) ?? 0) + 1);
    fillWith(
      words,
      state.filter && h("p", {}, h("span", { class: "chip" }, state.filter.slice(6), button("×", () => { state.filter = ""; list(); }, { class: "plain", "aria-label": "Show all" }))),
      table(how.label, [
        ["Entity", (node) => entityLink({ id: node.id, name: node.label, kind: node.kind }), "", (node) => node.label],
        ["Kind", (node) => node.kind, "", (node) => node.kind],
        ["Health", (node) => h("span", { class: `health health-${node.health}` }, HEALTH_WORDS[node.health]), "", (node) => HEALTH.findIndex(([name]) => name === node.health)],
        ["Alerts", (node) => node.alarms || "", "num", (node) => -node.alarms],
        ["On the path of", (node) => (node.ranks.length ? `cause ${node.ranks.join(", ")}` : ""), "", (node) => node.ranks[0] ?? 99],
        ["Relations", (node) => degree.get(node.id) ?? 0, "num", (node) => -(degree.get(node.id) ?? 0)],
      ], rows.slice(0, ROWS), { sort: true }),
      rows.length > ROWS && h("p", { class: "faint none" }, `The first ${ROWS} of ${rows.length} are listed; narrow the depth or search.`),
      h("details", {}, h("summary", {}, count(state.graph.edges.length, "relation")), edgeTable(state.graph)),
    );
  }

  return {
    element,
    tools,
    set,
    flip,
    /** Let the path of the cause with this rank stand out. */
    highlight: (rank) => {
      state.rank = rank;
      light();
    },
    /** Mark one without opening its card. */
    mark: (id) => {
      state.chosen = id;
      state.canvas?.choose(id, false);
    },
    change: (fields) => {
      Object.assign(state, fields);
      return state.graph ? set(state.graph, state.rank) : undefined;
    },
    wait: (text) => {
      fillWith(canvas, loading(text));
    },
    fail: (error, again) => {
      state.canvas?.end();
      state.canvas = null;
      fillWith(canvas, failure(error, again));
    },
    end: () => {
      state.number += 1;
      state.canvas?.end();
      state.canvas = null;
    },
  };
}

function edgeTable(graph) {
  const names = new Map(graph.nodes.map((node) => [node.id, node.label]));
  return table("Relations, along the way of failure", [
    ["From", (edge) => names.get(edge.from) ?? edge.from],
    ["Relation", (edge) => plain(edge.kind)],
    ["To", (edge) => names.get(edge.to) ?? edge.to],
    ["Said by", (edge) => edge.provenance],
    ["Confidence", (edge) => percent(edge.confidence), "num"],
    ["Last seen", (edge) => (edge.seen ? stamp(edge.seen) : ""), "num"],
    ["Remarks", (edge) => [edge.stale && "stale", edge.ranks.length > 0 && (edge.observed ? "on the path" : "on the path, not observed")].filter(Boolean).join(", ")],
  ], graph.edges.slice(0, ROWS));
}
