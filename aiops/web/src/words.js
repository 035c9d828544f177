/** Our words for what the API says, each with the same sign wherever it stands. */

import { h, s } from "./dom.js";

export const SEVERITIES = ["critical", "major", "minor", "warning", "info"];
export const STATUSES = ["open", "acknowledged", "resolved"];
const SIGNS = { critical: "▲", major: "◆", minor: "■", warning: "●", info: "○" };

/** Severity with a shape of its own, so that colour is not all there is. */
export function severity(name, short = false) {
  const known = SEVERITIES.includes(name) ? name : "info";
  return h(
    "span",
    { class: `severity sev-${known}`, title: short ? name : null },
    h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[known]),
    h("span", { class: short ? "visually-hidden" : "" }, name ?? "unknown"),
  );
}

export function status(name) {
  return h("span", { class: `status status-${name}` }, name);
}

export function verdict(name) {
  return h("span", { class: `verdict-word verdict-${name ?? "none"}` }, name ?? "not analysed");
}

/** `83 %`; probabilities never round up to certainty. */
export function percent(part) {
  if (part === null || part === undefined) return "–";
  const shown = Math.round(part * 100);
  if (shown === 100 && part < 1) return "> 99 %";
  if (shown === 0 && part > 0) return "< 1 %";
  return `${shown} %`;
}

/** A number between 0 and 1 as a small bar with its figure. */
export function confidence(part) {
  if (part === null || part === undefined) return h("span", { class: "faint" }, "–");
  const level = part >= 0.7 ? "high" : part >= 0.4 ? "middle" : "low";
  return h(
    "span",
    { class: `confidence ${level}`, title: `confidence ${part.toFixed(2)}` },
    h("span", { class: "bar", "aria-hidden": "true" }, h("span", { vars: { "--part": part } })),
    h("span", { class: "figure" }, percent(part)),
  );
}

export function count(n, one, many = `${one}s`) {
  return `${Number(n).toLocaleString("en")} ${n === 1 ? one : many}`;
}

/** `link_loss` as `link loss`. */
export const plain = (name) => String(name ?? "").replaceAll("_", " ");

const PATHS = {
  service: "M12 3 20 7.5v9L12 21l-8-4.5v-9z",
  host: "M4 4h16v7H4zM4 13h16v7H4zM7 7.5h3M7 16.5h3",
  pod: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  device: "M3 8h18v8H3zM7 12h.01M11 12h.01M15 12h2M8 8 12 3l4 5",
  interface: "M5 6h14v12H5zM9 6V3M15 6V3M9 14v4M12 14v4M15 14v4",
  link: "M4 12h16M7 9l-3 3 3 3M17 9l3 3-3 3",
  database: "M5 6c0-4 14-4 14 0v12c0 4-14 4-14 0zM5 6c0 4 14 4 14 0M5 12c0 4 14 4 14 0",
  queue: "M3 8h5v8H3zM10 8h5v8h-5zM17 8h4v8h-4",
  power: "M13 2 5 13h6l-1 9 9-12h-6z",
  place: "M4 21V5l8-3 8 3v16M9 21v-5h6v5M8 9h2M14 9h2",
  disk: "M4 5h16v14H4zM12 12m-4 0a4 4 0 1 0 8 0 4 4 0 1 0-8 0",
  rule: "M5 4h14v16H5zM8 8h8M8 12h8M8 16h5",
  unknown: "M8 9c0-5 8-5 8 0 0 3-4 3-4 6M12 19h.01",
};
const FAMILIES = {
  service: "Service Function Ingress External Process Instance LoadBalancer",
  host: "Host Node",
  pod: "Pod Container Deployment ReplicaSet StatefulSet DaemonSet Job CronJob Image Namespace",
  device: "Device",
  interface: "Interface Address",
  link: "Link Session",
  database: "Database Cache",
  queue: "Queue Topic Broker",
  power: "PowerUnit",
  place: "Rack Site",
  disk: "Disk Volume VolumeClaim StorageClass",
  rule: "ConfigMap Secret ServiceAccount NetworkPolicy Quota",
};
const FAMILY = new Map(Object.entries(FAMILIES).flatMap(([family, kinds]) => kinds.split(" ").map((kind) => [kind, family])));

export const familyOf = (kind) => FAMILY.get(kind) ?? "unknown";

/** The outline that stands for a kind of entity. */
export const outlineOf = (kind) => PATHS[familyOf(kind)];

/** The same as an element. */
export function kindIcon(kind) {
  return s(
    "svg",
    { class: "kind-icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    s("path", { d: outlineOf(kind) }),
  );
}

/** An entity: icon, name, and a way to it. */
export function entityLink(entity, { id = entity.id, name = entity.name ?? entity.id, kind = entity.type ?? entity.kind } = {}) {
  return h(
    "a",
    { class: "entity", href: `/topology?entity=${encodeURIComponent(id)}`, title: `${kind ? `${kind} ` : ""}${id}` },
    kind && kindIcon(kind),
    h("span", {}, name),
  );
}

/** Who reported an incident; those that nobody posted were made from alerts, here. */
export function reportedBy(source, externalId) {
  if (source === "aiops" && !externalId) return "made from alerts";
  return externalId ? `${source} ${externalId}` : source;
}

/** The last part of an id, for where only the id is known. */
export function nameOf(id) {
  return String(id ?? "").replace(/^[a-z_]+:/i, "");
}
