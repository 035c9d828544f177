/** Where nodes stand: in layers along the way of failure, causes first, with room for their names. */

import dagre from "@dagrejs/dagre";

const LETTER = 6.4;
const SIDE = 34;

/**
 * @param {import("./model.js").Graph} graph
 * @param {boolean} wide whether layers go from left to right
 * @returns {Map<string, {x: number, y: number}>}
 */
export function places(graph, wide) {
  const joined = new Set(graph.edges.filter((edge) => !edge.inert).flatMap((edge) => [edge.from, edge.to]));
  const net = new dagre.graphlib.Graph({ multigraph: true });
  net.setGraph({ rankdir: wide ? "LR" : "TB", nodesep: wide ? 14 : 20, ranksep: wide ? 56 : 48, marginx: 8, marginy: 8, ranker: graph.nodes.length > 120 ? "longest-path" : "network-simplex" });
  net.setDefaultEdgeLabel(() => ({}));
  for (const node of graph.nodes) {
    if (!joined.has(node.id)) continue;
    net.setNode(node.id, { width: Math.max(SIDE, Math.min(22, node.label.length) * LETTER), height: SIDE + 20 });
  }
  for (const edge of graph.edges) {
    if (edge.from !== edge.to && !edge.inert) net.setEdge(edge.from, edge.to, { weight: edge.ranks.length ? 8 : 1, minlen: 1 }, edge.id);
  }
  dagre.layout(net);
  const found = new Map();
  let right = 0;
  let bottom = 0;
  for (const id of net.nodes()) {
    const { x, y } = net.node(id);
    found.set(id, { x, y });
    right = Math.max(right, x);
    bottom = Math.max(bottom, y);
  }
  alone(graph.nodes.filter((node) => !joined.has(node.id)), wide ? right : bottom, wide, found, wide ? bottom : right);
  return found;
}

/** What has no relation here stands in rows behind the rest. */
function alone(nodes, reach, wide, found, breadth) {
  const columns = Math.max(4, Math.round(Math.max(reach, breadth) / 130));
  nodes.forEach((node, index) => {
    const across = 40 + (index % columns) * 130;
    const down = 90 + Math.floor(index / columns) * 70;
    found.set(node.id, wide ? { x: across, y: breadth + down } : { x: across, y: reach + down });
  });
}
