/** The rule packs in use, each rule with what it is for. */

import { at, get, remove } from "../api.js";
import { h } from "../dom.js";
import { button, dialog, table, toast, worker } from "../parts.js";
import { count, plain } from "../words.js";
import { editPack } from "./pack_editor.js";

export async function rules(again) {
  const state = await get("/rules");
  return [
    state.refused && h("div", { class: "notice bad" }, h("strong", {}, "The newest rules were refused; the ones before are in use. "), String(state.refused)),
    h("p", { class: "faint" }, "Version ", h("code", {}, state.version), ". Also by ", h("code", {}, "aiops rules push"), ", or with the server's own settings by ", h("code", {}, "AIOPS_RULES"), "."),
    h("p", {}, button("Add a pack", () => editPack(again), { class: "primary" })),
    state.packs.map((pack, index) =>
      h(
        "details",
        { class: "pack", open: index === 0 },
        h("summary", {}, h("b", {}, pack.name), ` ${pack.version ?? ""} · ${count(pack.rules.length, "rule")}`, pack.editable && " · your own"),
        pack.description && h("p", {}, pack.description),
        pack.editable && h("p", {}, worker("Edit", async () => editPack(again, { name: pack.name, text: await source(pack) }), { class: "small", "aria-label": `Edit ${pack.name}` }), " ", button("Remove", () => drop(pack, again), { class: "small danger", "aria-label": `Remove ${pack.name}` })),
        table(pack.name, [
          ["Rule", (rule) => h("code", {}, rule.id ?? rule.name ?? "")],
          ["What", (rule) => rule.title ?? rule.description ?? rule.summary ?? "", "wrap"],
          ["Kind of fault", (rule) => plain(rule.fault ?? rule.kind ?? rule.concludes ?? "")],
          ["Weight", (rule) => rule.weight ?? rule.strength ?? "", "num"],
        ], pack.rules),
      ),
    ),
  ];
}

const source = (pack) => get(at`/rules/${pack.name}`, { as: "text", headers: { Accept: "application/yaml" } });

function drop(pack, again) {
  const box = dialog("Remove the rule pack", [h("p", {}, "Analyses from now on do without ", h("b", {}, pack.name), ". Those that are kept stay as they are.")], [worker("Remove", async () => {
    await remove(at`/rules/${pack.name}`);
    box.close();
    toast(`${pack.name} is gone`);
    await again();
  }, { class: "danger" })]);
}
