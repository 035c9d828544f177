/** Where nodes stand: in layers along the way of failure, causes first, with room for their names, in the shape of the panel. */

import dagre from "@dagrejs/dagre";

const LETTER = 6.4;
const SIDE = 34;
const LINE = 20;
/** Beyond so many nodes in a layer it is folded into several. */
const TALL = 12;
const CROWD = 60;
const LETTERS = { roomy: 22, crowded: 14 };

/** How many letters of a name are shown. */
export const lettersOf = (graph) => (graph.nodes.length > CROWD ? LETTERS.crowded : LETTERS.roomy);

/**
 * Layers from left to right or from top to bottom, whichever is larger in a box of this size.
 * @param {import("./model.js").Graph} graph
 * @returns {Map<string, {x: number, y: number}>}
 */
export function places(graph, width, height) {
  const tries = [layered(graph, true, width / height), layered(graph, false, width / height)];
  const scale = (found) => {
    const xs = [...found.values()].map((at) => at.x);
    const ys = [...found.values()].map((at) => at.y);
    return Math.min(width / (Math.max(...xs) - Math.min(...xs) + 120), height / (Math.max(...ys) - Math.min(...ys) + 90));
  };
  return scale(tries[0]) >= scale(tries[1]) ? tries[0] : tries[1];
}

function layered(graph, wide, shape) {
  const letters = lettersOf(graph);
  const flow = graph.edges.filter((edge) => !edge.inert && edge.from !== edge.to);
  const joined = new Set(flow.flatMap((edge) => [edge.from, edge.to]));
  const net = new dagre.graphlib.Graph({ multigraph: true });
  net.setGraph({ rankdir: wide ? "LR" : "TB", nodesep: wide ? 14 : 20, ranksep: wide ? 52 : 44, ranker: graph.nodes.length > 120 ? "longest-path" : "network-simplex" });
  net.setDefaultEdgeLabel(() => ({}));
  const room = (node) => Math.max(SIDE, Math.min(letters, node.label.length) * LETTER);
  for (const node of graph.nodes) if (joined.has(node.id)) net.setNode(node.id, { width: room(node), height: SIDE + LINE });
  for (const edge of flow) net.setEdge(edge.from, edge.to, { weight: edge.ranks.length ? 8 : 1, minlen: 1 }, edge.id);
  dagre.layout(net);
  const layers = new Map();
  for (const id of net.nodes()) {
    const { x, y } = net.node(id);
    const layer = Math.round(wide ? x : y);
    layers.set(layer, [...(layers.get(layer) ?? []), { id, along: layer, aside: wide ? y : x }]);
  }
  const ordered = [...layers].sort((a, b) => a[0] - b[0]).map(([, members]) => members.sort((a, b) => a.aside - b.aside));
  const loose = graph.nodes.filter((node) => !joined.has(node.id)).map((node) => ({ id: node.id, along: Infinity, aside: 0 }));
  if (loose.length) ordered.push(loose);
  return folded(ordered, wide, shape, Math.max(60, ...graph.nodes.map(room)) + 14, new Map(graph.nodes.map((node) => [node.id, node.label])));
}

/** Layers that are too tall become blocks of several rows; those after them move on. */
function folded(layers, wide, shape, roomFor, names) {
  const found = new Map();
  const cell = wide ? { along: roomFor, aside: SIDE + LINE + 10 } : { along: SIDE + LINE + 16, aside: roomFor };
  let shift = 0;
  let last = 0;
  for (const members of layers) {
    const loose = members[0].along === Infinity;
    const start = loose ? last + cell.along + 30 : members[0].along + shift;
    if (members.length <= TALL && !loose) {
      for (const one of members) put(found, one.id, start, one.aside, wide);
      last = start;
      continue;
    }
    members.sort((a, b) => names.get(a.id).localeCompare(names.get(b.id), "en", { numeric: true }));
    const total = members.length;
    const across = Math.max(3, Math.min(total, Math.round(Math.sqrt((total * cell.along) / cell.aside / (wide ? shape : 1 / shape)))));
    const middle = loose ? (across * cell.aside) / 2 : members.reduce((sum, one) => sum + one.aside, 0) / total;
    members.forEach((one, index) => put(found, one.id, start + Math.floor(index / across) * cell.along, middle + ((index % across) - (across - 1) / 2) * cell.aside, wide));
    const depth = (Math.ceil(total / across) - 1) * cell.along;
    shift += depth;
    last = start + depth;
  }
  return found;
}

function put(found, id, along, aside, wide) {
  found.set(id, wide ? { x: along, y: aside } : { x: aside, y: along });
}
