/** A graph as this page draws it: nodes with their health, edges along the way that failure flows, and groups where it is too much. */

export const MOST = 200;
/** Up to so many nodes nobody needs to look past what is well. */
const FEW = 24;
/** Health in words, worst first: a shape of border and a word each, so that colour is not all there is. */
export const HEALTH = [
  ["cause", "likeliest cause"],
  ["alarm", "has alerts"],
  ["symptom", "suffers"],
  ["silent", "on the path, silent"],
  ["maintenance", "in maintenance"],
  ["healthy", "nothing known against it"],
];
export const HEALTH_WORDS = Object.fromEntries(HEALTH);
const ORDER = HEALTH.map(([name]) => name);

const kinds = (name) => new Set((document.querySelector(`meta[name="aiops-${name}"]`)?.content ?? "").split(" "));
const DOWNSTREAM = kinds("downstream");
const MUTUAL = kinds("mutual");
const INERT = kinds("inert");

/**
 * @typedef {{id: string, label: string, kind: string, health: string, alarms: number, rank: number | null, ranks: number[], labels: Record<string, string>, size?: number}} GraphNode
 * @typedef {{id: string, from: string, to: string, kind: string, provenance: string, confidence: number, observed: boolean, stale: boolean, lag: number | null, ranks: number[], mutual: boolean, seen: string | null, many?: number}} GraphEdge
 * @typedef {{nodes: GraphNode[], edges: GraphEdge[], truncated: boolean, asOf: string | null}} Graph
 */

/** `GET /incidents/{id}/graph`. `hops` are those of all causes: they say which way a failure went. @returns {Graph} */
export function ofIncident(document, hops) {
  const elements = document.elements ?? document;
  const went = new Set(hops.map((hop) => `${hop.from}\n${hop.to}`));
  return {
    nodes: elements.nodes.map(({ data }) => ({ alarms: 0, rank: null, ranks: [], labels: {}, ...data, label: data.label ?? data.id, health: data.health ?? "healthy" })),
    edges: elements.edges.map(({ data }) => edge({ ...data, lag: data.lag_s ?? null, seen: data.last_seen ?? null, ranks: data.ranks ?? (data.on_path ? [1] : []) }, went)),
    truncated: document.data?.truncated ?? false,
    asOf: document.data?.as_of ?? null,
  };
}

/** `GET /entities/{id}/neighbors`. `health` says what is known of entities. @returns {Graph} */
export function ofNeighbours(document, health) {
  return {
    nodes: document.entities.map((entity) => ({
      id: entity.id,
      label: entity.name || entity.id,
      kind: entity.kind,
      labels: entity.labels ?? {},
      alarms: 0,
      rank: null,
      ranks: [],
      health: "healthy",
      ...health.get(entity.id),
    })),
    edges: document.relations.map((relation, index) =>
      edge({ id: `r${index}`, source: relation.from, target: relation.to, kind: relation.kind, provenance: relation.provenance, confidence: relation.confidence, observed: true, stale: relation.valid_to !== null || old(relation.last_seen, document.as_of), lag: null, ranks: [], seen: relation.last_seen }, new Set()),
    ),
    truncated: document.truncated,
    asOf: document.as_of,
  };
}

const STALE_MS = 7 * 86_400_000;
const old = (seen, at) => Boolean(seen) && Date.parse(at) - Date.parse(seen) > STALE_MS;

function edge(data, went) {
  const backward = went.has(`${data.target}\n${data.source}`);
  const forward = went.has(`${data.source}\n${data.target}`);
  const inert = INERT.has(data.kind);
  const mutual = (inert || MUTUAL.has(data.kind)) && !forward && !backward;
  const flip = backward || (!forward && !mutual && !DOWNSTREAM.has(data.kind));
  return {
    id: data.id,
    from: flip ? data.target : data.source,
    to: flip ? data.source : data.target,
    kind: data.kind,
    provenance: data.provenance ?? "unknown",
    confidence: data.confidence ?? 1,
    observed: data.observed ?? true,
    stale: data.stale ?? false,
    lag: data.lag,
    ranks: data.ranks,
    seen: data.seen,
    mutual,
    inert,
  };
}

export const worse = (a, b) => ORDER.indexOf(a.health) - ORDER.indexOf(b.health) || b.alarms - a.alarms || a.label.localeCompare(b.label);

/**
 * The graph with what is unremarkable put together by `by` ("kind", or a label such as "site"), until `most` nodes are left.
 * What is on a path, suffers or is in `keep` stays itself as long as it fits.
 * @param {Graph} graph
 */
export function grouped(graph, by, keep, most = MOST, always = false) {
  if (!always && graph.nodes.length <= most) return { graph, groups: new Map() };
  const key = (node) => (by === "kind" ? node.kind : (node.labels[by] ?? `no ${by}`));
  const names = new Set(graph.nodes.map(key));
  const room = Math.max(20, most - names.size);
  const told = graph.nodes.filter((node) => keep.has(node.id) || node.ranks.length || (!always && node.health !== "healthy")).sort((a, b) => Number(keep.has(b.id)) - Number(keep.has(a.id)) || worse(a, b));
  const alone = new Set(told.slice(0, room).map((node) => node.id));
  const groups = new Map();
  const home = new Map();
  for (const node of graph.nodes) {
    if (alone.has(node.id)) continue;
    const id = `group:${key(node)}`;
    home.set(node.id, id);
    groups.set(id, [...(groups.get(id) ?? []), node]);
  }
  const nodes = graph.nodes.filter((node) => alone.has(node.id));
  for (const [id, members] of groups) {
    const worst = [...members].sort(worse)[0];
    nodes.push({ id, label: `${id.slice(6)} × ${members.length}`, kind: by === "kind" ? members[0].kind : by === "rack" ? "Rack" : "Site", health: worst.health, alarms: members.reduce((sum, node) => sum + node.alarms, 0), rank: null, ranks: [], labels: {}, size: members.length });
  }
  const edges = new Map();
  for (const one of graph.edges) {
    const from = home.get(one.from) ?? one.from;
    const to = home.get(one.to) ?? one.to;
    if (from === to) continue;
    const id = from === one.from && to === one.to ? one.id : `${from}\n${to}`;
    const known = edges.get(id);
    if (known) known.many = (known.many ?? 1) + 1;
    else edges.set(id, { ...one, id, from, to, many: 1 });
  }
  return { graph: { ...graph, nodes, edges: [...edges.values()] }, groups };
}

/**
 * Only what is on a path, suffers, or is in `keep`, and what joins two of those; small graphs stay whole.
 * @param {Graph} graph
 */
export function focused(graph, keep) {
  if (graph.nodes.length <= FEW) return graph;
  const told = new Set(graph.nodes.filter((node) => keep.has(node.id) || node.ranks.length || node.health !== "healthy").map((node) => node.id));
  const joins = new Map();
  const edges = graph.edges.filter((one) => !one.inert || one.ranks.length);
  for (const one of edges) {
    for (const [end, other] of [[one.from, one.to], [one.to, one.from]]) {
      if (told.has(end) && !told.has(other)) joins.set(other, (joins.get(other) ?? new Set()).add(end));
    }
  }
  const between = [...joins].filter(([, ends]) => ends.size > 1).sort((a, b) => b[1].size - a[1].size).slice(0, Math.max(0, FEW - told.size));
  for (const [id] of between) told.add(id);
  return { ...graph, nodes: graph.nodes.filter((node) => told.has(node.id)), edges: edges.filter((one) => told.has(one.from) && told.has(one.to)) };
}

/** One line between two nodes, however many sources speak of it: the surest is drawn, all are in the table. @param {Graph} graph */
export function single(graph) {
  const pairs = new Map();
  for (const one of graph.edges) {
    const pair = [one.from, one.to].sort().join("\n");
    const known = pairs.get(pair);
    if (!known) {
      pairs.set(pair, one);
      continue;
    }
    const rank = (edge) => (edge.ranks.length ? 4 : 0) + (edge.stale ? 0 : 2) + edge.confidence;
    const [best, rest] = rank(one) > rank(known) ? [one, known] : [known, one];
    pairs.set(pair, { ...best, ranks: [...new Set([...best.ranks, ...rest.ranks])], many: (known.many ?? 1) + 1 });
  }
  return { ...graph, edges: [...pairs.values()] };
}

/** What the path of the cause with this rank leads over. */
export function onPath(graph, rank) {
  return {
    nodes: new Set(graph.nodes.filter((node) => node.ranks.includes(rank)).map((node) => node.id)),
    edges: new Set(graph.edges.filter((one) => one.ranks.includes(rank)).map((one) => one.id)),
  };
}
