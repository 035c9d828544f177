/** One incident: the answer, what it rests on, and what one does about it. */

import { at, ask, get } from "../api.js";
import { announce, debounce, fillWith, h } from "../dom.js";
import { ofIncident } from "../graph/model.js";
import { graphView } from "../graph/view.js";
import { confirmCause, copyMarkdown, markWrong, rerun, statusButtons } from "../incident/actions.js";
import { causeList } from "../incident/causes.js";
import { giveTo, mergeOthers } from "../incident/shape.js";
import { cited, kindsIn, namesIn } from "../incident/citations.js";
import { fillAbout, headOf } from "../incident/head.js";
import { evidencePanel } from "../incident/evidence.js";
import { detailTabs } from "../incident/tabs.js";
import { momentsOf, timeline } from "../incident/timeline.js";
import { actions, banner, boxes } from "../incident/verdict.js";
import { whatIf } from "../incident/whatif.js";
import * as keys from "../keys.js";
import { button, copyText, empty, failure, loading, panel, tabs, toast, worker } from "../parts.js";
import { go, setFields } from "../router.js";
import { listen } from "../stream.js";
import { nameOf } from "../words.js";

const POLL_MS = 10_000;
const RUNNING_MS = 1000;
const STAGES = { retrieved: "the topology around it is known", observed: "what was seen is read", scored: "every suspect has its score", ranked: "the causes are ranked" };

export async function incidentView(main, [id], fields) {
  const view = { incident: null, tag: null, analysis: null, rank: 1, number: fields.get("analysis"), names: new Map(), kinds: new Map(), cited: new Map(), ended: false, parts: null, timer: 0, graphOf: null };
  fillWith(main, loading("Loading the incident"));
  document.title = "Incident · aiops";

  async function read() {
    const answer = await ask("GET", at`/incidents/${id}`, { as: "response" });
    view.tag = answer.headers.get("etag");
    view.incident = await answer.json();
    document.title = `${view.incident.title} · aiops`;
  }

  async function chooseAnalysis() {
    const wanted = view.number ? Number(view.number) : null;
    view.analysis = wanted && view.incident.analysis?.number !== wanted ? await get(at`/incidents/${id}/analyses/${wanted}`) : view.incident.analysis;
    if (!view.analysis) return;
    view.names = namesIn(view.analysis);
    view.kinds = kindsIn(view.analysis);
    view.cited = cited(view.analysis);
  }

  try {
    await read();
    await chooseAnalysis();
  } catch (error) {
    if (error.status === 404) fillWith(main, empty("There is no such incident.", h("p", {}, "It may belong to another tenant, or the address is wrong."), h("p", {}, h("a", { href: "/incidents" }, "All incidents"))));
    else fillWith(main, failure(error, () => go(location.href)));
    return null;
  }

  const head = h("div", { class: "incident-head" });
  const affected = h("span", { class: "head-affected" });
  const shape = { done: reload, afresh, tag: () => view.tag };
  const newer = h("div", { class: "newer", role: "status" });
  const running = h("span", { class: "running", "aria-live": "off" });
  const body = h("div", { class: "incident-body" });
  const more = detailTabs({
    incident: () => view.incident,
    analysis: () => view.analysis,
    names: () => view.names,
    cite,
    chosen: fields.get("tab") ?? "explanation",
    change: (tab) => setFields({ tab: tab === "explanation" ? "" : tab }),
    shape,
    reload,
  });
  fillWith(main, head, newer, body, more.element);

  const about = () => fillAbout(affected, view);

  function top() {
    const held = head.contains(document.activeElement);
    about();
    const tools = [statusButtons(view.incident, { done: reload, tag: () => view.tag }), worker("Re-run", again, { data: { act: "rerun" } }), view.analysis && button("What if", asks, { data: { act: "what-if" } }), !view.incident.merged_into && button("Merge", () => mergeOthers(view.incident, shape), { data: { act: "merge" }, title: "Make other incidents a part of this one" }), button("Copy link", () => copyText(location.origin + permalink(), "the link"), { class: "plain" })];
    const owner = button(view.incident.owner ? "Change" : "Give it to", () => giveTo(view.incident, shape), { class: "small plain", data: { act: "owner" }, "aria-label": view.incident.owner ? `Change the owner, now ${view.incident.owner}` : "Give it to somebody" });
    fillWith(head, headOf(view.incident, { tools, owner, affected, running }));
    if (held) head.querySelector(".head-tools button")?.focus();
  }

  const permalink = () => `/incidents/${encodeURIComponent(id)}${view.analysis?.number ? `?analysis=${view.analysis.number}` : ""}`;

  /** Everything below the head that an analysis fills. */
  function answer() {
    view.parts?.end();
    view.parts = null;
    const analysis = view.analysis;
    if (!analysis) {
      const running = view.incident.analysis_status === "running";
      fillWith(body, running ? loading("The analysis is running") : empty(view.incident.analysis_status === "failed" ? "The analysis failed." : "There is no analysis yet.", h("p", { class: "faint" }, view.incident.analysis_status === "failed" ? "The server's log says why, under the incident's id." : "Run one with what is known now."), worker("Analyse", again, { class: "primary" })));
      if (running) wait();
      return;
    }
    view.rank = analysis.causes.some((cause) => cause.rank === view.rank) ? view.rank : (analysis.causes[0]?.rank ?? 0);
    const evidence = evidencePanel({ names: view.names, near: view.incident.started_at });
    const steps = h("div");
    const right = tabs("Of the chosen cause", [
      { id: "evidence", title: "Evidence", fill: (place) => fillWith(place, evidence.element) },
      { id: "steps", title: "What to do", fill: (place) => fillWith(place, steps) },
    ]);
    const causes = h("div");
    const graph = graphView({ label: "Topology around the incident", focus: true, opened: (entity) => go(`/topology?entity=${encodeURIComponent(entity)}`), keep: new Set(view.incident.affected) });
    const line = timeline({ cite: citeMany, names: view.names, start: view.incident.started_at, end: view.incident.ended_at });
    view.parts = {
      evidence, right, graph, causes, steps,
      end: () => {
        graph.end();
        line.end();
      },
    };
    const judged = [worker("Copy as Markdown", () => copyMarkdown(view.incident, analysis.number ?? "latest"), { data: { act: "markdown" } }), analysis.number !== null && analysis.causes.length > 0 && button("Confirm cause", confirm, { data: { act: "confirm" } }), analysis.number !== null && button("Mark wrong", wrong, { data: { act: "wrong" } })];
    fillWith(
      body,
      banner(analysis, view.incident, h("div", { class: "judge" }, judged)),
      boxes(analysis, cite, view.kinds),
      h(
        "div",
        { class: "answer" },
        panel("Ranked causes", causes, { look: "causes-panel" }),
        panel("Topology", graph.element, { tools: graph.tools, look: "graph-panel" }),
        panel("Evidence", right.element, { look: "evidence-panel" }),
      ),
      panel("Timeline", line.element, { tools: line.tools, look: "timeline-panel" }),
    );
    choose(view.rank, false);
    const known = [...view.cited.values()];
    line.set(analysis.timeline?.length ? analysis.timeline : momentsOf(known, analysis.causes));
    draw();
  }

  async function draw() {
    const { graph } = view.parts;
    graph.wait("Loading the topology");
    try {
      const document = await get(at`/incidents/${id}/graph` + "?format=cytoscape");
      if (view.ended || view.parts?.graph !== graph) return;
      const hops = view.analysis.causes.flatMap((cause) => (cause.paths?.length ? cause.paths.flatMap((path) => path.hops) : cause.path));
      view.graph = ofIncident(document, hops);
      for (const node of view.graph.nodes) {
        if (!view.names.has(node.id)) view.names.set(node.id, node.label);
        view.kinds.set(node.id, node.kind);
      }
      about();
      await graph.set(view.graph, view.rank);
    } catch (error) {
      if (error.name !== "AbortError" && view.parts?.graph === graph) graph.fail(error, draw);
    }
  }

  function choose(rank, move = true) {
    view.rank = rank;
    const cause = view.analysis.causes.find((one) => one.rank === rank);
    const had = document.activeElement?.dataset?.rank;
    fillWith(view.parts.causes, causeList(view.analysis, { chosen: rank, choose: (other) => choose(other), cite, names: view.names }));
    if (had) view.parts.causes.querySelector(`[data-rank="${rank}"]`)?.focus();
    view.parts.evidence.set(cause ? cause.evidence.map((item) => view.cited.get(item.id) ?? item) : [...view.cited.values()]);
    fillWith(view.parts.steps, cause ? actions(cause) : h("p", { class: "faint none" }, "No cause is named."));
    if (move) view.parts.graph.highlight(rank);
    if (move && cause) announce(`Cause ${rank}: ${cause.entity.name}. Its path is highlighted.`);
  }

  /** Show a cited thing: with the chosen cause, with another one, or from the whole list. */
  function cite(cite) {
    view.parts.right.show("evidence");
    if (view.parts.evidence.light(cite)) return;
    const other = view.analysis.causes.find((cause) => cause.evidence.some((item) => item.id === cite));
    if (other) choose(other.rank);
    else view.parts.evidence.set([...view.cited.values()]);
    if (!view.parts.evidence.light(cite)) toast(`${cite} is not in this answer.`, "bad");
  }

  function citeMany(ids) {
    if (ids.length) cite(ids[0]);
  }

  const cause = () => view.analysis?.causes.find((one) => one.rank === view.rank) ?? view.analysis?.causes[0] ?? null;
  const confirm = () => cause() && confirmCause(view.incident, view.analysis, cause(), reload);
  const wrong = () => markWrong(view.incident, view.analysis, view.analysis.causes[0] ?? null, reload);
  function asks() {
    const known = (view.graph?.nodes ?? []).filter((node) => !node.size).slice(0, 12).map((node) => ({ id: node.id, name: node.label, kind: node.kind }));
    whatIf(view.incident, view.analysis, known);
  }

  async function again() {
    await rerun(view.incident);
    await afresh();
  }

  /** Load it, and show its newest analysis. */
  async function afresh() {
    await read();
    view.number = null;
    setFields({ analysis: "" });
    await renew();
  }

  async function renew() {
    await chooseAnalysis();
    fillWith(newer);
    top();
    answer();
    for (const tab of ["explanation", "alerts", "similar", "activity", "raw"]) more.renew(tab);
  }

  /** What changed meanwhile. A newer answer does not push away what one is reading; it says that it is there. */
  async function reload() {
    const shown = view.analysis?.number ?? null;
    try {
      await read();
    } catch (error) {
      if (error.status !== 401) toast(error.message, "bad");
      return;
    }
    if (view.ended) return;
    top();
    const now = view.incident.analysis?.number ?? null;
    if (shown === null && now !== null) await renew();
    else {
      for (const tab of ["alerts", "activity", "raw"]) more.renew(tab);
      if (now !== null && shown !== null && now > shown && !view.number) tellNewer(now);
    }
  }

  function tellNewer(number) {
    const moved = view.incident.analysis.causes[0]?.entity.id !== view.analysis.causes[0]?.entity.id;
    fillWith(newer, h("p", { class: "notice" }, `Analysis ${number} is there${moved ? ": the first cause has changed" : ""}. `, button("Show it", renew, { class: "small primary" })));
  }

  /** How far an analysis is that runs now, and whom it suspects so far. */
  function progress(told) {
    const suspects = (told.suspects ?? []).slice(0, 3).map((one) => nameOf(one.entity));
    const text = `The analysis is running: ${STAGES[told.stage] ?? told.stage}${suspects.length ? `; suspects so far: ${suspects.join(", ")}` : ""}`;
    if (view.analysis) running.textContent = told.stage === "explained" ? "" : text;
    else fillWith(body, loading(text));
  }

  function wait() {
    clearTimeout(view.timer);
    view.timer = setTimeout(async () => {
      await reload();
      if (!view.ended && view.incident.analysis_status === "running" && !view.analysis) wait();
      else if (!view.analysis && !view.ended) answer();
    }, RUNNING_MS);
  }

  top();
  answer();
  const press = (act) => () => main.querySelector(`[data-act="${act}"]`)?.click();
  const unbind = keys.bind({
    a: ["Acknowledge", press("acknowledge")],
    c: ["Confirm the cause", press("confirm")],
    w: ["What if", press("what-if")],
    m: ["Copy as Markdown", press("markdown")],
    r: ["Run the analysis again", press("rerun")],
    o: ["Owner", press("owner")],
    b: ["Back to the list", () => go("/incidents")],
    ...Object.fromEntries([1, 2, 3, 4, 5].map((rank) => [String(rank), [`Cause ${rank}`, () => view.analysis?.causes.some((one) => one.rank === rank) && choose(rank)]])),
  });
  let poll = 0;
  const soon = debounce(() => !view.ended && reload(), 300);
  const end = listen(at`/incidents/${id}/events`, {
    event: (event) => (event.type === "progress" ? progress(event.data) : soon()),
    state: (state) => {
      clearInterval(poll);
      if (state === "absent") poll = setInterval(soon, POLL_MS);
    },
  });
  return () => {
    view.ended = true;
    end();
    unbind();
    clearInterval(poll);
    clearTimeout(view.timer);
    view.parts?.end();
  };
}
