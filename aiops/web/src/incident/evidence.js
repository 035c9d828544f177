/** What speaks for and against a cause: lines as they came, values beside what was usual, each with its sign. */

import { fillWith, h } from "../dom.js";
import { button } from "../parts.js";
import { stamp } from "../when.js";
import { nameOf, plain } from "../words.js";
import { numberOf } from "./citations.js";
import { safeLink } from "./verdict.js";

const FIRST = 40;

/**
 * @param {{names: Map<string, string>, near: string}} how
 */
export function evidencePanel(how) {
  const state = { items: [], side: "all", all: false, lit: null };
  const bar = h("div", { class: "segments small-segments", role: "group", "aria-label": "Which evidence" });
  const list = h("ol", { class: "evidence" });
  const element = h("div", {}, bar, list);

  function sides() {
    const pro = state.items.filter((item) => item.supports === true).length;
    const contra = state.items.filter((item) => item.supports === false).length;
    return [["all", `All ${state.items.length}`], ["for", `For ${pro}`], ["against", `Against ${contra}`]];
  }

  function draw() {
    fillWith(bar, sides().map(([id, text]) => button(text, () => { state.side = id; draw(); }, { "aria-pressed": String(state.side === id) })));
    const kept = state.items.filter((item) => state.side === "all" || (state.side === "for" ? item.supports === true : item.supports === false));
    const shown = state.all ? kept : kept.slice(0, FIRST);
    fillWith(
      list,
      shown.length ? shown.map((item) => entry(item, how, item.id === state.lit)) : h("li", { class: "faint none" }, state.side === "against" ? "Nothing speaks against it." : "Nothing here."),
      shown.length < kept.length && h("li", {}, button(`Show all ${kept.length}`, () => { state.all = true; draw(); })),
    );
  }

  return {
    element,
    set(items) {
      state.items = [...items].sort((a, b) => Number(b.supports ?? 0) - Number(a.supports ?? 0) || (b.weight ?? 0) - (a.weight ?? 0));
      state.side = "all";
      state.all = false;
      state.lit = null;
      draw();
    },
    /** Bring one into view; true where it is here. */
    light(id) {
      if (!state.items.some((item) => item.id === id)) return false;
      state.lit = id;
      state.side = "all";
      state.all ||= state.items.findIndex((item) => item.id === id) >= FIRST;
      draw();
      const found = list.querySelector(".lit");
      found?.scrollIntoView({ block: "nearest" });
      found?.focus({ preventScroll: true });
      return true;
    },
  };
}

function entry(item, how, lit) {
  const sign = item.supports === true ? ["+", "for", "speaks for it"] : item.supports === false ? ["−", "against", "speaks against it"] : ["·", "neither", "says neither"];
  return h(
    "li",
    { class: `item ${sign[1]} ${lit ? "lit" : ""}`, tabindex: "-1", data: { evidence: item.id } },
    h("span", { class: "sign", title: sign[2] }, h("span", { "aria-hidden": "true" }, sign[0]), h("span", { class: "visually-hidden" }, sign[2])),
    h(
      "div",
      {},
      h("p", { class: "item-head" }, h("b", {}, plain(item.kind)), item.entity && h("a", { href: `/topology?entity=${encodeURIComponent(item.entity)}`, title: item.entity }, item.entity_name ?? how.names.get(item.entity) ?? nameOf(item.entity)), h("span", { class: "grow" }), item.at && stamp(item.at, how.near), h("span", { class: "faint num", title: item.id }, `#${numberOf(item.id)}`)),
      h("pre", { class: isVerbatim(item) ? "verbatim" : "said-text" }, item.text),
      value(item),
      (item.details ?? []).map((line) => h("p", { class: "faint" }, line)),
      h("p", { class: "item-foot faint" }, item.weight !== null && item.weight !== undefined && h("span", { class: "weight", title: `weight ${item.weight.toFixed(2)}` }, h("span", { vars: { "--part": Math.min(1, item.weight) } })), [item.source, item.severity, item.weight !== null && item.weight !== undefined && `weight ${item.weight.toFixed(2)}`].filter(Boolean).join(" · ")),
      safeLink(item.href, "Source"),
    ),
  );
}

const isVerbatim = (item) => ["log", "alert", "alarm", "event"].includes(item.kind);

function value(item) {
  if (item.value === null || item.value === undefined) return null;
  const shown = (number) => `${Number(number.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 6 })}${item.unit ? ` ${item.unit}` : ""}`;
  const usual = item.baseline;
  return h("p", { class: "value num" }, h("b", {}, shown(item.value)), usual !== null && usual !== undefined && [h("span", { class: "faint" }, " usually "), shown(usual), usual > 0 && item.value !== usual && h("span", { class: "faint" }, ` (× ${Number((item.value / usual).toPrecision(2)).toLocaleString("en")})`)]);
}
