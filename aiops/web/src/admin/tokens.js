/** Tokens: made here, shown once, ended here. */

import { at, get, post, remove } from "../api.js";
import { h } from "../dom.js";
import { button, choice, copyButton, dialog, field, table, toast, worker } from "../parts.js";
import { ago, stamp } from "../when.js";

const SCOPES = [
  ["ingest:write", "send alerts, samples, changes"],
  ["incidents:read", "read incidents and analyses"],
  ["incidents:write", "post and change incidents"],
  ["analysis:run", "run analyses, what-if"],
  ["topology:read", "read entities and topology"],
  ["topology:write", "import topology"],
  ["rules:write", "change rule packs"],
  ["admin", "everything, tokens too"],
];
const PRESETS = { "An engineer": ["incidents:read", "incidents:write", "analysis:run", "topology:read"], "A reader": ["incidents:read", "topology:read"], "A sender": ["ingest:write"] };
const LASTING = [["30", "30 days"], ["90", "90 days"], ["365", "a year"], ["", "for ever"]];
const DAY_MS = 86_400_000;

export async function tokens(again) {
  const { items } = await get("/tokens");
  const state = (token) => (token.revoked_at ? "revoked" : token.expires_at && Date.parse(token.expires_at) < Date.now() ? "expired" : "in use");
  const order = { "in use": 0, expired: 1, revoked: 2 };
  const rows = [...items].sort((a, b) => order[state(a)] - order[state(b)] || a.name.localeCompare(b.name));
  return [
    h("p", {}, button("New token", () => create(again), { class: "primary" })),
    table("Tokens", [
      ["Name", (token) => h("b", {}, token.name), "", (token) => token.name],
      ["Prefix", (token) => h("code", {}, token.prefix), "", (token) => token.prefix],
      ["May", (token) => token.scopes.join(", "), "wrap"],
      ["Made", (token) => stamp(token.created_at), "num", (token) => token.created_at],
      ["Last used", (token) => (token.last_used_at ? ago(token.last_used_at) : h("span", { class: "faint" }, "–")), "num", (token) => token.last_used_at ?? null],
      ["Expires", (token) => (token.expires_at ? stamp(token.expires_at) : "never"), "num", (token) => token.expires_at],
      ["", (token) => (state(token) === "in use" ? button("Revoke", () => revoke(token, again), { class: "small danger", "aria-label": `Revoke ${token.name}` }) : h("span", { class: "faint" }, state(token)))],
    ], rows, { sort: true }),
  ];
}

function create(again) {
  const name = h("input", { required: true, maxlength: "200", placeholder: "prometheus" });
  const lasting = choice(LASTING, "90");
  const boxes = SCOPES.map(([scope, text]) => h("label", { title: text }, h("input", { type: "checkbox", value: scope }), h("span", {}, h("code", {}, scope))));
  const set = (wanted) => {
    for (const label of boxes) label.firstChild.checked = wanted.includes(label.firstChild.value);
  };
  set(PRESETS["An engineer"]);
  const said = h("p", { class: "hint" });
  const box = dialog(
    "New token",
    [
      field("Name", name, "Who or what will use it."),
      h("fieldset", { class: "field" }, h("legend", {}, "It may"), h("div", { class: "kinds" }, Object.entries(PRESETS).map(([text, scopes]) => button(text, () => set(scopes), { class: "small" }))), h("div", { class: "options" }, boxes)),
      field("It lasts", lasting),
      said,
    ],
    [worker("Make the token", async () => {
      const scopes = boxes.map((label) => label.firstChild).filter((input) => input.checked).map((input) => input.value);
      if (!name.value.trim() || !scopes.length) {
        said.textContent = name.value.trim() ? "Choose at least one thing that it may do." : "Give it a name.";
        said.className = "hint warn";
        return;
      }
      const expires = lasting.value ? new Date(Date.now() + Number(lasting.value) * DAY_MS).toISOString() : null;
      const made = await post("/tokens", { name: name.value.trim(), scopes, expires_at: expires });
      box.close();
      await again();
      once(made);
    }, { class: "primary" })],
  );
  name.focus();
}

function once(made) {
  dialog(`The token ${made.name}`, [h("p", {}, "This is the only time that it is shown. Copy it now; a lost one is revoked and made anew."), h("div", { class: "code" }, h("pre", { class: "secret" }, made.token), copyButton(made.token, "the token"))]);
}

function revoke(token, again) {
  const box = dialog("Revoke the token", [h("p", {}, h("b", {}, token.name), " ", h("code", {}, token.prefix), " stops working at once. This cannot be undone.")], [worker("Revoke", async () => {
    await remove(at`/tokens/${token.prefix}`);
    box.close();
    toast(`${token.name} is revoked`);
    await again();
  }, { class: "danger" })]);
}
