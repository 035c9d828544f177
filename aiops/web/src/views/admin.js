/** The workings: who sends, what nobody could match, rules, tokens, maintenance, webhooks, who did what. */

import { fillWith, h } from "../dom.js";
import { failure, loading } from "../parts.js";
import { audit } from "../admin/audit.js";
import { maintenance } from "../admin/maintenance.js";
import { rules } from "../admin/rules.js";
import { sources } from "../admin/sources.js";
import { system } from "../admin/system.js";
import { tokens } from "../admin/tokens.js";
import { unmatched } from "../admin/unmatched.js";
import { webhooks } from "../admin/webhooks.js";

const SECTIONS = [
  ["sources", "Sources", "What comes in from whom, when it last came, and what could not be read.", sources],
  ["unmatched", "Unmatched", "Names that alerts and lines use and that nobody could find in the topology. Give them as aliases, or import what is missing.", unmatched],
  ["rules", "Rules", "The rule packs that turn signs into suspects and say what to do.", rules],
  ["maintenance", "Maintenance", "What is in a window is never the answer without saying so, and its alerts open nothing.", maintenance],
  ["tokens", "Tokens", "Who may ask, and for what.", tokens],
  ["webhooks", "Webhooks", "Who is told of incidents, and what could not be delivered.", webhooks],
  ["audit", "Audit", "Who did what, and who was refused.", audit],
  ["system", "System", "Version, health, and how much is held.", system],
];

export async function adminView(main, [name]) {
  const [id, title, about, show] = SECTIONS.find(([one]) => one === name) ?? SECTIONS[0];
  document.title = `${title} · aiops`;
  const body = h("div", { class: "admin-body" }, loading());
  fillWith(
    main,
    h(
      "div",
      { class: "admin" },
      h("nav", { class: "admin-nav", "aria-label": "Administration" }, SECTIONS.map(([one, text]) => h("a", { href: `/admin/${one}`, "aria-current": one === id ? "page" : null }, text))),
      h("section", { "aria-label": title }, h("h1", {}, title), h("p", { class: "faint about" }, about), body),
    ),
  );
  const again = async () => {
    try {
      fillWith(body, await show(again));
    } catch (error) {
      if (error.name !== "AbortError") fillWith(body, failure(error, again));
    }
  };
  await again();
}
