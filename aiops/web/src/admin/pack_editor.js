/** A site's own rule pack: pasted or read from a file, checked, tried on past incidents, and put to use. */

import { ask, post } from "../api.js";
import { fillWith, h } from "../dom.js";
import { dialog, field, table, toast, worker } from "../parts.js";
import { entityLink, nameOf, percent } from "../words.js";

const YAML = "application/yaml";
const MOST_BYTES = 1_048_576;
const EXAMPLE = `pack:
  name: site
  version: 1.0.0
  description: What only we know.
rules:
  - id: SITE-...`;

/**
 * @param {() => Promise<void>} again draws the packs anew
 * @param {{name: string, text: string} | null} [pack] one that is changed
 */
export function editPack(again, pack = null) {
  const text = h("textarea", { class: "mono", rows: "14", spellcheck: "false", autocapitalize: "off", placeholder: EXAMPLE });
  text.value = pack?.text ?? "";
  const file = h("input", { type: "file", accept: ".yaml,.yml,application/yaml,text/yaml" });
  const found = h("div", { class: "findings", "aria-live": "polite" });
  file.addEventListener("change", async () => {
    const [one] = file.files;
    if (!one) return;
    if (one.size > MOST_BYTES) {
      fillWith(found, h("p", { class: "warn" }, `${one.name} has ${one.size.toLocaleString("en")} bytes; a pack has at most ${MOST_BYTES.toLocaleString("en")}.`));
      return;
    }
    text.value = await one.text();
    await check();
  });

  /** Whether the pack could be used; shows what is wrong or odd. */
  async function check() {
    if (!text.value.trim()) {
      fillWith(found, h("p", { class: "warn" }, "Paste a pack, or choose a file."));
      text.focus();
      return false;
    }
    const { ok, findings } = await post("/rules:validate", text.value, { type: YAML });
    fillWith(found, verdict(ok, findings), findings.length > 0 && findingsTable(findings, (line) => show(text, line)));
    return ok;
  }

  const box = dialog(
    pack ? `Rule pack ${pack.name}` : "Add a rule pack",
    [
      h("p", { class: "faint" }, "YAML, as ", h("code", {}, "aiops rules lint"), " checks it. One of the same name is replaced; it is used from the next analysis on."),
      field("From a file", file),
      field("The pack", text),
      found,
    ],
    [
      worker("Check", check),
      worker("Try on past incidents", async () => {
        if (await check()) found.append(...backtest(await post("/rules:backtest", text.value, { type: YAML })));
      }),
      worker("Use it", async () => {
        if (!(await check())) return;
        const kept = await ask("PUT", "/rules", { body: text.value, type: YAML });
        box.close();
        toast(`${kept.pack} is used from the next analysis on`);
        await again();
      }, { class: "primary" }),
    ],
  );
  box.classList.add("wide");
  text.focus();
}

function verdict(ok, findings) {
  if (!ok) return h("p", { class: "warn" }, "It cannot be used as it is.");
  return h("p", {}, h("b", {}, findings.length ? "It can be used; this is odd about it:" : "It can be used; nothing is odd about it."));
}

function findingsTable(findings, jump) {
  return table("What was found", [
    ["How bad", (one) => h("span", { class: one.severity === "error" ? "warn" : "faint" }, one.severity)],
    ["Line", (one) => (one.line ? h("button", { type: "button", class: "small plain", "aria-label": `Go to line ${one.line}`, on: { click: () => jump(one.line) } }, one.line) : "–"), "num"],
    ["Rule", (one) => one.rule ?? "–"],
    ["What", (one) => one.detail, "wrap"],
  ], findings);
}

/** Chooses a line of the text, counted from 1. */
function show(text, line) {
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
}

/** Where the confirmed cause ranked before, and where it would rank. */
function backtest(tried) {
  if (!tried.incidents) return [h("p", { class: "faint" }, "No resolved incident has a confirmed cause yet to try it on: confirm causes and resolve, and they count here.")];
  const moved = tried.items.filter((one) => one.rank_before !== one.rank_after);
  return [
    h("p", {}, h("b", {}, `The confirmed cause is first in ${percent(tried.ac1_after)} of ${tried.incidents}, ${tried.ac1_before === tried.ac1_after ? "as before" : `instead of ${percent(tried.ac1_before)}`}`), `: ${tried.better} better, ${tried.worse} worse.`),
    table("What moves", [
      ["Incident", (one) => h("a", { href: `/incidents/${encodeURIComponent(one.incident_id)}` }, one.incident_id)],
      ["Its cause", (one) => entityLink({ id: one.cause, name: nameOf(one.cause) })],
      ["Rank", (one) => `${one.rank_before ?? "–"} → ${one.rank_after ?? "–"}`, "num"],
    ], moved, { none: "No rank moves." }),
  ];
}
