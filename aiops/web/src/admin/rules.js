/** The rule packs in use, each rule with what it is for. */

import { at, get, remove } from "../api.js";
import { h } from "../dom.js";
import { button, copyText, dialog, table, toast, worker } from "../parts.js";
import { plain } from "../words.js";

export async function rules(again) {
  const state = await get("/rules");
  return [
    state.refused && h("div", { class: "notice bad" }, h("strong", {}, "The newest rules were refused; the ones before are in use. "), String(state.refused)),
    h("p", { class: "faint" }, "Version ", h("code", {}, state.version), ". Packs are added with ", h("code", {}, "PUT /api/v1/rules"), " or ", h("code", {}, "AIOPS_RULES"), "."),
    state.packs.map((pack, index) =>
      h(
        "details",
        { class: "pack", open: index === 0 },
        h("summary", {}, h("b", {}, pack.name), ` ${pack.version ?? ""} · ${pack.rules.length} rules`, pack.editable && " · from the API"),
        pack.description && h("p", {}, pack.description),
        pack.editable && h("p", {}, button("Show the source", async () => copyText(await get(at`/rules/${pack.name}`, { as: "text", headers: { Accept: "application/yaml" } }), "the pack's YAML"), { class: "small" }), " ", button("Remove", () => drop(pack, again), { class: "small danger" })),
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

function drop(pack, again) {
  const box = dialog("Remove the rule pack", [h("p", {}, "Analyses from now on do without ", h("b", {}, pack.name), ". Those that are kept stay as they are.")], [worker("Remove", async () => {
    await remove(at`/rules/${pack.name}`);
    box.close();
    toast(`${pack.name} is gone`);
    await again();
  }, { class: "danger" })]);
}
