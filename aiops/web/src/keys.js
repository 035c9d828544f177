/** Keys. A view adds its own for as long as it is shown; none is heard while one types. */

import { h } from "./dom.js";
import { dialog } from "./parts.js";

/** @type {{keys: Record<string, [string, (event: KeyboardEvent) => void]>}[]} */
const layers = [];

/** @returns {() => void} takes them away again */
export function bind(keys) {
  const layer = { keys };
  layers.push(layer);
  return () => layers.splice(layers.indexOf(layer), 1);
}

export function start() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    for (const { keys } of [...layers].reverse()) {
      const found = keys[event.key];
      if (!found) continue;
      if (event.key === "Enter" && event.target instanceof Element && event.target.closest("a, button, summary, [role=tab], [role=button]")) return;
      event.preventDefault();
      found[1](event);
      return;
    }
  });
}

function typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.closest("input, textarea, select, [role=listbox], .graph-canvas, .timeline-marks") !== null);
}

export function help() {
  const rows = layers.flatMap(({ keys }) => Object.entries(keys).map(([key, [text]]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, text))));
  dialog("Keys", [h("dl", { class: "keys" }, rows)]);
}
