/** Sentences and what they rest on. */

import { h } from "../dom.js";

/**
 * A sentence with a mark for each thing it cites; a press shows it.
 * @param {{text: string, evidence?: string[], verbatim?: string | null}} sentence
 */
export function sentence(sentence, cite) {
  return h("p", { class: "sentence" }, words(sentence), " ", (sentence.evidence ?? []).slice(0, 6).map((id) => mark(id, cite)), (sentence.evidence ?? []).length > 6 && h("span", { class: "faint" }, `+${sentence.evidence.length - 6}`));
}

/** The part that came from outside as it stands is set as such. */
function words({ text, verbatim }) {
  const at = verbatim ? text.indexOf(verbatim) : -1;
  if (at < 0) return text;
  return [text.slice(0, at), h("code", {}, verbatim), text.slice(at + verbatim.length)];
}

export function mark(id, cite) {
  return h("button", { type: "button", class: "cite", "aria-label": `Show evidence ${id}`, on: { click: () => cite(id) } }, id);
}

/** Everything that is cited, by id: the answer's own list, and what the causes bring. */
export function cited(analysis) {
  const known = new Map();
  for (const cause of analysis.causes) for (const item of cause.evidence ?? []) known.set(item.id, item);
  for (const item of analysis.evidence ?? []) known.set(item.id, { ...known.get(item.id), ...item });
  return known;
}

/** A name for an entity id, from whatever the answer says of it. */
export function namesIn(analysis) {
  const names = new Map();
  for (const item of analysis.evidence ?? []) {
    if (item.entity && item.entity_name) names.set(item.entity, item.entity_name);
    if (item.peer && item.peer_name) names.set(item.peer, item.peer_name);
  }
  for (const cause of [...analysis.causes, ...(analysis.ruled_out ?? []), ...(analysis.alternatives ?? [])]) names.set(cause.entity.id, cause.entity.name);
  return names;
}
