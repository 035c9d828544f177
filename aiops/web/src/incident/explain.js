/** The whole answer in sentences, what was ruled out, what is missing. */

import { h } from "../dom.js";
import { panel } from "../parts.js";
import { entityLink, percent, plain } from "../words.js";
import { mark, sentence } from "./citations.js";

/** These stand above: in the banner, the boxes, the evidence and the timeline. */
const ABOVE = new Set(["verdict", "incident", "root_cause", "critical_failure", "impact", "evidence", "timeline"]);
const FIRST = 8;

export function explanation(analysis, cite) {
  const sections = analysis.sections ?? [];
  const covered = new Set(sections.map((section) => section.id));
  return h(
    "div",
    { class: "explanation" },
    sections.filter((section) => !ABOVE.has(section.id)).map((section) => part(section.title, said(section.sentences, cite))),
    !covered.has("alternatives") && alternatives(analysis, cite),
    !covered.has("ruled_out") && part("Ruled out", ruledOut(analysis, cite)),
    !covered.has("gaps") && part("Gaps", gaps(analysis)),
    !covered.has("would_raise") && (analysis.would_raise ?? []).length > 0 && part("What would make it surer", h("ul", { class: "dots" }, analysis.would_raise.map((text) => h("li", {}, text)))),
    part("How this was made", engine(analysis)),
  );
}

function said(sentences, cite) {
  const rest = sentences.slice(FIRST);
  return [sentences.slice(0, FIRST).map((one) => sentence(one, cite)), rest.length > 0 && h("details", {}, h("summary", {}, `${rest.length} more`), rest.map((one) => sentence(one, cite)))];
}

function part(title, body) {
  return body && panel(title, body, { look: "flat", level: "h3" });
}

function alternatives(analysis, cite) {
  const list = analysis.alternatives ?? [];
  if (!list.length) return null;
  return part("Alternatives", list.map((one) => h("p", { class: "sentence" }, entityLink(one.entity), ` ${percent(one.confidence)} `, one.text, " ", (one.evidence ?? []).slice(0, 4).map((id) => mark(id, cite)))));
}

function ruledOut(analysis, cite) {
  const list = analysis.ruled_out ?? [];
  if (!list.length) return null;
  return h("ul", {}, list.map((out) => h("li", { class: "sentence" }, entityLink(out.entity), ": ", out.reason, " ", (out.evidence ?? []).slice(0, 4).map((id) => mark(id, cite)))));
}

function gaps(analysis) {
  const list = analysis.gaps ?? [];
  return list.length ? h("ul", { class: "dots" }, list.map((text) => h("li", {}, text))) : h("p", { class: "faint" }, "Nothing that was looked for was missing.");
}

function engine(analysis) {
  const said = analysis.engine ?? {};
  const rows = Object.entries(said).filter(([, value]) => value !== null && typeof value !== "object");
  return h("dl", { class: "facts" }, rows.map(([name, value]) => [h("dt", {}, plain(name)), h("dd", { class: "mono" }, String(value))]));
}
