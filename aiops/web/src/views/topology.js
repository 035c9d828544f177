/** What depends on what, and how it is: found by name, seen as deep, as late and in the colours one asks for. */

import { entityPath, get, query } from "../api.js";
import { debounce, fillWith, h } from "../dom.js";
import { ofNeighbours } from "../graph/model.js";
import { graphView } from "../graph/view.js";
import * as keys from "../keys.js";
import { absent, button, choice, failure, loading, panel, table } from "../parts.js";
import { go, setFields } from "../router.js";
import { suggest } from "../suggest.js";
import { healthAt } from "../topology_health.js";
import { fromInput, stamp, toInput } from "../when.js";
import { count, entityLink, kindIcon, nameOf, percent, severity, status } from "../words.js";

const LIMIT = 2000;
const DAY_MINUTES = 1440;
const COLOURS = [["health", "health"], ["kind", "kind"]];
const GROUPS = [["kind", "kind"], ["site", "site"], ["rack", "rack"]];

export function topologyView(main, _names, fields) {
  document.title = "Topology · aiops";
  const asked = { entity: fields.get("entity") ?? "", depth: Number(fields.get("depth") ?? 2), at: fields.get("at") ?? "", colour: fields.get("colour") ?? "health", group: fields.get("group") ?? "", edges: fields.get("edges") ?? "" };
  const view = { control: null, ended: false };
  const side = h("div", { class: "side" });
  const graph = graphView({
    label: "Topology",
    opened: (id) => go(`/topology${query({ ...asked, entity: id })}`),
    aside: (node) => node.id !== asked.entity && button("Centre on it", () => go(`/topology${query({ ...asked, entity: node.id })}`), { class: "small" }),
    colours: asked.colour,
    bySource: asked.edges === "source",
    group: asked.group || "kind",
    always: Boolean(asked.group),
    keep: new Set([asked.entity]),
  });
  const search = suggest({ label: "Entity", placeholder: "Name, address or id", chosen: (entity) => go(`/topology${query({ ...asked, entity: entity.id })}`) });
  const find = panel("Find", search.element);
  const facts = h("div", { class: "side" });
  fillWith(main, h("div", { class: "bar" }, h("h1", {}, "Topology"), h("span", { class: "grow" }), asked.entity && controls()), h("div", { class: "explorer" }, side, panel(asked.entity ? `Around ${nameOf(asked.entity)}` : "Entities", asked.entity ? graph.element : h("div", { class: "panel-inner" }), { tools: asked.entity ? graph.tools : null, look: "picture" })));
  fillWith(side, find, facts);

  function controls() {
    const depth = h("input", { type: "range", min: "1", max: "5", step: "1", value: String(asked.depth) });
    const shown = h("output", { class: "num" }, asked.depth);
    depth.addEventListener("input", () => {
      asked.depth = Number(depth.value);
      shown.textContent = depth.value;
      later();
    });
    const when = h("input", { type: "datetime-local", class: "asof", step: "1", value: asked.at ? toInput(asked.at) : "" });
    const back = h("input", { type: "range", min: String(-DAY_MINUTES), max: "0", step: "5", value: asked.at ? String(Math.max(-DAY_MINUTES, (Date.parse(asked.at) - Date.now()) / 60_000)) : "0", "aria-label": "As of: back from now, up to a day" });
    const now = button("Now", () => moment("", "0"), { class: "small", "aria-pressed": String(!asked.at) });
    const moment = (at, slid) => {
      asked.at = at;
      when.value = at ? toInput(at) : "";
      back.value = slid ?? String(Math.max(-DAY_MINUTES, (Date.parse(at) - Date.now()) / 60_000));
      back.setAttribute("aria-valuetext", at ? `${at}` : "now");
      now.setAttribute("aria-pressed", String(!at));
      later();
    };
    back.addEventListener("input", () => {
      const minutes = Number(back.value);
      moment(minutes === 0 ? "" : new Date(Date.now() + minutes * 60_000).toISOString().replace(/\.\d+Z$/, "Z"), back.value);
    });
    when.addEventListener("change", () => moment(fromInput(when.value) ?? ""));
    const pick = (name, options, value, apply) => h("label", {}, name, choice(options, value, { on: { change: (event) => apply(event.target.value) } }));
    return h(
      "div",
      { class: "controls" },
      h("label", {}, "Depth", depth, shown),
      h("label", {}, "As of (UTC)", when),
      back,
      now,
      pick("Colour by", COLOURS, asked.colour, (value) => set({ colour: value }, { colours: value })),
      pick("Edges by", [["", "staleness"], ["source", "source"]], asked.edges, (value) => set({ edges: value }, { bySource: value === "source" })),
      pick("Group by", [["", "nothing"], ...GROUPS], asked.group, (value) => set({ group: value }, { group: value || "kind", always: Boolean(value) })),
    );
  }

  function set(inAddress, inGraph) {
    Object.assign(asked, inAddress);
    setFields(asked.colour === "health" ? { ...inAddress, colour: "" } : inAddress);
    graph.change(inGraph);
  }

  const later = debounce(() => {
    setFields({ depth: asked.depth === 2 ? "" : asked.depth, at: asked.at });
    load();
  }, 250);

  async function load() {
    view.control?.abort();
    const control = new AbortController();
    view.control = control;
    const how = { signal: control.signal };
    graph.wait("Loading the topology");
    try {
      const [near, known] = await Promise.all([get(`${entityPath(asked.entity, "/neighbors")}${query({ depth: asked.depth, at: asked.at, limit: LIMIT })}`, how), healthAt(asked.at || null, control.signal)]);
      if (view.ended) return;
      const drawn = ofNeighbours(near, known.health);
      await graph.set(drawn);
      graph.mark(asked.entity);
      describe(drawn.nodes.find((node) => node.id === asked.entity), known.trouble, how);
    } catch (error) {
      if (error.name === "AbortError") return;
      graph.fail(error, load);
      fillWith(facts, error.status === 404 ? unknown(error) : null);
    }
  }

  function unknown(error) {
    const near = Object.values(error.problem.nearest ?? {}).flat();
    return panel("No such entity", near.length ? [h("p", {}, "Did you mean"), h("ul", {}, near.map((id) => h("li", {}, entityLink({ id, name: id }))))] : h("p", {}, "Nothing is called nearly so."));
  }

  async function describe(node, trouble, how) {
    if (!node) return;
    const impact = h("div", {}, loading("Counting"));
    const alerts = h("div", {}, loading());
    const incidents = h("div", {}, loading());
    const labels = Object.entries(node.labels);
    fillWith(
      facts,
      panel(h("span", { class: "entity" }, kindIcon(node.kind), node.label), [h("dl", { class: "facts" }, h("dt", {}, "Kind"), h("dd", {}, node.kind), h("dt", {}, "Id"), h("dd", { class: "mono" }, node.id), labels.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])), trouble.map((text) => h("p", { class: "notice quiet" }, text))]),
      panel("Blast radius", impact),
      panel(asked.at ? "Alerts then" : "Alerts of the last day", alerts),
      panel("Incidents", incidents),
    );
    const put = async (place, ask, show) => {
      try {
        const answer = await ask();
        if (!view.ended) fillWith(place, show(answer));
      } catch (error) {
        if (error.name !== "AbortError") fillWith(place, error.absent ? absent() : failure(error));
      }
    };
    const until = asked.at ? new Date(Date.parse(asked.at) + 1000).toISOString() : "";
    await Promise.all([
      put(impact, () => get(`${entityPath(node.id, "/impact")}${query({ at: asked.at })}`, how), radius),
      put(alerts, () => get(`${entityPath(node.id, "/alerts")}${query({ until })}`, how), alertList),
      put(incidents, () => get(`/incidents${query({ entity: node.id, limit: 10 })}`, how), incidentList),
    ]);
  }

  function radius(found) {
    return [
      h("p", { class: "badge-big" }, h("b", {}, found.count.toLocaleString("en")), `may fail with it${found.truncated ? ", at least" : ""}`),
      found.services.length > 0 && h("p", {}, h("b", {}, "Services: "), found.services.slice(0, 8).map((id, index) => [index > 0 && ", ", entityLink({ id, name: nameOf(id), kind: "Service" })]), found.services.length > 8 && ` and ${found.services.length - 8} more`),
      found.reached.length > 0 &&
        h("details", {}, h("summary", {}, "Who, nearest first"), h("ul", {}, found.reached.slice(0, 50).map((item) => h("li", {}, entityLink(item.entity), h("span", { class: "faint" }, ` ${percent(item.plausibility)} plausible, ${count(item.hops, "hop")}${item.through && item.through !== item.entity.id ? ` through ${nameOf(item.through)}` : ""}`))), found.reached.length > 50 && h("li", { class: "faint" }, `and ${found.reached.length - 50} more`))),
      found.kept.length > 0 && h("p", { class: "faint" }, `Kept alive by redundancy: ${found.kept.slice(0, 5).map((item) => item.entity.name).join(", ")}${found.kept.length > 5 ? ` and ${found.kept.length - 5} more` : ""}`),
    ];
  }

  function alertList(page) {
    if (!page.items.length) return h("p", { class: "faint" }, "None.");
    return h("ul", {}, page.items.slice(-20).reverse().map((alert) => h("li", {}, severity(alert.severity ?? "info", true), " ", h("b", {}, alert.name), " ", alert.ended_at ? h("span", { class: "faint" }, "ended ", stamp(alert.ended_at)) : ["since ", stamp(alert.started_at)])));
  }

  function incidentList(page) {
    if (!page.items.length) return h("p", { class: "faint" }, "None names it.");
    return [h("ul", {}, page.items.map((one) => h("li", {}, status(one.status), " ", h("a", { href: `/incidents/${encodeURIComponent(one.id)}` }, one.title)))), h("p", {}, h("a", { href: `/incidents?status=all&entity=${encodeURIComponent(asked.entity)}` }, "In the list"))];
  }

  async function overview() {
    const place = main.querySelector(".panel-inner");
    fillWith(place, loading());
    const kind = fields.get("kind") ?? "";
    try {
      const [stats, page] = await Promise.all([get("/stats"), get(`/entities${query({ kind, limit: 200 })}`)]);
      const kinds = Object.entries(stats.graph).filter(([name]) => name.startsWith("entity:")).map(([name, n]) => [name.slice(7), n]).sort((a, b) => b[1] - a[1]);
      const relations = Object.entries(stats.graph).filter(([name]) => name.startsWith("relation:")).reduce((sum, [, n]) => sum + n, 0);
      fillWith(facts, panel("What is known", [h("p", {}, `${count(kinds.reduce((sum, [, n]) => sum + n, 0), "entity", "entities")}, ${count(relations, "relation")}`), h("div", { class: "kinds" }, kind && button("every kind", () => go("/topology"), { class: "small" }), kinds.map(([name, n]) => button(`${name} ${n.toLocaleString("en")}`, () => go(`/topology?kind=${encodeURIComponent(name)}`), { class: "small", "aria-pressed": String(name === kind) }))), h("p", {}, h("a", { href: "/admin/unmatched" }, "What could not be matched"))]));
      fillWith(
        place,
        kinds.length
          ? [
              h("p", { class: "faint about" }, "Choose one to see what is around it, how it is, and what falls with it."),
              table("Known entities", [["Entity", (entity) => entityLink(entity, { kind: entity.kind }), "", (entity) => entity.name], ["Kind", (entity) => entity.kind, "", (entity) => entity.kind], ["Id", (entity) => h("span", { class: "mono" }, entity.id), "wrap", (entity) => entity.id], ["Labels", (entity) => Object.entries(entity.labels).slice(0, 4).map(([name, value]) => `${name}=${value}`).join(" "), "wrap"]], page.items, { sort: true }),
              page.next_cursor && h("p", { class: "more" }, "The first 200; search for the others."),
            ]
          : h("div", { class: "empty" }, h("strong", {}, "No topology is known yet."), h("p", {}, "It comes from ", h("code", {}, "POST /api/v1/topology:import"), ", from NetBox, or from live data as it arrives.")),
      );
    } catch (error) {
      fillWith(place, failure(error, overview));
    }
  }

  const unbind = keys.bind({ f: ["Search the topology", () => search.input.focus()], v: ["Graph or table", () => asked.entity && graph.element.parentElement.parentElement.querySelector(".tools button")?.click()] });
  if (asked.entity) load();
  else overview();
  return () => {
    view.ended = true;
    view.control?.abort();
    unbind();
    graph.end();
  };
}
