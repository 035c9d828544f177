/** Times: shown in UTC, local on hover, and how long ago in words that a tired reader takes in at once. */

import { h } from "./dom.js";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

const two = (n) => String(n).padStart(2, "0");

/** `10:02:31`, or with the day where it is not `near`'s. */
export function clock(at, near = null) {
  const date = new Date(at);
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  return near && day(near) === day(at) ? time : `${day(at)} ${time}`;
}

export function day(at) {
  const date = new Date(at);
  return `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
}

/** Seconds as `41 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. */
export function span(seconds) {
  const left = Math.abs(seconds);
  if (left < 10) return `${Number(left.toFixed(1))} s`;
  if (left < MINUTE) return `${Math.round(left)} s`;
  if (left < HOUR) return `${Math.round(left / MINUTE)} min`;
  if (left < DAY) return pair(left, HOUR, "h", MINUTE, "min");
  return pair(left, DAY, "d", HOUR, "h");
}

function pair(left, large, name, small, smaller) {
  const whole = Math.floor(left / large);
  const rest = Math.floor((left - whole * large) / small);
  return rest && whole < 10 ? `${whole} ${name} ${rest} ${smaller}` : `${whole} ${name}`;
}

/** A time element: text in UTC, the reader's own time on hover. */
export function stamp(at, near = null) {
  if (!at) return h("span", { class: "faint" }, "–");
  return h("time", { datetime: at, title: `${clock(at)} UTC\n${local(at)}` }, clock(at, near));
}

/** How long ago; kept right by `tick`. */
export function age(at, until = null) {
  if (!at) return h("span", { class: "faint" }, "–");
  const data = until ? { since: at, until } : { since: at };
  const element = h("time", { datetime: at, title: `since ${clock(at)} UTC\n${local(at)}`, data });
  refresh(element);
  return element;
}

/** The same as `5 min ago`. */
export function ago(at) {
  const element = age(at);
  if (at) {
    element.dataset.ago = "";
    refresh(element);
  }
  return element;
}

function local(at) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" })} ${zone} (your time)`;
}

function refresh(element) {
  const until = element.dataset.until ? Date.parse(element.dataset.until) : Date.now();
  const seconds = (until - Date.parse(element.dataset.since)) / 1000;
  const past = element.dataset.ago === undefined ? span(seconds) : `${span(seconds)} ago`;
  const text = seconds < 0 ? `in ${span(seconds)}` : seconds < MINUTE && !element.dataset.until ? "just now" : past;
  if (element.textContent !== text) element.textContent = text;
}

/** Keeps every age on the page right. */
export function tick() {
  for (const element of document.querySelectorAll("time[data-since]")) refresh(element);
}

/** `2026-11-22T10:00` in UTC of an input as RFC 3339, or null where it holds none. */
export function fromInput(text) {
  const at = text ? new Date(`${text}${text.length === 16 ? ":00" : ""}Z`) : null;
  return at && !Number.isNaN(at.getTime()) ? at.toISOString().replace(".000Z", "Z") : null;
}

export function toInput(at) {
  return new Date(at).toISOString().slice(0, 16);
}
