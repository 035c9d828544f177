/** What stands above the answer: which incident this is, since when, whose, and about whom. */

import { fillWith, h } from "../dom.js";
import { age, stamp } from "../when.js";
import { entityLink, nameOf, reportedBy, severity, status } from "../words.js";

const SHOWN = 5;

/**
 * @param {any} one the incident
 * @param {{tools: any[], owner: HTMLElement | null, affected: HTMLElement, running: HTMLElement}} parts
 */
export function headOf(one, parts) {
  return [
    h("p", { class: "crumbs" }, h("a", { href: "/incidents" }, "Incidents"), " / ", reportedBy(one.source, one.external_id), parts.running),
    h("div", { class: "head-line" }, h("h1", {}, one.title), h("div", { class: "head-tools" }, parts.tools)),
    h(
      "p",
      { class: "head-facts" },
      severity(one.severity),
      status(one.status),
      h("span", {}, "began ", stamp(one.started_at), one.ended_at ? [", ended ", stamp(one.ended_at, one.started_at), ", lasted "] : ", open for ", age(one.started_at, one.ended_at)),
      h("span", {}, one.owner ? ["owner ", h("b", {}, one.owner)] : h("span", { class: "faint" }, "nobody has taken it"), " ", parts.owner),
      one.merged_into && h("span", {}, "merged into ", h("a", { href: `/incidents/${encodeURIComponent(one.merged_into)}` }, one.merged_into)),
      parts.affected,
    ),
    one.description && one.description !== one.title && h("p", { class: "head-description" }, one.description),
  ];
}

/** Whom it is about; filled again when the graph has told what they are. */
export function fillAbout(place, view) {
  const ids = view.incident.affected;
  const links = ids.slice(0, SHOWN).map((id) => entityLink({ id, name: view.names.get(id) ?? nameOf(id), kind: view.kinds.get(id) }));
  fillWith(place, links, ids.length > SHOWN && h("span", { class: "faint" }, `and ${ids.length - SHOWN} more`));
}
