/** The REST API, asked with the reader's token. Errors are problem documents (RFC 9457). */

import { token } from "./session.js";

export const BASE = "/api/v1";

/** What the API refused, or why it could not be asked (`status` 0). */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `status ${status}`);
    this.status = status;
    this.problem = problem;
  }

  /** Whether this server knows no such route, which is something else than a thing that is not there. */
  get absent() {
    return this.status === 405 || this.status === 501 || (this.status === 404 && this.problem.detail === "no such path");
  }

  /** One line for people: what was wrong, and where. */
  get line() {
    const parts = (this.problem.errors ?? []).map((item) => [item.pointer ?? item.parameter, item.detail].filter(Boolean).join(": "));
    return [this.message, ...parts.filter((part) => part && part !== this.message)].join("; ");
  }
}

/**
 * Ask. Raises ApiError; an aborted question raises the browser's AbortError.
 * @param {string} method
 * @param {string} path below /api/v1, or from the root where it begins with //
 * @param {{body?: any, type?: string, headers?: Record<string, string>, signal?: AbortSignal, as?: "json" | "text" | "response", bearer?: string}} [how]
 */
export async function ask(method, path, how = {}) {
  const bearer = how.bearer ?? token.get();
  const headers = { Accept: "application/json", ...how.headers };
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  if (how.body !== undefined) headers["Content-Type"] = how.type ?? "application/json";
  let answer;
  try {
    answer = await fetch(path.startsWith("//") ? path.slice(1) : BASE + path, {
      method,
      headers,
      body: how.body === undefined || how.type ? how.body : JSON.stringify(how.body),
      signal: how.signal,
      cache: "no-store",
      credentials: "omit",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { title: "unreachable", detail: "The server cannot be reached. Nothing was changed; try again." });
  }
  if (!answer.ok) throw await refused(answer, bearer);
  if (how.as === "response") return answer;
  if (how.as === "text") return answer.text();
  return answer.status === 204 ? null : answer.json();
}

/** Where a token was refused: the sign-in shows itself. */
export const whenRefused = { call: (_error) => {} };

async function refused(answer, bearer) {
  let problem;
  try {
    problem = await answer.json();
  } catch {
    problem = { title: answer.statusText, detail: `The server answered ${answer.status} ${answer.statusText}.` };
  }
  const error = new ApiError(answer.status, problem);
  if (answer.status === 401 && bearer === token.get()) whenRefused.call(error);
  return error;
}

export const get = (path, how) => ask("GET", path, how);
export const post = (path, body, how) => ask("POST", path, { ...how, body });
export const patch = (path, body, how) => ask("PATCH", path, { ...how, body });
export const remove = (path, how) => ask("DELETE", path, how);

/** A path of fixed parts with ids in it: at`/incidents/${id}/graph`. */
export function at(parts, ...ids) {
  return parts.reduce((path, part, index) => path + encodeURIComponent(ids[index - 1]) + part);
}

/** Ids of entities keep their slashes and colons, as the API documents them. */
export function entityPath(id, rest = "") {
  return `/entities/${id.split("/").map(encodeURIComponent).join("/")}${rest}`;
}

/** A query string; lists repeat their name, empty values are left out. */
export function query(fields) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") given.append(name, String(one));
    }
  }
  const text = given.toString();
  return text ? `?${text}` : "";
}
