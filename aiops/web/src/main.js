/** The page begins here: who reads, what the address says, what stands at the top. */

import { whenRefused } from "./api.js";
import { fillWith, h } from "./dom.js";
import * as keys from "./keys.js";
import { button } from "./parts.js";
import * as router from "./router.js";
import { isDark, setTheme, theme, token } from "./session.js";
import { suggest } from "./suggest.js";
import { adminView } from "./views/admin.js";
import { incidentView } from "./views/incident.js";
import { incidentsView } from "./views/incidents.js";
import { signIn } from "./views/signin.js";
import { topologyView } from "./views/topology.js";
import { tick } from "./when.js";

const TICK_MS = 15_000;
const NEXT_THEME = { auto: "light", light: "dark", dark: "auto" };
const main = document.getElementById("main");

function top() {
  const place = document.getElementById("top");
  if (!token.get()) {
    fillWith(place, h("a", { class: "brand", href: "/" }, mark(), "aiops"), h("span", { class: "grow" }), themeButton());
    return;
  }
  const search = suggest({
    label: "Find an entity",
    placeholder: "Find an entity  /",
    chosen: (entity) => router.go(`/topology?entity=${encodeURIComponent(entity.id)}`),
  });
  search.input.id = "find";
  fillWith(
    place,
    h("a", { class: "brand", href: "/incidents" }, mark(), "aiops"),
    h(
      "nav",
      { "aria-label": "Views" },
      h("a", { href: "/incidents" }, "Incidents"),
      h("a", { href: "/topology" }, "Topology"),
      h("a", { href: "/admin" }, "Admin"),
    ),
    h("span", { class: "grow" }),
    search.element,
    themeButton(),
    button("?", keys.help, { class: "plain icon keys-button", "aria-label": "Keys", title: "Keys (?)" }),
    button("Sign out", signOut, { class: "plain" }),
  );
}

function mark() {
  return h("img", { src: document.querySelector("link[rel=icon]").href, width: "20", height: "20", alt: "" });
}

function themeButton() {
  const element = button("", () => {
    setTheme(NEXT_THEME[theme()]);
    say();
  }, { class: "plain icon theme" });
  const say = () => {
    const name = theme();
    element.textContent = { auto: "◐", light: "☀", dark: "☾" }[name];
    element.setAttribute("aria-label", `Theme: ${name}. Change to ${NEXT_THEME[name]}`);
    element.title = `Theme: ${name}${name === "auto" ? ` (${isDark() ? "dark" : "light"} now)` : ""}`;
  };
  say();
  return element;
}

function signOut() {
  token.clear();
  open("");
}

function open(why) {
  top();
  if (token.get()) router.show();
  else {
    document.title = "Sign in · aiops";
    fillWith(main, signIn(why, () => open("")));
    main.querySelector("input")?.focus();
  }
}

const guarded = (view) => (place, names, fields) => {
  if (token.get()) return view(place, names, fields);
  open("");
  return null;
};

whenRefused.call = (error) => {
  if (!token.get()) return;
  token.clear();
  open(error.line);
};

router.start(
  [
    [/^\/(?:incidents)?$/, guarded(incidentsView)],
    [/^\/incidents\/([^/]+)$/, guarded(incidentView)],
    [/^\/topology$/, guarded(topologyView)],
    [/^\/admin(?:\/([^/]+))?$/, guarded((place, names, fields) => adminView(place, names.filter(Boolean), fields))],
  ],
  main,
);
keys.start();
keys.bind({
  "?": ["These keys", keys.help],
  "/": ["Find an entity", () => document.getElementById("find")?.focus()],
  g: ["Incidents", () => token.get() && router.go("/incidents")],
  t: ["Topology", () => token.get() && router.go("/topology")],
});
setInterval(tick, TICK_MS);
open("");
