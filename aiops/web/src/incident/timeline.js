/** What happened when, by event time: a lane each for causes, symptoms, alerts, lines, changes ..., and marks where a clock was off. */

import { fillWith, h, s } from "../dom.js";
import { button, table } from "../parts.js";
import { clock, span, stamp } from "../when.js";
import { nameOf, plain } from "../words.js";

const LANES = ["maintenance", "change", "cause", "symptom", "detection", "alert", "state", "log", "metric"];
const ROW = 22;
const AXIS = 24;
const LEFT = 92;
const RIGHT = 14;
const NEAR = 10;
const NEAR_COUNTED = 32;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800];

/**
 * @param {{cite: (ids: string[]) => void, names: Map<string, string>, start: string, end: string | null}} how
 */
export function timeline(how) {
  const state = { moments: [], table: false };
  const said = h("p", { class: "timeline-said", "aria-live": "polite" });
  const place = h("div", { class: "timeline" });
  const toggle = button("Table", () => { state.table = !state.table; toggle.textContent = state.table ? "Timeline" : "Table"; toggle.setAttribute("aria-pressed", String(state.table)); draw(); }, { class: "small", "aria-pressed": "false" });
  const key = h("span", { class: "timeline-key faint" });
  const watch = new ResizeObserver(() => !state.table && draw());
  watch.observe(place);

  function draw() {
    if (!state.moments.length) return void fillWith(place, h("p", { class: "faint none" }, "Nothing was seen in the window."));
    if (state.table) return void fillWith(place, words());
    const width = Math.max(320, place.clientWidth);
    if (width !== Number(place.dataset.width) || place.dataset.number !== String(state.number)) {
      place.dataset.width = String(width);
      place.dataset.number = String(state.number);
      fillWith(place, picture(width));
    }
    return undefined;
  }

  function words() {
    return table("Timeline", [
      ["Time (UTC)", (one) => stamp(one.at, how.start), "num"],
      ["Lane", (one) => plain(one.lane)],
      ["Entity", (one) => name(one)],
      ["What", (one) => one.text, "wrap"],
      ["Until", (one) => (one.until ? stamp(one.until, how.start) : ""), "num"],
      ["Clock", (one) => (one.skew_s ? `corrected by ${span(one.skew_s)}` : "")],
    ], state.moments);
  }

  const name = (one) => (one.entity ? (how.names.get(one.entity) ?? nameOf(one.entity)) : "");

  function picture(width) {
    const lanes = LANES.filter((lane) => state.moments.some((one) => one.lane === lane));
    const times = state.moments.flatMap((one) => [Date.parse(one.at), one.until ? Date.parse(one.until) : NaN, one.detected_at ? Date.parse(one.detected_at) : NaN]).filter((at) => !Number.isNaN(at));
    times.push(Date.parse(how.start));
    let [from, to] = [Math.min(...times), Math.max(...times)];
    const pad = Math.max(2000, (to - from) * 0.03);
    from -= pad;
    to += pad;
    const x = (at) => LEFT + ((Date.parse(at) - from) / (to - from)) * (width - LEFT - RIGHT);
    const height = lanes.length * ROW + AXIS;
    const marks = h("div");
    const groups = lanes.flatMap((lane, row) => cluster(state.moments.filter((one) => one.lane === lane), x).map((group) => ({ ...group, row, lane })));
    const svg = s(
      "svg",
      { class: "timeline-marks", width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `Timeline of ${state.moments.length} moments; arrow keys move` },
      lanes.map((lane, row) => [
        s("rect", { class: row % 2 ? "lane odd" : "lane", x: 0, y: row * ROW, width, height: ROW }),
        s("text", { class: "lane-name", x: 8, y: row * ROW + ROW / 2 + 4 }, plain(lane)),
      ]),
      axis(from, to, width, lanes.length * ROW),
      start(x(how.start), lanes.length * ROW),
      groups.map((group, index) => mark(group, index === 0, x)),
    );
    svg.addEventListener("keydown", (event) => step(event, svg));
    marks.append(svg);
    return marks;
  }

  function mark(group, first, x) {
    const y = group.row * ROW + ROW / 2;
    const one = group.members[0];
    const text = saying(group);
    const many = group.members.length;
    const skewed = group.members.some((member) => member.skew_s);
    const press = () => {
      said.textContent = text;
      how.cite([...new Set(group.members.flatMap((member) => member.evidence ?? []))]);
    };
    const element = s(
      "g",
      { class: `moment lane-${group.lane}`, tabindex: first ? 0 : -1, role: "button", "aria-label": text, on: { click: press, mouseenter: () => { said.textContent = text; }, focus: () => { said.textContent = text; }, keydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); press(); } } } },
      one.until && s("line", { class: "extent", x1: group.x, x2: Math.max(group.x + 2, x(one.until)), y1: y, y2: y }),
      one.detected_at && one.detected_at !== one.at && [s("line", { class: "detected", x1: group.x, x2: x(one.detected_at), y1: y, y2: y }), s("path", { class: "detected", d: `M${x(one.detected_at)} ${y - 5}v10` })],
      skewed && s("path", { class: "skew", d: `M${group.x} ${y - 10}l10 10-10 10-10-10z` }),
      shape(group.lane, group.x, y),
      many > 1 && s("text", { class: "many", x: group.x + 9, y: y + 4 }, `×${many}`),
      s("rect", { class: "target", x: group.x - 10, y: y - ROW / 2, width: 20 + (many > 1 ? 18 : 0), height: ROW }),
    );
    return element;
  }

  function saying(group) {
    const [one] = group.members;
    const lines = group.members.slice(0, 4).map((member) => `${clock(member.at, how.start)} ${[name(member), member.text].filter(Boolean).join(": ")}${member.skew_s ? ` (clock ${span(member.skew_s)} ${member.skew_s > 0 ? "ahead" : "behind"}, corrected)` : ""}${member.until ? `, until ${clock(member.until, how.start)}` : ""}${member.detected_at && member.detected_at !== member.at ? `, detected ${clock(member.detected_at, how.start)}` : ""}`);
    if (group.members.length > 4) lines.push(`and ${group.members.length - 4} more`);
    const many = group.members.length > 1 ? ` ×${group.members.length}` : "";
    return `${plain(one.lane)}${many}: ${lines.join("; ")}`;
  }

  return {
    element: h("div", {}, place, said),
    tools: h("span", { class: "tools" }, key, toggle),
    set(moments) {
      state.moments = [...moments].filter((one) => one.at).sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
      state.number = (state.number ?? 0) + 1;
      const signs = [["┆ incident began", true], ["┈ start to detection", state.moments.some((one) => one.detected_at && one.detected_at !== one.at)], ["◇ clock was off, corrected", state.moments.some((one) => one.skew_s)]];
      fillWith(key, signs.filter(([, there]) => there).map(([text]) => h("span", {}, text)));
      draw();
    },
    end: () => watch.disconnect(),
  };
}

/** What would stand on the same spot becomes one mark. */
function cluster(moments, x) {
  const groups = [];
  for (const one of moments) {
    const at = x(one.at);
    const last = groups[groups.length - 1];
    if (last && at - last.x < (last.members.length > 1 ? NEAR_COUNTED : NEAR) && !one.until && !last.members[0].until) last.members.push(one);
    else groups.push({ x: at, members: [one] });
  }
  return groups;
}

function shape(lane, x, y) {
  if (lane === "cause") return s("circle", { class: "dot", cx: x, cy: y, r: 6 });
  if (lane === "change" || lane === "maintenance") return s("rect", { class: "dot", x: x - 4.5, y: y - 4.5, width: 9, height: 9 });
  if (lane === "alert" || lane === "detection") return s("path", { class: "dot", d: `M${x} ${y - 5.5}l5.5 10h-11z` });
  return s("circle", { class: "dot", cx: x, cy: y, r: 4 });
}

function axis(from, to, width, y) {
  const seconds = (to - from) / 1000;
  const step = STEPS.find((one) => seconds / one <= Math.max(3, width / 110)) ?? STEPS[STEPS.length - 1];
  const ticks = [];
  for (let at = Math.ceil(from / 1000 / step) * step * 1000; at <= to; at += step * 1000) {
    const x = LEFT + ((at - from) / (to - from)) * (width - LEFT - RIGHT);
    const text = clock(at, at);
    if (x > width - 26) break; // its name would be cut
    ticks.push(s("line", { class: "tick", x1: x, x2: x, y1: 0, y2: y }), s("text", { class: "tick-name", x, y: y + 16, "text-anchor": "middle" }, step >= 60 ? text.slice(0, 5) : text));
  }
  return ticks;
}

function start(x, height) {
  return [s("line", { class: "start", x1: x, x2: x, y1: 0, y2: height }, s("title", {}, "The incident began"))];
}

function step(event, svg) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const all = [...svg.querySelectorAll(".moment")].sort((a, b) => a.querySelector(".target").x.baseVal.value - b.querySelector(".target").x.baseVal.value);
  const next = all[(all.indexOf(document.activeElement) + by + all.length) % all.length];
  for (const one of all) one.setAttribute("tabindex", one === next ? "0" : "-1");
  next.focus();
}

/** Where the server has no timeline: the moments of what is cited. */
export function momentsOf(items, causes) {
  const first = new Set(causes.slice(0, 1).map((cause) => cause.entity.id));
  return items.filter((item) => item.at).map((item) => ({ at: item.at, until: item.until ?? null, lane: first.has(item.entity) && item.supports ? "cause" : LANES.includes(item.kind) ? item.kind : "state", entity: item.entity, text: item.text, evidence: [item.id], skew_s: item.skew_s ?? null, detected_at: null }));
}
