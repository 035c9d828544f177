/** Below the picture: the whole explanation, alerts, similar incidents, what was done, and the documents themselves. */

import { at, get } from "../api.js";
import { fillWith, h } from "../dom.js";
import { button, copyButton, failure, loading, table, tabs } from "../parts.js";
import { stamp } from "../when.js";
import { entityLink, nameOf, percent, plain, severity } from "../words.js";
import { activityLine, commentForm } from "./actions.js";
import { explanation } from "./explain.js";
import { splitOff } from "./shape.js";

/**
 * @param {{incident: () => any, analysis: () => any, cite: (id: string) => void, names: () => Map<string, string>, chosen: string, change: (id: string) => void, shape: import("./shape.js").How, reload: () => Promise<void>}} how
 */
export function detailTabs(how) {
  const path = (rest) => at`/incidents/${how.incident().id}` + rest;
  const made = tabs(
    "More",
    [
      { id: "explanation", title: "Explanation", fill: (place) => fillWith(place, how.analysis() ? explanation(how.analysis(), how.cite) : h("p", { class: "faint none" }, "There is no analysis yet.")) },
      { id: "alerts", title: "Alerts", fill: (place) => fetched(place, () => get(path("/alerts?limit=500")), (page) => alerts(page, how)) },
      { id: "similar", title: "Similar", fill: (place) => fetched(place, () => similarOf(path, how.analysis()), similar) },
      { id: "activity", title: "Activity", fill: activity },
      { id: "raw", title: "Raw JSON", fill: raw },
    ],
    { chosen: how.chosen, change: how.change },
  );

  function activity(place) {
    const list = h("div");
    fillWith(place, commentForm(how.incident(), async () => { await how.reload(); made.renew("activity"); }), list);
    fetched(list, () => get(path("/activities?limit=200")), (page) =>
      page.items.length
        ? h("ol", { class: "activity" }, [...page.items].sort((a, b) => b.number - a.number).map((one) => h("li", {}, h("span", { class: "num faint" }, stamp(one.at, how.incident().started_at)), h("span", {}, activityLine(one)))))
        : h("p", { class: "faint none" }, "Nothing has been done yet."),
    );
  }

  function raw(place) {
    const text = JSON.stringify(how.incident(), null, 2);
    fillWith(place, h("div", { class: "code raw" }, h("pre", { tabindex: "0", role: "region", "aria-label": "Raw JSON" }, text), copyButton(text, "the JSON")), h("p", { class: "faint" }, "The same: ", h("code", {}, `GET /api/v1${path("")}`)));
  }

  return made;
}

async function fetched(place, ask, show) {
  fillWith(place, loading());
  try {
    fillWith(place, show(await ask()));
  } catch (error) {
    if (error.name !== "AbortError") fillWith(place, failure(error, () => fetched(place, ask, show)));
  }
}

function alerts(page, how) {
  const explained = new Set(how.analysis()?.causes[0]?.explains.alerts ?? []);
  const unexplained = new Set(how.analysis()?.causes[0]?.explains.unexplained ?? []);
  const said = (alert) => (explained.has(alert.id) || explained.has(alert.fingerprint) ? "explained" : unexplained.has(alert.id) || unexplained.has(alert.fingerprint) ? "not explained" : "");
  const made = table("Alerts", [
    ["Severity", (alert) => severity(alert.severity ?? "info"), "", (alert) => alert.severity],
    ["Alert", (alert) => h("b", {}, alert.name), "", (alert) => alert.name],
    ["Entity", (alert) => entityLink({ id: alert.entity, name: how.names().get(alert.entity) ?? nameOf(alert.entity) }), "", (alert) => alert.entity],
    ["Message", (alert) => alert.message, "wrap"],
    ["Began", (alert) => stamp(alert.started_at, how.incident().started_at), "num", (alert) => alert.started_at],
    ["Ended", (alert) => (alert.ended_at ? stamp(alert.ended_at, how.incident().started_at) : h("b", {}, "firing")), "num", (alert) => alert.ended_at],
    ["By the first cause", said],
  ], page.items, { sort: true, none: "No alert belongs to this incident." });
  const split = page.items.length > 1 && h("p", { class: "tab-tools" }, button("Split alerts off", () => splitOff(how.incident(), page.items, unexplained, how.names(), how.shape), { class: "small", data: { act: "split" } }), page.next_cursor && h("span", { class: "faint" }, ` The first ${page.items.length} are shown.`));
  return h("div", {}, split, made);
}

/** The route where there is one, since it knows the newest; else what the answer brought. */
async function similarOf(path, analysis) {
  try {
    return await get(path("/similar"));
  } catch (error) {
    if (error.absent && analysis) return { items: analysis.similar ?? [] };
    throw error;
  }
}

function similar(page) {
  if (!page.items.length) return h("p", { class: "faint none" }, "No resolved incident looked like this one.");
  return table("Similar incidents", [
    ["Alike", (one) => percent(one.similarity), "num"],
    ["Incident", (one) => h("a", { href: `/incidents/${encodeURIComponent(one.incident_id)}` }, one.title ?? one.incident_id), "wrap"],
    ["Its cause", (one) => [one.cause ?? one.confirmed_cause ? entityLink({ id: one.cause ?? one.confirmed_cause, name: nameOf(one.cause ?? one.confirmed_cause) }) : "–", one.cause_kind && h("span", { class: "faint" }, ` ${plain(one.cause_kind)}`)]],
    ["Confirmed", (one) => (one.confirmed || one.confirmed_cause ? "yes" : h("span", { class: "faint" }, "no"))],
    ["What fixed it", (one) => one.resolution || h("span", { class: "faint" }, "not said"), "wrap"],
    ["In common", (one) => (one.shared ?? []).join(", "), "wrap"],
  ], page.items);
}
