/** Who sends, how much of it was of use, and when it last came. */

import { get } from "../api.js";
import { h } from "../dom.js";
import { empty, table } from "../parts.js";
import { ago } from "../when.js";

const SILENT_MS = 10 * 60_000;

export async function sources() {
  const { items } = await get("/sources");
  if (!items.length) return empty("Nothing has come in since this server began.", h("p", { class: "faint" }, "The list of incidents says how to send a first alert."));
  const silent = (source) => source.last_at && Date.now() - Date.parse(source.last_at) > SILENT_MS;
  return [
    table("Sources", [
      ["Source", (source) => h("b", {}, source.name), "", (source) => source.name],
      ["Last came", (source) => (source.last_at ? h("span", { class: silent(source) ? "warn" : "" }, ago(source.last_at), silent(source) && ", silent") : h("span", { class: "faint" }, "never")), "", (source) => -Date.parse(source.last_at ?? 0)],
      ["Received", (source) => number(source.received), "num", (source) => -source.received],
      ["Stored", (source) => number(source.stored), "num", (source) => -source.stored],
      ["Could not be read", (source) => h("span", { class: source.rejected ? "warn" : "" }, number(source.rejected)), "num", (source) => -source.rejected],
      ["Dropped", (source) => h("span", { class: source.dropped ? "warn" : "" }, number(source.dropped)), "num", (source) => -source.dropped],
      ["Why", (source) => Object.entries(source.reasons).map(([reason, n]) => `${reason} ${number(n)}`).join(", ") || h("span", { class: "faint" }, "–"), "wrap"],
    ], items, { sort: true }),
    h("p", { class: "faint" }, "Counted since this process began. What could not be read is kept in the dead letters."),
  ];
}

const number = (n) => Number(n).toLocaleString("en");
