/** What an engineer does with an incident: take it, close it, judge the answer, say something. */

import { at, get, post } from "../api.js";
import { h } from "../dom.js";
import { button, choice, copyText, dialog, field, toast, worker } from "../parts.js";
import { suggest } from "../suggest.js";
import { plain } from "../words.js";

const VERDICTS = [["wrong", "Wrong: it is something else"], ["partial", "Partly right"], ["unknown", "We never found out"]];

/**
 * The buttons that stand at the top. `done` loads the incident anew; `tag` gives its entity tag.
 * @param {any} incident
 * @param {{done: () => Promise<void>, tag: () => string | null}} how
 */
export function statusButtons(incident, how) {
  const act = (route, said, body = {}) => async () => {
    const tag = how.tag();
    try {
      await post(at`/incidents/${incident.id}/${route}`, body, tag ? { headers: { "If-Match": tag } } : {});
      toast(said);
    } finally {
      await how.done();
    }
  };
  return [
    incident.status === "open" && worker("Acknowledge", act("ack", "Acknowledged: it is yours"), { class: "primary", data: { act: "acknowledge" } }),
    incident.status !== "resolved" && button("Resolve", () => resolve(act), { data: { act: "resolve" } }),
    incident.status !== "open" && worker("Reopen", act("reopen", "Reopened"), { data: { act: "reopen" } }),
  ];
}

/** What fixed it is asked once, when somebody still knows; it may stay empty. */
function resolve(act) {
  const fixed = h("input", { maxlength: "16000", placeholder: "Optic replaced" });
  const send = worker("Resolve", async () => {
    box.close();
    const said = fixed.value.trim();
    await act("resolve", "Resolved", said ? { resolution: said } : {})();
  }, { class: "primary" });
  const box = dialog("Resolve the incident", [field("What fixed it (may stay empty)", fixed, "Shown beside similar incidents later.")], [send]);
  fixed.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // or the key would press the button that has the focus once this box is closed
    send.click();
  });
  fixed.focus();
}

/** A new analysis with what is known now. */
export async function rerun(incident) {
  const made = await post(at`/incidents/${incident.id}/analyses` + "?wait=30s", {});
  toast(made.number ? `Analysis ${made.number} is done` : "The analysis is still running; it will show here");
}

export async function copyMarkdown(incident, number) {
  const text = await get(at`/incidents/${incident.id}/analyses/${number}` + "?format=markdown", { as: "text", headers: { Accept: "text/markdown" } });
  await copyText(text, "Markdown");
}

/** The named cause was the true one: the knowledge that makes the next answer better. */
export function confirmCause(incident, analysis, cause, done) {
  const kind = h("input", { value: cause.kind ?? "", spellcheck: "false" });
  const fixed = h("textarea", { rows: "2", maxlength: "16000", placeholder: "Optic replaced" });
  const comment = h("textarea", { rows: "2", maxlength: "16000" });
  const box = dialog(
    "Confirm the cause",
    [h("p", {}, h("b", {}, cause.entity.name), h("span", { class: "faint" }, ` ${cause.entity.type} ${cause.entity.id}`)), field("Kind of fault", kind), field("What fixed it", fixed, "Shown with similar incidents later."), field("Comment", comment)],
    [worker("Confirm", async () => {
      await judge(incident, { analysis: analysis.number, verdict: "correct", root_cause: { entity: cause.entity.id, kind: kind.value.trim() || null }, labels: { causal: [cause.entity.id], non_causal: [] }, comment: comment.value.trim(), resolution: fixed.value.trim() });
      box.close();
      toast("Confirmed. Similar incidents will show it.");
      await done();
    }, { class: "primary" })],
  );
  fixed.focus();
}

/** The named cause was not the true one. */
export function markWrong(incident, analysis, cause, done) {
  let found = null;
  const named = h("p", { class: "faint" }, "Not said.");
  const verdict = choice(VERDICTS, "wrong");
  const search = suggest({
    label: "What it really was",
    placeholder: "Name, if it is known",
    chosen: (entity) => {
      found = entity;
      named.textContent = `${entity.name || entity.id} (${entity.kind} ${entity.id})`;
    },
  });
  const kind = h("input", { spellcheck: "false", placeholder: "disk_full" });
  const comment = h("textarea", { rows: "3", maxlength: "16000" });
  const box = dialog(
    "The answer was wrong",
    [
      h("p", {}, "The answer named ", h("b", {}, cause?.entity.name ?? "no cause"), "."),
      field("How wrong", verdict),
      h("div", { class: "field" }, h("b", {}, "What it really was"), search.element, named),
      field("Kind of fault", kind),
      field("Comment", comment, "What gave it away? It is read with similar incidents."),
    ],
    [worker("Save", async () => {
      await judge(incident, {
        analysis: analysis.number,
        verdict: verdict.value,
        root_cause: found ? { entity: found.id, kind: kind.value.trim() || null } : null,
        labels: { causal: found ? [found.id] : [], non_causal: verdict.value === "wrong" && cause ? [cause.entity.id] : [] },
        comment: comment.value.trim(),
      });
      box.close();
      toast("Noted. Thank you.");
      await done();
    }, { class: "primary" })],
  );
  verdict.focus();
}

async function judge(incident, said) {
  const given = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== null && value !== ""));
  if (given.root_cause && given.root_cause.kind === null) delete given.root_cause.kind;
  await post(at`/incidents/${incident.id}/feedback`, given);
}

/** A word for those who come next. */
export function commentForm(incident, done) {
  const text = h("textarea", { rows: "2", maxlength: "16000", "aria-label": "Comment", placeholder: "What did you see, what did you try?" });
  return h(
    "form",
    { class: "comment", on: { submit: (event) => event.preventDefault() } },
    text,
    worker("Comment", async () => {
      if (!text.value.trim()) return;
      await post(at`/incidents/${incident.id}/comment`, { comment: text.value.trim() });
      text.value = "";
      await done();
    }),
  );
}

/** What happened to the incident, newest first. */
export function activityLine(activity) {
  const details = Object.entries(activity.details ?? {}).map(([name, value]) => `${plain(name)} ${value}`).join(", ");
  return [h("b", {}, activity.actor), ` ${plain(activity.kind)}`, activity.text && h("span", { class: "activity-text" }, activity.text), details && h("span", { class: "faint" }, ` ${details}`)];
}
