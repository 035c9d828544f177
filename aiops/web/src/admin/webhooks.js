/** Who is told of incidents, and what could not be delivered. */

import { at, get, post, remove } from "../api.js";
import { h } from "../dom.js";
import { absent, button, copyButton, dialog, failure, field, table, toast, worker } from "../parts.js";
import { ago, stamp } from "../when.js";

export async function webhooks(again) {
  let list;
  try {
    list = await get("/webhooks");
  } catch (error) {
    return error.absent ? absent("Telling others by webhook") : failure(error, again);
  }
  return [
    h("p", {}, button("New webhook", () => create(again), { class: "primary" })),
    table("Webhooks", [
      ["Name", (hook) => h("b", {}, hook.name ?? hook.id), "", (hook) => hook.name ?? hook.id],
      ["Address", (hook) => h("span", { class: "mono" }, hook.url), "wrap"],
      ["Told of", (hook) => (hook.events ?? hook.types ?? []).join(", ") || "everything", "wrap"],
      ["State", (hook) => (hook.enabled === false || hook.paused ? "paused" : (hook.state ?? "on"))],
      ["Last told", (hook) => (hook.last_delivered_at ? ago(hook.last_delivered_at) : h("span", { class: "faint" }, "–")), "num"],
      ["Last trouble", (hook) => hook.last_error ?? h("span", { class: "faint" }, "–"), "wrap"],
      ["", (hook) => [button("Undelivered", () => letters(hook, again), { class: "small" }), " ", button("Remove", () => drop(hook, again), { class: "small danger", "aria-label": `Remove ${hook.name ?? hook.url}` })]],
    ], list.items, { sort: true, none: "Nobody is told by webhook." }),
  ];
}

function create(again) {
  const url = h("input", { type: "url", placeholder: "https://chat.example.net/hooks/aiops" });
  const name = h("input", { maxlength: "200", placeholder: "chat" });
  const box = dialog("New webhook", [field("Name", name), field("Address", url, "Deliveries are signed (Standard Webhooks) and tried again for a while.")], [worker("Make it", async () => {
    const made = await post("/webhooks", { name: name.value.trim() || url.value.trim(), url: url.value.trim() });
    box.close();
    await again();
    if (made.secret) dialog("The webhook's secret", [h("p", {}, "The receiver verifies signatures with it. It is shown this once."), h("div", { class: "code" }, h("pre", { class: "secret" }, made.secret), copyButton(made.secret, "the secret"))]);
  }, { class: "primary" })]);
  name.focus();
}

async function letters(hook, again) {
  const page = await get(at`/webhooks/${hook.id}/dead-letters`);
  dialog("Undelivered", [table("Undelivered", [["When", (one) => stamp(one.at ?? one.created_at)], ["What", (one) => one.type ?? ""], ["Why", (one) => one.error ?? one.reason ?? "", "wrap"], ["", (one) => worker("Send again", async () => { await post(at`/webhooks/${hook.id}/dead-letters/${one.id}` + "/retry"); toast("Queued"); await again(); }, { class: "small" })]], page.items, { none: "Everything was delivered." })]);
}

function drop(hook, again) {
  const box = dialog("Remove the webhook", [h("p", {}, h("b", {}, hook.name ?? hook.url), " is told nothing more.")], [worker("Remove", async () => {
    await remove(at`/webhooks/${hook.id}`);
    box.close();
    toast("Removed");
    await again();
  }, { class: "danger" })]);
}
