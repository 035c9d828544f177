/** Who is told of incidents, and what could not be delivered. */

import { at, get, patch, post, remove } from "../api.js";
import { h } from "../dom.js";
import { absent, button, choice, copyButton, dialog, field, table, toast, worker } from "../parts.js";
import { ago, stamp } from "../when.js";

const EVENTS = ["created", "analyzed", "rerooted", "acknowledged", "resolved", "reopened", "merged", "split", "commented", "feedback", "updated", "alerts_added", "alerts_removed", "analysis_failed"];
const FORMATS = [["standard", "Standard Webhooks"], ["cloudevents", "CloudEvents 1.0"]];
const LETTERS = 100;

export async function webhooks(again) {
  let hooks;
  let letters;
  try {
    [hooks, letters] = await Promise.all([get("/webhooks"), get(`/webhooks:dead-letters?limit=${LETTERS}`)]);
  } catch (error) {
    if (error.status === 404 || error.absent) return absent("Telling others by webhook");
    throw error;
  }
  const named = new Map(hooks.items.map((hook) => [hook.id, hook.description || hook.url]));
  return [
    h("p", {}, button("New webhook", () => create(again), { class: "primary" })),
    table("Webhooks", [
      ["Address", (hook) => [hook.description && h("b", {}, hook.description, " "), h("span", { class: "mono" }, hook.url)], "wrap", (hook) => hook.url],
      ["Told of", (hook) => hook.events.map((name) => name.replace("incident.", "")).join(", ") || "everything", "wrap"],
      ["Format", (hook) => hook.format],
      ["State", (hook) => (hook.enabled ? h("span", { class: "status status-resolved" }, "on") : h("span", { class: "status status-open", title: hook.disabled_reason }, `off${hook.disabled_reason ? `: ${hook.disabled_reason}` : ""}`))],
      ["Made", (hook) => stamp(hook.created_at), "num", (hook) => hook.created_at],
      ["", (hook) => h("span", { class: "tools" }, worker("Test", () => tryOut(hook), { class: "small" }), button("Deliveries", () => deliveries(hook), { class: "small" }), worker(hook.enabled ? "Pause" : "Go on", async () => { await patch(at`/webhooks/${hook.id}`, { enabled: !hook.enabled }); await again(); }, { class: "small" }), button("Remove", () => drop(hook, again), { class: "small danger", "aria-label": `Remove ${hook.description || hook.url}` }))],
    ], hooks.items, { sort: true, none: "Nobody is told by webhook." }),
    h("h2", {}, "Undelivered"),
    table("Undelivered", [
      ["Since", (one) => ago(one.created_at), "num"],
      ["Webhook", (one) => named.get(one.webhook_id) ?? one.webhook_id, "wrap"],
      ["What", (one) => one.type],
      ["Tried", (one) => one.attempts, "num"],
      ["Why not", (one) => [one.status, one.error].filter(Boolean).join(" "), "wrap"],
      ["", (one) => worker("Send again", async () => { await post(`/webhooks:dead-letters/${encodeURIComponent(one.id)}:retry`); toast("It is tried again"); await again(); }, { class: "small" })],
    ], letters.items, { none: "Everything was delivered." }),
  ];
}

function create(again) {
  const url = h("input", { type: "url", placeholder: "https://chat.example.net/hooks/aiops" });
  const name = h("input", { maxlength: "512", placeholder: "chat of the night shift" });
  const format = choice(FORMATS, "standard");
  const boxes = EVENTS.map((event) => h("label", {}, h("input", { type: "checkbox", value: `incident.${event}` }), h("span", {}, event.replace("_", " "))));
  const box = dialog(
    "New webhook",
    [field("Address", url, "Deliveries are signed, and tried again for a while where nobody answers."), field("Description", name), h("fieldset", { class: "field" }, h("legend", {}, "Told of (none: everything)"), h("div", { class: "options" }, boxes)), field("Format", format)],
    [worker("Make it", async () => {
      const events = boxes.map((label) => label.firstChild).filter((input) => input.checked).map((input) => input.value);
      const made = await post("/webhooks", { url: url.value.trim(), description: name.value.trim(), events, format: format.value });
      box.close();
      await again();
      if (made.secret) dialog("The webhook's secret", [h("p", {}, "The receiver verifies signatures with it. It is shown this once."), h("div", { class: "code" }, h("pre", { class: "secret" }, made.secret), copyButton(made.secret, "the secret"))]);
    }, { class: "primary" })],
  );
  url.focus();
}

async function tryOut(hook) {
  const told = await post(at`/webhooks/${hook.id}/test`);
  if (told.state === "delivered") toast(`It answered ${told.status}`);
  else toast(`Not delivered: ${[told.status, told.error].filter(Boolean).join(" ")}`, "bad");
}

async function deliveries(hook) {
  const page = await get(at`/webhooks/${hook.id}/deliveries` + "?limit=50");
  dialog("Deliveries", [
    table("Deliveries", [
      ["When", (one) => stamp(one.created_at), "num"],
      ["What", (one) => one.type],
      ["State", (one) => one.state],
      ["Tried", (one) => one.attempts, "num"],
      ["Answer", (one) => [one.status, one.error].filter(Boolean).join(" "), "wrap"],
    ], page.items, { none: "Nothing was told yet." }),
  ]);
}

function drop(hook, again) {
  const box = dialog("Remove the webhook", [h("p", {}, h("b", {}, hook.description || hook.url), " is told nothing more; what waits for it goes.")], [worker("Remove", async () => {
    await remove(at`/webhooks/${hook.id}`);
    box.close();
    toast("Removed");
    await again();
  }, { class: "danger" })]);
}
