/** Addresses and views. A view is a function of its place that fills an element and may give a function that ends it. */

import { fillWith } from "./dom.js";
import { failure } from "./parts.js";

let ending = null;
let routes = [];
let place = null;
let number = 0;

/** @param {[RegExp, (main: HTMLElement, names: string[], fields: URLSearchParams) => any][]} list */
export function start(list, main) {
  routes = list;
  place = main;
  addEventListener("popstate", () => show());
  document.addEventListener("click", follow);
}

/** Go to `to` as if a link had been followed. */
export function go(to) {
  history.pushState(null, "", to);
  show();
  scrollTo(0, 0);
}

/** Change the query of this address without a new view; `fields` that are empty go. */
export function setFields(fields, { push = false } = {}) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(fields)) {
    address.searchParams.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) if (one !== null && one !== undefined && one !== "") address.searchParams.append(name, one);
  }
  history[push ? "pushState" : "replaceState"](null, "", address);
}

/** Show what the address says. */
export async function show() {
  ending?.();
  ending = null;
  number += 1;
  const mine = number;
  const fields = new URLSearchParams(location.search);
  for (const link of document.querySelectorAll("nav a")) {
    const here = location.pathname === link.pathname || location.pathname.startsWith(`${link.pathname}/`) || (link.pathname === "/incidents" && location.pathname === "/");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const [pattern, view] of routes) {
    const match = pattern.exec(location.pathname);
    if (!match) continue;
    try {
      const end = await view(place, match.slice(1).map(decodeURIComponent), fields);
      if (mine === number) ending = end ?? null;
      else end?.();
    } catch (error) {
      if (mine === number && error.name !== "AbortError") fillWith(place, failure(error, show));
    }
    return;
  }
}

function follow(event) {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || link.target || link.hasAttribute("download")) return;
  if (link.pathname.startsWith("/static/") || !routes.some(([pattern]) => pattern.test(link.pathname))) return;
  event.preventDefault();
  if (link.hash && link.pathname === location.pathname && link.search === location.search) document.getElementById(link.hash.slice(1))?.focus();
  else go(link.href);
}
