/** The answer in a glance: the verdict, three boxes, and what to do first. */

import { h } from "../dom.js";
import { copyButton } from "../parts.js";
import { stamp } from "../when.js";
import { count, kindIcon, nameOf, percent, plain } from "../words.js";
import { sentence } from "./citations.js";

/** A box says so much at a glance; the rest is a press away. */
const GLANCE = 240;

export function banner(analysis, incident, tools) {
  const first = analysis.causes[0];
  const explains = first?.explains;
  return h(
    "section",
    { class: `banner verdict-is-${analysis.verdict}`, "aria-label": "Verdict" },
    h(
      "div",
      { class: "banner-words" },
      h(
        "p",
        { class: "banner-line" },
        h("strong", { class: `verdict-word verdict-${analysis.verdict}` }, analysis.verdict),
        first && h("span", { class: "banner-figure", title: analysis.confidence_words || null }, percent(first.confidence)),
        explains && !/explains/.test(analysis.summary) && h("span", { class: "faint" }, `explains ${explains.count} of ${count(explains.of, "symptom")}`),
      ),
      h("p", { class: "banner-summary" }, shortened(analysis.summary)),
    ),
    h("div", { class: "banner-tools" }, tools, h("p", { class: "faint" }, analysis.number === null ? "what-if, not kept" : `analysis ${analysis.number}`, ", ", stamp(analysis.created_at, incident.started_at), `, ${analysis.duration_ms} ms`)),
  );
}

/** The summary without the verdict's word and figure, which stand above it. */
function shortened(summary) {
  return summary.replace(/^(CONFIRMED|LIKELY|INCONCLUSIVE)( \([^)]*\))?:\s*/, "");
}

export function boxes(analysis, cite, kinds) {
  const made = analysis.boxes ?? plainBoxes(analysis);
  if (!made) return null;
  const names = [["root_cause", "Root cause"], ["critical_failure", "First failure"], ["impact", "Impact"]];
  return h(
    "div",
    { class: "boxes" },
    names.map(([id, title]) => box(id, title, made[id], kinds, cite)),
    nextStep(analysis),
  );
}

function box(id, title, said, kinds, cite) {
  if (!said) return null;
  const kind = kinds.get(said.entity);
  const first = atAGlance(said.sentences);
  return h(
    "section",
    { class: `box box-${id}` },
    h("h2", {}, title, kind && kindIcon(kind)),
    said.name && h("p", { class: "box-title" }, said.name),
    said.sentences.slice(0, first).map((one) => sentence(one, cite)),
    said.sentences.length > first && h("details", {}, h("summary", {}, `${said.sentences.length - first} more`), said.sentences.slice(first).map((one) => sentence(one, cite))),
  );
}

/** How many sentences fit; one always does. */
function atAGlance(sentences) {
  let letters = 0;
  let fit = 0;
  for (const { text } of sentences) {
    letters += text.length;
    if (fit > 0 && letters > GLANCE) break;
    fit += 1;
  }
  return fit;
}

/** Where the answer brings no boxes: the same from its causes. */
function plainBoxes(analysis) {
  const cause = analysis.causes[0];
  if (!cause) return null;
  const failure = cause.critical_failure;
  const services = analysis.impact?.services ?? [];
  return {
    root_cause: { name: cause.entity.name, entity: cause.entity.id, sentences: (cause.statements ?? []).slice(0, 2) },
    critical_failure: failure && { name: nameOf(failure.entity), entity: failure.entity, sentences: [] },
    impact: { name: count(analysis.impact?.entities ?? 0, "entity", "entities"), sentences: services.length ? [{ text: `Services: ${services.slice(0, 5).join(", ")}${services.length > 5 ? ` and ${services.length - 5} more` : ""}`, evidence: [] }] : [] },
  };
}

function nextStep(analysis) {
  const action = (analysis.causes[0]?.actions ?? [])[0];
  if (!action) return null;
  return h("section", { class: "box box-next" }, h("h2", {}, "Do first"), h("p", { class: "box-title" }, action.title), action.command && h("div", { class: "command" }, h("code", {}, action.command), copyButton(action.command, "the command")), h("p", { class: "faint" }, risk(action), action.why ? `, ${action.why}` : ""));
}

export function risk(action) {
  return { safe: "safe: only looks", low: "low risk", medium: "some risk", high: "risky" }[action.risk] ?? `risk ${action.risk}`;
}

/** What one can do about a cause, safe looks first. */
export function actions(cause) {
  const list = cause.actions ?? [];
  if (!list.length) return h("p", { class: "faint none" }, "No rule knows what to do about this kind of fault.");
  return h(
    "ol",
    { class: "steps" },
    list.map((action) =>
      h(
        "li",
        {},
        h("h3", {}, action.title),
        action.command && h("div", { class: "command" }, h("code", {}, action.command), copyButton(action.command, "the command")),
        h("p", { class: "faint" }, [plain(action.type), risk(action), action.why].filter(Boolean).join(" · ")),
        action.undo && h("p", {}, h("b", {}, "Undo: "), action.undo),
        safeLink(action.runbook),
      ),
    ),
  );
}

/** Only addresses of the web become links: a runbook comes from outside. */
export function safeLink(address, text = "Runbook") {
  if (!address || !/^https?:\/\//i.test(address)) return address ? h("p", { class: "mono" }, address) : null;
  return h("p", {}, h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, `${text} ↗`));
}
