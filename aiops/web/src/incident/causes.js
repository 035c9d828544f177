/** The causes in order, and of the chosen one: how it reaches what hurts, and how sure that is. */

import { h } from "../dom.js";
import { span } from "../when.js";
import { confidence, entityLink, kindIcon, nameOf, percent, plain } from "../words.js";
import { sentence } from "./citations.js";

const SCORES = { rule: "rules", model: "network", time: "order in time", coverage: "coverage", prior: "topology and evidence" };

/**
 * @param {any} analysis
 * @param {{chosen: number, choose: (rank: number) => void, cite: (id: string) => void, names: Map<string, string>}} how
 */
export function causeList(analysis, how) {
  if (!analysis.causes.length) return h("div", { class: "none" }, h("p", {}, "No cause is named: what was seen does not point at one thing."), h("p", { class: "faint" }, "See Gaps below for what would help."));
  return h(
    "ol",
    { class: "causes" },
    analysis.causes.map((cause) =>
      h(
        "li",
        { class: cause.rank === how.chosen ? "cause chosen" : "cause" },
        h(
          "button",
          { type: "button", class: "cause-head", "aria-expanded": String(cause.rank === how.chosen), data: { rank: cause.rank }, on: { click: () => how.choose(cause.rank) } },
          h("span", { class: "rank" }, cause.rank),
          h("span", { class: "cause-name" }, h("span", { class: "entity" }, kindIcon(cause.entity.type), h("span", {}, cause.entity.name)), h("span", { class: "faint" }, [plain(cause.kind), `explains ${cause.explains.count}/${cause.explains.of}`].filter(Boolean).join(" · "))),
          confidence(cause.confidence),
        ),
        cause.rank === how.chosen && details(cause, analysis, how),
      ),
    ),
  );
}

function details(cause, analysis, how) {
  const scores = Object.entries(cause.score ?? {}).filter(([, value]) => typeof value === "number");
  return h(
    "div",
    { class: "cause-body" },
    chain(cause, how.names),
    cause.counterfactual && h("p", { class: "sentence" }, cause.counterfactual.statement ?? cause.counterfactual.text ?? ""),
    (cause.statements ?? []).length > 0 && h("details", {}, h("summary", {}, "Why"), cause.statements.map((one) => sentence(one, how.cite))),
    h(
      "details",
      {},
      h("summary", {}, "How sure"),
      cause.rank === 1 && analysis.confidence_words && h("p", {}, analysis.confidence_words),
      cause.band && h("p", { class: "faint" }, typeof cause.band === "string" ? `band: ${plain(cause.band)}` : `between ${percent(cause.band[0])} and ${percent(cause.band[1])}`),
      h("dl", { class: "facts" }, scores.map(([name, value]) => [h("dt", {}, SCORES[name] ?? plain(name)), h("dd", { class: "num" }, value.toFixed(2))])),
    ),
    h("p", {}, entityLink(cause.entity, { name: "Open in the topology" })),
  );
}

/** From the cause to what hurts, top to bottom; hops that nobody observed are dashed. */
export function chain(cause, names) {
  const hops = cause.path ?? [];
  if (!hops.length) return h("p", { class: "faint" }, "It is itself what hurts: there is no way to follow.");
  const name = (id) => names.get(id) ?? nameOf(id);
  const node = (id, look) => h("li", { class: `chain-node ${look}` }, h("a", { class: "entity", href: `/topology?entity=${encodeURIComponent(id)}`, title: id }, name(id)));
  return h(
    "ol",
    { class: "chain", "aria-label": "Chain from the cause to what hurts" },
    node(hops[0].from, "first"),
    hops.map((hop) => [
      h(
        "li",
        { class: hop.observed ? "chain-hop" : "chain-hop unseen", title: `${hop.edge?.source ?? ""}, confidence ${percent(hop.edge?.confidence)}` },
        h("span", {}, plain(hop.relation).toLowerCase()),
        hop.lag_s !== null && hop.lag_s !== undefined && h("span", { class: "num" }, `+${span(hop.lag_s)}`),
        h("span", { class: "faint" }, [hop.edge?.source, percent(hop.edge?.confidence), !hop.observed && "not observed"].filter(Boolean).join(" · ")),
      ),
      node(hop.to, hop === hops[hops.length - 1] ? "last" : ""),
    ]),
  );
}
