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
  const number = numbers.get(id) ?? id;
  return h("button", { type: "button", class: "cite", title: id, "aria-label": `Show evidence ${number}`, on: { click: () => cite(id) } }, number);
}

/** Ids are long; a reader sees the number under which a thing is cited in this answer. */
let numbers = new Map();

export const numberOf = (id) => numbers.get(id) ?? id;

/** Everything that is cited, by id: the answer's own list, and what the causes bring. */
export function cited(analysis) {
  const known = new Map();
  for (const item of analysis.evidence ?? []) known.set(item.id, item);
  for (const cause of analysis.causes) for (const item of cause.evidence ?? []) known.set(item.id, { ...item, ...known.get(item.id) });
  numbers = new Map([...known.keys()].map((id, index) => [id, String(index + 1)]));
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

/** What kind of thing an entity is, as far as the answer says it. */
export function kindsIn(analysis) {
  const named = [...analysis.causes, ...(analysis.ruled_out ?? [])].map((one) => one.entity);
  return new Map(named.filter((entity) => entity.type).map((entity) => [entity.id, entity.type]));
}
