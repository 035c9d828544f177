/** What is known of entities at a moment: open alerts, what incidents name and affect, what is in maintenance. */

import { get, query } from "./api.js";

const PAGE = 500;
const PAGES = 4;

/** @returns {Promise<{health: Map<string, {health: string, alarms: number}>, trouble: string[]}>} */
export async function healthAt(at, signal) {
  const health = new Map();
  const trouble = [];
  const told = (error) => {
    if (error.name === "AbortError") throw error;
    trouble.push(error.message);
    return { items: [] };
  };
  const until = at ? new Date(Date.parse(at) + 1000).toISOString() : "";
  const [firing, incidents, maintenance] = await Promise.all([
    alerts({ since: at ?? "", until }, signal).catch(told),
    get(`/incidents${query({ status: ["open", "acknowledged"], limit: 200 })}`, { signal }).catch(told),
    get(`/maintenance${query({ state: at ? "all" : "active" })}`, { signal }).catch((error) => (error.absent ? { items: [] } : told(error))),
  ]);
  const put = (id, state) => health.set(id, { alarms: health.get(id)?.alarms ?? 0, health: state });
  if (!at) for (const incident of incidents.items) for (const id of incident.affected ?? []) put(id, "symptom");
  for (const alert of firing.items) health.set(alert.entity, { health: "alarm", alarms: (health.get(alert.entity)?.alarms ?? 0) + 1 });
  const moment = at ? Date.parse(at) : Date.now();
  for (const window of maintenance.items) {
    if (Date.parse(window.starts_at) <= moment && (!window.ends_at || Date.parse(window.ends_at) > moment)) for (const id of window.entities ?? []) put(id, "maintenance");
  }
  if (!at) for (const incident of incidents.items) if (incident.cause?.entity) put(incident.cause.entity, "cause");
  if (firing.more) trouble.push(`Only the first ${PAGE * PAGES} open alerts are shown.`);
  return { health, trouble };
}

async function alerts(fields, signal) {
  const items = [];
  let cursor = "";
  for (let page = 0; page < PAGES; page += 1) {
    const answer = await get(`/alerts${query({ ...fields, limit: PAGE, cursor })}`, { signal });
    items.push(...answer.items);
    cursor = answer.next_cursor;
    if (!cursor) return { items, more: false };
  }
  return { items, more: true };
}
