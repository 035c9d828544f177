/** Windows of maintenance: who is in one, who will be. */

import { at, get, post, remove } from "../api.js";
import { fillWith, h } from "../dom.js";
import { button, dialog, field, table, toast, worker } from "../parts.js";
import { suggest } from "../suggest.js";
import { fromInput, stamp, toInput } from "../when.js";
import { entityLink, nameOf } from "../words.js";

const HOUR_MS = 3_600_000;

export async function maintenance(again) {
  const { items } = await get("/maintenance?state=all");
  const order = { active: 0, upcoming: 1, over: 2 };
  const rows = [...items].sort((a, b) => order[a.state] - order[b.state] || Date.parse(b.starts_at) - Date.parse(a.starts_at));
  return [
    h("p", {}, button("New window", () => create(again), { class: "primary" })),
    table("Maintenance", [
      ["State", (one) => h("span", { class: `status ${one.state === "active" ? "status-acknowledged" : ""}` }, one.state), "", (one) => order[one.state]],
      ["Title", (one) => h("b", {}, one.title), "wrap", (one) => one.title],
      ["Entities", (one) => one.entities.slice(0, 6).map((id, index) => [index > 0 && ", ", entityLink({ id, name: nameOf(id) })]), "wrap"],
      ["From", (one) => stamp(one.starts_at), "num", (one) => one.starts_at],
      ["Until", (one) => (one.ends_at ? stamp(one.ends_at) : "open"), "num", (one) => one.ends_at],
      ["By", (one) => [one.author || one.source, one.reason && h("span", { class: "faint" }, ` ${one.reason}`)], "wrap"],
      ["", (one) => one.state !== "over" && one.editable !== false && button(one.state === "active" ? "End now" : "Cancel", () => end(one, again), { class: "small" })],
    ], rows, { sort: true, none: "No window began within the last 90 days, and none is announced." }),
  ];
}

function create(again) {
  const entities = new Map();
  const chosen = h("ul", { class: "assumed" });
  const title = h("input", { maxlength: "500", placeholder: "Firmware of the access switches" });
  const reason = h("input", { maxlength: "500", placeholder: "CHG-1234" });
  const starts = h("input", { type: "datetime-local", value: toInput(Date.now()) });
  const ends = h("input", { type: "datetime-local", value: toInput(Date.now() + HOUR_MS) });
  const said = h("p", { class: "hint", role: "status" });
  const search = suggest({ label: "Entities", chosen: (entity) => { entities.set(entity.id, entity); draw(); } });
  const draw = () => fillWith(chosen, [...entities.values()].map((entity) => h("li", {}, entityLink(entity, { kind: entity.kind }), button("×", () => { entities.delete(entity.id); draw(); }, { class: "plain small", "aria-label": `Remove ${entity.name}` }))));
  const box = dialog(
    "New maintenance window",
    [field("Title", title), h("div", { class: "field" }, h("b", {}, "Entities"), search.element, chosen), field("From (UTC)", starts), field("Until (UTC)", ends), field("Reason", reason), said],
    [worker("Announce", async () => {
      const [from, until] = [fromInput(starts.value), fromInput(ends.value)];
      const wrong = !title.value.trim() ? "Give it a title." : !entities.size ? "Choose at least one entity." : !until || (from && until <= from) ? "It must end after it begins." : "";
      said.textContent = wrong;
      said.className = wrong ? "hint warn" : "hint";
      if (wrong) return;
      await post("/maintenance", { title: title.value.trim(), entities: [...entities.keys()], starts_at: from, ends_at: until, ...(reason.value.trim() ? { reason: reason.value.trim() } : {}) });
      box.close();
      toast("Announced");
      await again();
    }, { class: "primary" })],
  );
  title.focus();
}

function end(one, again) {
  const box = dialog("End the window", [h("p", {}, h("b", {}, one.title), one.state === "active" ? " ends now; alerts of its entities count again." : " will not begin.")], [worker("End it", async () => {
    await remove(at`/maintenance/${one.id}`);
    box.close();
    toast("Ended");
    await again();
  }, { class: "primary" })]);
}
