/** A text box that suggests entities while one types (ARIA's combobox with a list box). */

import { get, query } from "./api.js";
import { debounce, fillWith, freshId, h } from "./dom.js";
import { kindIcon } from "./words.js";

const WAIT_MS = 150;
const MOST = 12;

/**
 * @param {{label: string, placeholder?: string, chosen: (entity: any) => void, known?: any[], keep?: boolean}} how
 *   `known` are offered before anything is typed; `keep` leaves the name in the box
 * @returns {{element: HTMLElement, input: HTMLInputElement}}
 */
export function suggest(how) {
  const id = freshId("suggest");
  let found = [];
  let marked = -1;
  let asked = 0;
  const list = h("ul", { class: "suggestions", id: `${id}-list`, role: "listbox", "aria-label": how.label, hidden: true });
  const input = h("input", {
    type: "text",
    role: "combobox",
    "aria-label": how.label,
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": `${id}-list`,
    autocomplete: "off",
    spellcheck: "false",
    placeholder: how.placeholder ?? "Name, address or id",
    on: { input: debounce(look, WAIT_MS), keydown: press, blur: () => setTimeout(close, 150), focus: () => input.value || offer(how.known ?? []) },
  });

  async function look() {
    const text = input.value.trim();
    if (!text) return offer(how.known ?? []);
    asked += 1;
    const mine = asked;
    try {
      const answer = await get(`/entities${query({ q: text, limit: MOST })}`);
      if (mine === asked) offer(answer.items, text);
    } catch (error) {
      if (mine === asked) offer([], text, error.line ?? error.message);
    }
    return undefined;
  }

  function offer(items, text = "", trouble = "") {
    found = items.slice(0, MOST);
    marked = -1;
    const rows = found.map((entity, index) =>
      h(
        "li",
        { id: `${id}-${index}`, role: "option", "aria-selected": "false", on: { mousedown: (event) => event.preventDefault(), click: () => take(entity) } },
        kindIcon(entity.kind),
        h("span", { class: "what" }, entity.name || entity.id),
        h("span", { class: "faint" }, entity.kind ?? "", " ", entity.id === entity.name ? "" : entity.id),
      ),
    );
    if (!rows.length && text) rows.push(h("li", { class: "faint", role: "option", "aria-disabled": "true", "aria-selected": "false" }, trouble || `No entity is called "${text}".`));
    fillWith(list, rows);
    list.hidden = rows.length === 0;
    input.setAttribute("aria-expanded", String(rows.length > 0));
    input.removeAttribute("aria-activedescendant");
  }

  function press(event) {
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (event.key === "Enter") {
      const entity = found[marked] ?? (found.length === 1 ? found[0] : found.find((one) => one.id === input.value.trim()));
      if (entity) {
        event.preventDefault();
        take(entity);
      }
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!found.length) return;
      marked = (marked + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length;
      [...list.children].forEach((row, index) => row.setAttribute("aria-selected", String(index === marked)));
      list.children[marked].scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", `${id}-${marked}`);
    }
  }

  function take(entity) {
    input.value = how.keep ? entity.id : "";
    close();
    how.chosen(entity);
  }

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  return { element: h("div", { class: "suggest" }, input, list), input };
}
