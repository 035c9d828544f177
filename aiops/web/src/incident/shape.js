/** What an incident is made of and whose it is: its owner, others that belong to it, and alerts that do not. */

import { at, get, patch, post, query } from "../api.js";
import { debounce, fillWith, h } from "../dom.js";
import { button, dialog, failure, field, loading, toast, worker } from "../parts.js";
import { go } from "../router.js";
import { age, stamp } from "../when.js";
import { count, nameOf, severity, status } from "../words.js";

const OFFERED = 50;
const ALERTS = 500;
const WAIT = "?wait=30s";

/**
 * `done` loads the incident anew, `afresh` also shows its newest analysis; `tag` gives its entity tag.
 * @typedef {{done: () => Promise<void>, afresh: () => Promise<void>, tag: () => string | null}} How
 */

const onlyIf = (how) => (how.tag() ? { headers: { "If-Match": how.tag() } } : {});

/** Who takes care of it; nobody, where the name is taken out. */
export function giveTo(incident, how) {
  const owner = h("input", { value: incident.owner ?? "", maxlength: "512", spellcheck: "false", autocomplete: "off", placeholder: "ada" });
  const save = worker("Save", async () => {
    const name = owner.value.trim();
    try {
      await patch(at`/incidents/${incident.id}`, { owner: name }, onlyIf(how));
    } finally {
      await how.done();
    }
    box.close();
    toast(name ? `${name} takes care of it` : "Nobody takes care of it now");
  }, { class: "primary" });
  const box = dialog("Who takes care of it", [field("Owner", owner, "A person or a team; empty: nobody.")], [save]);
  owner.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    save.click();
  });
  owner.select();
}

/** Others become a part of this one. */
export function mergeOthers(incident, how) {
  const chosen = new Map();
  let asked = 0;
  const list = h("div", { class: "picks", role: "group", "aria-label": "Incidents" }, loading());
  const said = h("p", { class: "hint", role: "status" });
  const search = h("input", { type: "search", placeholder: "Title, text, ticket", on: { input: debounce(look, 250) } });
  const pick = (one, checked) => {
    if (checked) chosen.set(one.id, one);
    else chosen.delete(one.id);
    said.textContent = chosen.size ? `${count(chosen.size, "incident")} chosen` : "";
    said.className = "hint";
  };

  async function look() {
    asked += 1;
    const mine = asked;
    try {
      const page = await get(`/incidents${query({ status: ["open", "acknowledged"], q: search.value.trim(), limit: OFFERED + 1 })}`);
      if (mine !== asked) return;
      const others = [...chosen.values(), ...page.items.filter((one) => one.id !== incident.id && !chosen.has(one.id))];
      fillWith(list, others.slice(0, OFFERED + chosen.size).map(row), others.length === 0 && h("p", { class: "faint none" }, search.value.trim() ? "No other active incident matches." : "No other incident is open or acknowledged."));
    } catch (error) {
      if (mine === asked) fillWith(list, failure(error, look));
    }
  }

  const row = (one) =>
    h("label", { class: "pick" }, h("input", { type: "checkbox", value: one.id, checked: chosen.has(one.id), on: { change: (event) => pick(one, event.target.checked) } }), severity(one.severity, true), h("span", { class: "what" }, one.title), status(one.status), h("span", { class: "faint" }, one.alerts ? `${count(one.alerts, "alert")}, ` : "", age(one.started_at, one.ended_at)));

  const box = dialog(
    "Merge others into this incident",
    [h("p", {}, "The alerts of those that you choose move here; they are resolved and point to ", h("b", {}, incident.title), ". What is one now is analysed anew."), field("Find", search), list, said],
    [worker("Merge", async () => {
      if (!chosen.size) {
        said.textContent = "Choose at least one incident.";
        said.className = "hint warn";
        return;
      }
      try {
        await post(at`/incidents/${incident.id}/merge` + WAIT, { incidents: [...chosen.keys()] }, onlyIf(how));
      } catch (error) {
        await how.done();
        throw error;
      }
      box.close();
      toast(`${count(chosen.size, "incident")} merged into this one`);
      await how.afresh();
    }, { class: "primary" })],
  );
  search.focus();
  return look();
}

/**
 * Some of its alerts become an incident of their own, which is shown then.
 * @param {any} incident
 * @param {any[]} alerts those that it has
 * @param {Set<string>} unexplained ids or fingerprints of those that the first cause does not explain
 * @param {Map<string, string>} names
 * @param {How} how
 */
export function splitOff(incident, alerts, unexplained, names, how) {
  const odd = (alert) => unexplained.has(alert.id) || unexplained.has(alert.fingerprint);
  const rows = alerts.slice(0, ALERTS).map((alert) => ({
    alert,
    input: h("input", { type: "checkbox", value: alert.id, on: { change: tally } }),
  }));
  const said = h("p", { class: "hint", role: "status" });
  const title = h("input", { maxlength: "512", placeholder: "Made from its alerts, unless given" });
  const chosen = () => rows.filter(({ input }) => input.checked).map(({ alert }) => alert);
  function tally() {
    const n = chosen().length;
    said.textContent = n ? `${count(n, "alert")} leave${n === 1 ? "s" : ""}, ${alerts.length - n} stay${alerts.length - n === 1 ? "s" : ""}` : "";
    said.className = "hint";
  }
  const set = (wanted) => {
    for (const { alert, input } of rows) input.checked = wanted(alert);
    rows.find(({ input }) => input.checked)?.input.scrollIntoView({ block: "nearest" });
    tally();
  };
  const strangers = rows.filter(({ alert }) => odd(alert)).length;
  const box = dialog(
    "Split alerts off",
    [
      h("p", {}, "The alerts that you choose become an incident of their own. Both are analysed anew."),
      h("div", { class: "kinds" }, strangers > 0 && strangers < alerts.length && button(`Those the first cause does not explain (${strangers})`, () => set(odd), { class: "small" }), button("None", () => set(() => false), { class: "small" })),
      h("div", { class: "picks", role: "group", "aria-label": "Alerts" }, rows.map(({ alert, input }) =>
        h("label", { class: "pick" }, input, severity(alert.severity ?? "info", true), h("span", { class: "what" }, h("b", {}, alert.name), ` on ${names.get(alert.entity) ?? nameOf(alert.entity)}`, alert.message && h("span", { class: "faint" }, ` ${alert.message}`)), h("span", { class: "faint" }, stamp(alert.started_at, incident.started_at))))),
      field("Title of the new incident", title),
      said,
    ],
    [worker("Split", async () => {
      const moved = chosen();
      if (!moved.length || moved.length === alerts.length) {
        said.textContent = moved.length ? "At least one alert must stay." : "Choose at least one alert.";
        said.className = "hint warn";
        return;
      }
      let made;
      try {
        made = await post(at`/incidents/${incident.id}/split` + WAIT, { alerts: moved.map((alert) => alert.id), ...(title.value.trim() ? { title: title.value.trim() } : {}) }, onlyIf(how));
      } catch (error) {
        await how.done();
        throw error;
      }
      box.close();
      toast(`${count(moved.length, "alert")} split off; this is their incident`);
      go(`/incidents/${encodeURIComponent(made.id)}`);
    }, { class: "primary" })],
  );
  (rows[0]?.input ?? title).focus();
}
