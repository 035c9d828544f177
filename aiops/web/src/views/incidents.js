/** What is wrong now: every incident with its likeliest cause, kept up to date while one looks. */

import { get, query } from "../api.js";
import { announce, debounce, fillWith, h } from "../dom.js";
import { firstSteps, rowOf } from "../incidents.js";
import * as keys from "../keys.js";
import { button, empty, failure, loading } from "../parts.js";
import { go, setFields } from "../router.js";
import { listen } from "../stream.js";
import { age } from "../when.js";
import { SEVERITIES, confidence, count, plain, reportedBy, severity, status, verdict } from "../words.js";

const PAGE = 100;
const MOST = 500;
const POLL_MS = 15_000;
const SETTLE_MS = 300;
const STATES = [["active", "Active"], ["open", "Open"], ["acknowledged", "Acknowledged"], ["resolved", "Resolved"], ["all", "All"]];
/** Column: head, what the API sorts by, first direction. */
const COLUMNS = [
  ["Severity", "severity", "-", "c-severity"],
  ["Incident", null, "", "c-title"],
  ["Likeliest cause", "confidence", "-", "c-cause"],
  ["Alerts", "alerts", "-", "c-count"],
  ["Entities", null, "", "c-count c-entities"],
  ["Owner", null, "", "c-owner"],
  ["Status", "status", "", "c-status"],
  ["Age", "started_at", "-", "c-age"],
];
const OTHER = ["source", "entity", "label", "since", "until", "min_confidence", "cause_entity"];

export function incidentsView(main, _names, fields) {
  document.title = "Incidents · aiops";
  const asked = Object.fromEntries(["status", "severity", "q", "sort"].map((name) => [name, fields.get(name) ?? ""]));
  const other = Object.fromEntries(OTHER.map((name) => [name, fields.getAll(name)]).filter(([, value]) => value.length));
  const view = { rows: [], next: null, total: null, known: null, shown: PAGE, control: null };

  const live = h("span", { class: "live is-waiting" }, "connecting");
  const tally = h("span", { class: "faint", "aria-live": "off" });
  const body = h("div", { class: "list-body" }, loading("Loading incidents"));
  const search = h("input", { type: "search", value: asked.q, placeholder: "Title, text, ticket", "aria-label": "Search incidents", on: { input: debounce(() => change({ q: search.value.trim() }), 250) } });
  const states = h("div", { class: "segments", role: "group", "aria-label": "Status" }, STATES.map(([id, text]) => button(text, () => change({ status: id === "active" ? "" : id }), { data: { id } })));
  const severities = h("select", { "aria-label": "Severity", on: { change: (event) => change({ severity: event.target.value }) } }, h("option", { value: "" }, "Every severity"), SEVERITIES.map((name) => h("option", { value: name, selected: name === asked.severity }, name)));
  const chips = h("div", { class: "chips" });

  fillWith(
    main,
    h("div", { class: "bar" }, h("h1", {}, "Incidents"), tally, h("span", { class: "grow" }), live),
    h("div", { class: "bar filters" }, states, severities, search, chips),
    body,
  );
  mark();

  function change(fieldsNow) {
    Object.assign(asked, fieldsNow);
    setFields(asked);
    view.shown = PAGE;
    mark();
    load();
  }

  function mark() {
    for (const one of states.children) one.setAttribute("aria-pressed", String(one.dataset.id === (asked.status || "active")));
    fillWith(
      chips,
      Object.entries(other).flatMap(([name, values]) =>
        values.map((value) =>
          h("span", { class: "chip" }, `${plain(name)}: ${value}`, button("×", () => {
            other[name] = other[name].filter((one) => one !== value);
            setFields({ [name]: other[name] });
            mark();
            load();
          }, { class: "plain", "aria-label": `Remove the filter ${plain(name)} ${value}` })),
        ),
      ),
    );
  }

  async function load() {
    view.control?.abort();
    const control = new AbortController();
    view.control = control;
    const state = asked.status || "active";
    const wanted = { ...other, severity: asked.severity, q: asked.q, sort: asked.sort, status: state === "all" ? [] : state === "active" ? ["open", "acknowledged"] : [state] };
    try {
      const page = await get(`/incidents${query({ ...wanted, limit: Math.min(view.shown, MOST) })}`, { signal: control.signal });
      view.rows = page.items.map(rowOf);
      view.next = page.next_cursor;
      view.total = page.total ?? null;
      draw();
    } catch (error) {
      if (error.name !== "AbortError") fillWith(body, failure(error, load));
    }
  }

  function draw() {
    const fresh = view.known ? view.rows.filter((row) => !view.known.has(row.id)) : [];
    view.known = new Set([...(view.known ?? []), ...view.rows.map((row) => row.id)]);
    if (fresh.length) announce(fresh.length === 1 ? `New incident: ${fresh[0].title}` : `${fresh.length} new incidents`);
    const here = document.activeElement?.closest?.("tr[data-id]")?.dataset.id;
    tally.textContent = view.rows.length ? (view.total !== null && view.total > view.rows.length ? `${view.rows.length} of ${view.total}` : String(view.rows.length)) : "";
    if (!view.rows.length) {
      fillWith(body, nothing());
      return;
    }
    const news = new Set(fresh.map((row) => row.id));
    fillWith(
      body,
      h(
        "table",
        { class: "incidents" },
        h("caption", { class: "visually-hidden" }, "Incidents. J and K move, Enter opens."),
        h("thead", {}, h("tr", {}, COLUMNS.map(head))),
        h("tbody", {}, view.rows.map((row) => line(row, news.has(row.id)))),
      ),
      view.next && h("p", { class: "more" }, view.shown < MOST ? button("Show more", () => { view.shown = Math.min(MOST, view.shown + PAGE); load(); }) : `The first ${MOST} are shown; narrow the filters for the rest.`),
    );
    if (here) body.querySelector(`tr[data-id="${CSS.escape(here)}"] a.title`)?.focus({ preventScroll: true });
  }

  function head([text, key, first, look]) {
    const sorted = asked.sort || "-started_at";
    const down = sorted.startsWith("-");
    const now = sorted.replace(/^-/, "") === key;
    const sign = { ascending: " ▲", descending: " ▼" }[now ? (down ? "descending" : "ascending") : ""] ?? "";
    const next = now ? `${down ? "" : "-"}${key}` : `${first}${key}`;
    return h("th", { scope: "col", class: look, "aria-sort": now ? (down ? "descending" : "ascending") : null }, key ? button(`${text}${sign}`, () => change({ sort: next === "-started_at" ? "" : next }), { class: "head" }) : text);
  }

  function nothing() {
    const filtered = asked.severity || asked.q || Object.values(other).some((list) => list.length) || (asked.status && asked.status !== "all");
    if (filtered) return empty("No incident matches these filters.", button("Clear the filters", () => { for (const name of OTHER) { delete other[name]; setFields({ [name]: "" }); } search.value = ""; severities.value = ""; change({ status: "", severity: "", q: "" }); }));
    return firstSteps(asked.status !== "all", () => change({ status: "all" }));
  }

  function step(by) {
    const titles = [...body.querySelectorAll("a.title")];
    if (!titles.length) return;
    const now = titles.indexOf(document.activeElement?.closest?.("tr")?.querySelector("a.title"));
    titles[Math.min(titles.length - 1, Math.max(0, now + by))].focus();
  }

  const unbind = keys.bind({
    j: ["Next incident", () => step(1)],
    k: ["Previous incident", () => step(-1)],
    Enter: ["Open the incident", () => document.activeElement?.closest?.("tr[data-id]")?.querySelector("a.title")?.click()],
    a: ["Active incidents", () => change({ status: "" })],
    r: ["Load anew", load],
  });
  let poll = 0;
  const soon = debounce(load, SETTLE_MS);
  const end = listen("/incidents:events", {
    event: (event) => event.type !== "progress" && soon(),
    state: (state) => {
      clearInterval(poll);
      live.className = `live is-${state}`;
      live.textContent = { live: "live", waiting: "reconnecting", absent: `every ${POLL_MS / 1000} s` }[state];
      live.title = { live: "Changes show at once", waiting: "The stream of changes is away; it comes back by itself", absent: "This server has no stream of changes; the list is asked again and again" }[state];
      if (state === "absent") poll = setInterval(load, POLL_MS);
      if (state === "live" && view.known) soon();
    },
  });
  load();
  return () => {
    end();
    unbind();
    clearInterval(poll);
    view.control?.abort();
  };
}

function line(row, fresh) {
  const open = (event) => {
    if (!event.target.closest("a, button") && !getSelection()?.toString()) go(`/incidents/${encodeURIComponent(row.id)}`);
  };
  return h(
    "tr",
    { class: `row ${fresh ? "fresh" : ""} is-${row.status}`, data: { id: row.id }, on: { click: open } },
    h("td", { class: "c-severity" }, severity(row.severity)),
    h("td", { class: "c-title" }, h("a", { class: "title", href: `/incidents/${encodeURIComponent(row.id)}` }, row.title), h("span", { class: "under" }, h("span", { class: "narrow-only" }, severity(row.severity, true), " "), reportedBy(row.source, row.externalId))),
    h("td", { class: "c-cause" }, cause(row)),
    h("td", { class: "c-count num" }, row.alerts === null ? h("span", { class: "faint" }, "–") : h("span", { title: row.alertsOpen === null ? null : `${row.alertsOpen} still firing` }, row.alerts)),
    h("td", { class: "c-count c-entities num" }, row.entities),
    h("td", { class: "c-owner" }, row.owner || h("span", { class: "faint" }, "–")),
    h("td", { class: "c-status" }, status(row.status)),
    h("td", { class: "c-age num" }, age(row.startedAt, row.endedAt)),
  );
}

function cause(row) {
  if (row.cause) return h("span", { class: "cause" }, confidence(row.confidence), h("span", { class: "what", title: row.cause }, row.causeName), row.causeKind && h("span", { class: "faint" }, plain(row.causeKind)));
  if (row.verdict) return verdict(row.verdict);
  return h("span", { class: "faint", title: count(row.entities, "entity", "entities") }, "–");
}
