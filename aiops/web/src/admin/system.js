/** What runs, whether it is well, how much it holds. */

import { ask, get } from "../api.js";
import { h } from "../dom.js";
import { panel, table } from "../parts.js";
import { plain } from "../words.js";

export async function system() {
  const [version, ready, stats] = await Promise.all([get("//version"), readiness(), get("/stats")]);
  const rows = (group) => (Array.isArray(group) ? group : Object.entries(group)).map(([name, n]) => [h("dt", {}, plain(name)), h("dd", { class: "num" }, Number(n).toLocaleString("en"))]);
  return h(
    "div",
    { class: "explanation" },
    panel("What runs", h("dl", { class: "facts" }, Object.entries(version).map(([name, value]) => [h("dt", {}, name), h("dd", { class: "mono" }, value ?? "switched off")]))),
    panel("Health", table("Health", [["Part", ([name]) => name], ["State", ([, check]) => h("span", { class: check.ok ? "status status-resolved" : "status status-open" }, check.ok ? "well" : "not well")], ["Detail", ([, check]) => check.detail, "wrap"]], Object.entries(ready.checks))),
    panel("Held", h("dl", { class: "facts" }, rows(of(stats.graph, "")))),
    panel("Entities", h("dl", { class: "facts" }, rows(of(stats.graph, "entity:")))),
    panel("Relations", h("dl", { class: "facts" }, rows(of(stats.graph, "relation:")))),
    panel("Signals", h("dl", { class: "facts" }, rows(stats.signals))),
    panel("Bundled software", h("p", {}, h("a", { href: "/static/licences.txt", target: "_blank", rel: "noopener" }, "Licences of what this page is made of ↗"))),
  );
}

/** The counts whose names begin with `prefix`, without it; with none, those that have no prefix. */
function of(counts, prefix) {
  return Object.entries(counts).filter(([name]) => (prefix ? name.startsWith(prefix) : !name.includes(":"))).map(([name, n]) => [name.slice(prefix.length), n]);
}

/** Not ready is an answer too. */
async function readiness() {
  try {
    return await ask("GET", "//readyz");
  } catch (error) {
    if (error.problem?.checks) return error.problem;
    throw error;
  }
}
