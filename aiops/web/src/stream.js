/**
 * Server-sent events through fetch, because EventSource cannot send a token in a header and an address must not hold one.
 * The number of the last event is sent back after a break, so nothing is missed (HTML standard, section 9.2).
 */

import { ApiError, BASE, whenRefused } from "./api.js";
import { token } from "./session.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
const SILENCE_MS = 60_000;

/**
 * @param {string} path
 * @param {{event: (event: {id: string, type: string, data: any}) => void, state: (state: "live" | "waiting" | "absent") => void}} told
 * @returns {() => void} ends it
 */
export function listen(path, told) {
  let control = null;
  const last = { id: "" };
  const begin = () => {
    control?.abort();
    control = new AbortController();
    follow(path, told, control, last);
  };
  // A browser holds few connections to one server: tabs that nobody looks at give theirs back, and catch up later.
  const turn = () => {
    if (document.hidden) control?.abort();
    else begin();
  };
  document.addEventListener("visibilitychange", turn);
  if (!document.hidden) begin();
  return () => {
    document.removeEventListener("visibilitychange", turn);
    control?.abort();
  };
}

async function follow(path, told, control, last) {
  let wait = FIRST_WAIT_MS;
  while (!control.signal.aborted) {
    try {
      const answer = await open(path, last.id, control.signal);
      told.state("live");
      wait = FIRST_WAIT_MS;
      for await (const event of events(answer.body, control.signal)) {
        if (event.id) last.id = event.id;
        if (event.data !== null) told.event(event);
      }
    } catch (error) {
      if (control.signal.aborted) return;
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) {
        told.state("absent");
        return;
      }
      told.state("waiting");
    }
    await pause(wait, control.signal);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

async function open(path, last, signal) {
  const headers = { Accept: "text/event-stream", Authorization: `Bearer ${token.get() ?? ""}` };
  if (last) headers["Last-Event-ID"] = last;
  const answer = await fetch(BASE + path, { headers, signal, cache: "no-store", credentials: "omit" });
  if (answer.ok) return answer;
  const error = new ApiError(answer.status, await answer.json().catch(() => ({ title: answer.statusText })));
  if (answer.status === 401) whenRefused.call(error);
  throw error;
}

async function* events(body, signal) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (!signal.aborted) {
    const { value, done } = await within(reader.read(), SILENCE_MS, reader);
    if (done) return;
    rest += value.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
    let end = rest.indexOf("\n\n");
    while (end >= 0) {
      const event = parse(rest.slice(0, end));
      if (event) yield event;
      rest = rest.slice(end + 2);
      end = rest.indexOf("\n\n");
    }
  }
}

function parse(block) {
  const event = { id: "", type: "message", data: null };
  const data = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") data.push(value);
    else if (name === "id") event.id = value;
    else if (name === "event") event.type = value;
  }
  if (data.length === 0) return event.id ? event : null; // no event, but the place to come again with
  const text = data.join("\n");
  try {
    event.data = JSON.parse(text);
  } catch {
    event.data = text;
  }
  return event;
}

/** A connection that says nothing, not even its ping, is dead. */
async function within(promise, limit, reader) {
  let timer = 0;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("silent")), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function pause(wait, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, wait);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
}
