/** What if this were healthy, or that had failed? The answer beside the one that stands; nothing is kept. */

import { at, post } from "../api.js";
import { fillWith, h } from "../dom.js";
import { button, choice, dialog, failure, loading, table, worker } from "../parts.js";
import { suggest } from "../suggest.js";
import { kindIcon, percent, plain, verdict } from "../words.js";

const SIDES = [["healthy", "is healthy"], ["failed", "has failed"]];

/**
 * @param {any} incident
 * @param {any} analysis the one that stands
 * @param {any[]} known entities that are offered first
 */
export function whatIf(incident, analysis, known) {
  const assumed = new Map();
  const chosen = h("ul", { class: "assumed" });
  const result = h("div", { class: "what-if-result", "aria-live": "polite" });
  const side = choice(SIDES, "healthy", { "aria-label": "is healthy or has failed" });
  const search = suggest({
    label: "Entity",
    placeholder: "Entity",
    known,
    chosen: (entity) => {
      assumed.set(entity.id, { entity, side: side.value });
      draw();
    },
  });

  function draw() {
    fillWith(
      chosen,
      [...assumed.values()].map(({ entity, side: is }) =>
        h("li", {}, kindIcon(entity.kind), h("b", {}, entity.name || entity.id), ` ${is === "healthy" ? "is healthy" : "has failed"}`, button("×", () => { assumed.delete(entity.id); draw(); }, { class: "plain small", "aria-label": `Do not assume anything of ${entity.name || entity.id}` })),
      ),
      assumed.size === 0 && h("li", { class: "faint" }, "Nothing is assumed yet. Choose an entity above."),
    );
  }

  const run = worker("What if", async () => {
    if (!assumed.size) {
      search.input.focus();
      return;
    }
    fillWith(result, loading("Asking"));
    const of = (name) => [...assumed.values()].filter((one) => one.side === name).map((one) => one.entity.id);
    try {
      fillWith(result, difference(analysis, await post(at`/incidents/${incident.id}/analyses`, { assume: { healthy: of("healthy"), failed: of("failed") } })));
    } catch (error) {
      fillWith(result, failure(error));
    }
  }, { class: "primary" });

  const first = analysis.causes[0];
  if (first) assumed.set(first.entity.id, { entity: { ...first.entity, kind: first.entity.type }, side: "healthy" });
  draw();
  const box = dialog("What if …", [h("p", { class: "faint" }, "The analysis is run on what was seen, with these assumptions. It is shown and not kept."), h("div", { class: "assume" }, search.element, side), chosen, result], [run]);
  run.focus();
  return box;
}

/** Two answers beside each other. */
export function difference(before, after) {
  const place = (analysis, id) => analysis.causes.find((cause) => cause.entity.id === id);
  const ids = [...new Set([...after.causes, ...before.causes].map((cause) => cause.entity.id))];
  const rows = ids.map((id) => ({ id, was: place(before, id), is: place(after, id) }));
  const [one, other] = [before.causes[0], after.causes[0]];
  const same = one?.entity.id === other?.entity.id;
  const said = !other ? "Then no cause would be named." : same ? `${other.entity.name} would still be first, at ${percent(other.confidence)} instead of ${percent(one.confidence)}.` : `Then ${other.entity.name} would be first${one ? `, instead of ${one.entity.name}` : ""}.`;
  return h(
    "div",
    { class: "difference" },
    h("p", { class: "difference-line" }, h("b", {}, said)),
    h("p", {}, "Verdict: ", verdict(before.verdict), " → ", verdict(after.verdict), other && `; explains ${other.explains.count} of ${other.explains.of} symptoms${one ? ` instead of ${one.explains.count}` : ""}`, "."),
    table("What changes", [
      ["Cause", (row) => h("span", {}, (row.is ?? row.was).entity.name, h("span", { class: "faint" }, ` ${plain((row.is ?? row.was).kind)}`))],
      ["Rank", (row) => `${row.was?.rank ?? "–"} → ${row.is?.rank ?? "gone"}`, "num"],
      ["Confidence", (row) => `${percent(row.was?.confidence)} → ${percent(row.is?.confidence)}`, "num"],
      ["Explains", (row) => `${row.was ? `${row.was.explains.count}/${row.was.explains.of}` : "–"} → ${row.is ? `${row.is.explains.count}/${row.is.explains.of}` : "–"}`, "num"],
    ], rows),
    after.summary && h("p", { class: "faint" }, after.summary),
  );
}
