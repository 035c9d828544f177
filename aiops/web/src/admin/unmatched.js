/** What takes part without anybody knowing what it is. */

import { get } from "../api.js";
import { h } from "../dom.js";
import { empty, table } from "../parts.js";
import { entityLink } from "../words.js";

export async function unmatched() {
  const { items } = await get("/entities:unmatched?limit=500");
  if (!items.length) return empty("Everything that was named was found in the topology.");
  return [
    table("Unmatched", [
      ["Name", (entity) => entityLink(entity, { kind: entity.kind }), "", (entity) => entity.name],
      ["Id", (entity) => h("span", { class: "mono" }, entity.id), "wrap", (entity) => entity.id],
      ["Also called", (entity) => entity.aliases.join(", "), "wrap"],
      ["Labels it came with", (entity) => Object.entries(entity.labels).map(([name, value]) => `${name}=${value}`).join(" "), "wrap"],
    ], items, { sort: true }),
    items.length === 500 && h("p", { class: "faint" }, "The first 500 are shown."),
  ];
}
