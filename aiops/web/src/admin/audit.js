/** Who did what, and who was refused. */

import { get, query } from "../api.js";
import { fillWith, h } from "../dom.js";
import { button, choice, failure, loading, table } from "../parts.js";
import { stamp } from "../when.js";

const KINDS = [["", "everything"], ["write", "changes"], ["delivery", "deliveries"], ["refused", "refusals"]];

export async function audit() {
  const state = { kind: "", cursors: [""], items: [] };
  const body = h("div");
  const pick = choice(KINDS, "", { "aria-label": "Which entries", on: { change: (event) => { state.kind = event.target.value; state.items = []; load(""); } } });

  async function load(cursor) {
    if (!cursor) fillWith(body, loading());
    try {
      const page = await get(`/audit${query({ kind: state.kind, limit: 100, cursor })}`);
      state.items.push(...page.items);
      fillWith(body, show(state.items), page.next_cursor && h("p", { class: "more" }, button("Show more", () => load(page.next_cursor))));
    } catch (error) {
      fillWith(body, failure(error, () => load(cursor)));
    }
  }

  load("");
  return [h("div", { class: "bar" }, pick), body];
}

function show(items) {
  return table("Audit", [
    ["When", (one) => stamp(one.at), "num"],
    ["Who", (one) => (one.actor ? [h("b", {}, one.actor), h("span", { class: "faint" }, ` ${one.token}`)] : h("span", { class: "faint" }, "no valid token"))],
    ["From", (one) => h("span", { class: "mono" }, one.peer)],
    ["What", (one) => h("code", {}, `${one.method} ${one.route}`), "wrap"],
    ["Answer", (one) => h("span", { class: one.status >= 400 ? "warn" : "" }, one.status, one.reason && ` ${one.reason}`)],
    ["Times", (one) => one.times, "num"],
    ["Ids", (one) => h("span", { class: "mono" }, (one.ids ?? []).slice(0, 3).join(" ")), "wrap"],
  ], items, { none: "Nothing was written down." });
}
