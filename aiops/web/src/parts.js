/** What every view is made of: notices, buttons, dialogs, tabs, tables. */

import { ApiError } from "./api.js";
import { announce, append, fillWith, freshId, h } from "./dom.js";

/** A failure, said so that one knows what to do. */
export function failure(error, again = null) {
  if (error instanceof ApiError && error.absent) return absent();
  const title = error instanceof ApiError ? titleOf(error) : "This view failed";
  const id = error instanceof ApiError ? error.problem.request_id : null;
  return h(
    "div",
    { class: "notice bad", role: "alert" },
    h("strong", {}, title),
    h("p", {}, error instanceof ApiError ? error.line : `${error.message}. Reload the page; if it comes back, report it.`),
    id && h("p", { class: "faint" }, "Request ", h("code", {}, id)),
    again && button("Try again", again),
  );
}

function titleOf(error) {
  if (error.status === 0) return "The server cannot be reached";
  if (error.status === 401) return "The token was refused";
  if (error.status === 403) return `This token is too narrow${error.problem.scope ? `: it lacks the scope ${error.problem.scope}` : ""}`;
  if (error.status === 404) return "Not found";
  if (error.status === 412) return "Somebody else was faster";
  if (error.status === 422) return "This cannot be used as it is";
  if (error.status === 429 || error.status === 503) return "The server is busy or a store is away";
  return error.problem.title && error.problem.title !== "about:blank" ? error.problem.title : `The server answered ${error.status}`;
}

export function absent(what = "This") {
  return h("p", { class: "notice quiet" }, `${what} is not available on this server.`);
}

export function empty(title, ...more) {
  return h("div", { class: "empty" }, h("strong", {}, title), ...more);
}

export function loading(text = "Loading") {
  return h("p", { class: "loading", role: "status" }, h("span", { class: "spinner", "aria-hidden": "true" }), text);
}

export function button(text, onclick, given = {}) {
  return h("button", { type: "button", ...given, on: { click: onclick, ...given.on } }, text);
}

/** A button that says while it works that it does, and cannot be pressed twice. */
export function worker(text, work, given = {}) {
  const element = button(text, async () => {
    if (element.getAttribute("aria-disabled") === "true") return;
    element.setAttribute("aria-disabled", "true");
    element.classList.add("busy");
    try {
      await work();
    } catch (error) {
      if (error.name !== "AbortError") complain(element, error instanceof ApiError ? `${titleOf(error)}: ${error.line}` : String(error.message));
    } finally {
      element.removeAttribute("aria-disabled");
      element.classList.remove("busy");
    }
  }, given);
  return element;
}

/** Inside the box that is open, else at the edge of the screen: what a box hides helps nobody. */
function complain(element, text) {
  const place = element.closest("dialog")?.querySelector(".dialog-said");
  if (place) place.textContent = text;
  else toast(text, "bad");
}

/** A short word at the edge of the screen, read out too. */
export function toast(text, kind = "good") {
  const place = document.getElementById("toasts");
  if (!place) return;
  const element = h("div", { class: `toast ${kind}` }, h("span", {}, text), button("Dismiss", () => element.remove(), { class: "plain" }));
  place.append(element);
  if (kind !== "bad") setTimeout(() => element.remove(), 6000);
}

/** Text to the clipboard; where the browser forbids it, a box to copy from by hand. */
export async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    const area = h("textarea", { rows: "14", readonly: true, "aria-label": what });
    area.value = text;
    const box = dialog(`Copy ${what}`, [h("p", {}, "The browser does not let this page write to the clipboard here (it needs HTTPS or localhost). Copy it by hand:"), area]);
    area.select();
    return box;
  }
  return null;
}

export function copyButton(text, what) {
  return button("Copy", () => copyText(text, what), { class: "plain small", "aria-label": `Copy ${what}` });
}

/**
 * A modal box. `actions` stand at its foot; it closes by Escape, by Cancel and by `close`.
 * @returns {HTMLDialogElement & {closeBox: () => void}}
 */
export function dialog(title, body, actions = []) {
  const label = freshId("dialog");
  const before = document.activeElement;
  const box = h(
    "dialog",
    { "aria-labelledby": label },
    h("h2", { id: label }, title),
    h("div", { class: "dialog-body" }, body),
    h("p", { class: "dialog-said warn", role: "alert" }),
    h("div", { class: "dialog-foot" }, button(actions.length ? "Cancel" : "Close", () => box.close(), { class: "plain" }), actions),
  );
  box.addEventListener("close", () => {
    box.remove();
    if (before instanceof HTMLElement && before.isConnected) before.focus();
  });
  document.body.append(box);
  box.showModal();
  return box;
}

/** A labelled input; `hint` is read with it. */
export function field(label, input, hint = null) {
  const id = freshId("field");
  input.id = id;
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  return h("div", { class: "field" }, h("label", { for: id }, label), input, hint && h("p", { class: "hint", id: `${id}-hint` }, hint));
}

export function choice(options, value, given = {}) {
  return h(
    "select",
    given,
    options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)),
  );
}

/**
 * Tabs after the pattern of the ARIA guide: arrows move, the panel is filled when it is first shown.
 * @param {string} label
 * @param {{id: string, title: any, fill: (panel: HTMLElement) => void}[]} tabs
 * @param {{chosen?: string, change?: (id: string) => void}} [how]
 */
export function tabs(label, list, how = {}) {
  const base = freshId("tabs");
  const filled = new Set();
  const panel = h("div", { class: "tab-panel", role: "tabpanel", id: `${base}-panel`, tabindex: "0" });
  const buttons = list.map((tab) =>
    h("button", { type: "button", role: "tab", id: `${base}-${tab.id}`, "aria-controls": `${base}-panel`, on: { click: () => show(tab.id) } }, tab.title),
  );
  const bar = h("div", { class: "tab-bar", role: "tablist", "aria-label": label, on: { keydown: move } }, buttons);
  const panels = new Map();

  function show(id, focus = false) {
    const index = Math.max(0, list.findIndex((tab) => tab.id === id));
    buttons.forEach((element, at) => {
      element.setAttribute("aria-selected", String(at === index));
      element.tabIndex = at === index ? 0 : -1;
    });
    const tab = list[index];
    panel.setAttribute("aria-labelledby", buttons[index].id);
    if (!panels.has(tab.id)) panels.set(tab.id, h("div"));
    fillWith(panel, panels.get(tab.id));
    if (!filled.has(tab.id)) {
      filled.add(tab.id);
      tab.fill(panels.get(tab.id));
    }
    if (focus) buttons[index].focus();
    how.change?.(tab.id);
  }

  function move(event) {
    const now = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: list.length - 1 }[event.key];
    if (to === undefined || now < 0) return;
    event.preventDefault();
    show(list[(to + list.length) % list.length].id, true);
  }

  const first = how.chosen ?? list[0].id;
  const change = how.change;
  how.change = undefined;
  show(first);
  how.change = change;
  const element = h("div", { class: "tabs" }, bar, panel);
  /** Fill a tab anew the next time it is shown, at once where it is open. */
  const renew = (id) => {
    filled.delete(id);
    panels.delete(id);
    const open = list.find((tab, index) => buttons[index].getAttribute("aria-selected") === "true");
    if (open?.id === id) show(id);
  };
  return { element, show, renew };
}

/**
 * A plain table. `columns`: [title, cell of a row, class]; `sort` makes heads into buttons that order what is here.
 * @returns {HTMLElement}
 */
export function table(label, columns, rows, { sort = false, none = "Nothing here." } = {}) {
  if (rows.length === 0) return h("p", { class: "faint none" }, none);
  const body = h("tbody");
  const heads = columns.map(([title, , look, key]) => {
    const head = h("th", { scope: "col", class: look ?? "" });
    if (sort && key) append(head, [button(title, () => order(head, key), { class: "head" })]);
    else append(head, [title || h("span", { class: "visually-hidden" }, "Actions")]);
    return head;
  });
  function order(head, key) {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sorted = [...rows].sort((a, b) => compare(key(a), key(b)) * (down ? -1 : 1));
    draw(sorted);
    announce(`sorted ${down ? "descending" : "ascending"}`);
  }
  function draw(list) {
    fillWith(body, list.map((row) => h("tr", {}, columns.map(([, cell, look]) => h("td", { class: look ?? "" }, cell(row))))));
  }
  draw(rows);
  const id = freshId("table");
  return h(
    "div",
    { class: "table-wrap", role: "group", "aria-label": label, tabindex: "0" },
    h("table", { class: "plain-table", id }, h("caption", { class: "visually-hidden" }, label), h("thead", {}, h("tr", {}, heads)), body),
  );
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  return typeof a === "string" ? a.localeCompare(String(b)) : a < b ? -1 : 1;
}

/** A section of a panel with its head. */
export function panel(title, body, { tools = null, look = "", level = "h2" } = {}) {
  const id = freshId("panel");
  return h(
    "section",
    { class: `panel ${look}`, "aria-labelledby": id },
    h("div", { class: "panel-head" }, h(level, { id }, title), tools),
    h("div", { class: "panel-body" }, body),
  );
}
