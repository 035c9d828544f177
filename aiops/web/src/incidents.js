/** What the list shows of an incident, and what stands there before the first one. */

import { h } from "./dom.js";
import { button, copyButton } from "./parts.js";
import { nameOf } from "./words.js";

/** One item of `GET /incidents`. What the server does not say is null. */
export function rowOf(item) {
  const cause = item.cause ?? null;
  return {
    id: item.id,
    title: item.title,
    status: item.status,
    severity: item.severity,
    source: item.source,
    externalId: item.external_id ?? null,
    owner: item.owner ?? "",
    startedAt: item.started_at,
    endedAt: item.ended_at ?? null,
    entities: item.entities ?? (item.affected ?? []).length,
    alerts: item.alerts ?? null,
    alertsOpen: item.alerts_open ?? null,
    cause: cause?.entity ?? null,
    causeName: nameOf(cause?.entity),
    causeKind: cause?.kind ?? null,
    confidence: cause?.confidence ?? null,
    verdict: item.verdict ?? null,
  };
}

/** An empty list that tells how to fill it. */
export function firstSteps(activeOnly, showAll) {
  const send = [
    `curl -sS ${location.origin}/api/v2/alerts \\`,
    `  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\`,
    `  -d '[{"labels": {"alertname": "HostDown", "host": "db-1", "severity": "critical"}}]'`,
  ].join("\n");
  const receiver = [
    "receivers:",
    "  - name: aiops",
    "    webhook_configs:",
    `      - url: ${location.origin}/api/v1/ingest/alertmanager`,
    "        send_resolved: true",
    "        http_config:",
    "          authorization:",
    "            credentials_file: /etc/alertmanager/aiops.token",
  ].join("\n");
  return h(
    "div",
    { class: "empty" },
    h("strong", {}, activeOnly ? "Nothing is wrong that anybody has told us of." : "There is no incident yet."),
    activeOnly && h("p", {}, button("Show resolved ones too", showAll)),
    h("h2", {}, "Send a first alert"),
    h("div", { class: "code" }, h("pre", {}, send), copyButton(send, "the command")),
    h("h2", {}, "Or let Alertmanager send them"),
    h("div", { class: "code" }, h("pre", {}, receiver), copyButton(receiver, "the receiver")),
    h("p", { class: "faint" }, "Alerts near in time and topology become one incident; it shows here as soon as it is there. Prometheus can also post to this server as to an Alertmanager."),
  );
}
