/** Who reads. A token is tried before it is kept, and a refusal says why. */

import { ApiError, get } from "../api.js";
import { fillWith, h } from "../dom.js";
import { failure, field } from "../parts.js";
import { token } from "../session.js";

/** What the page needs at least. */
const TRY = "/incidents?limit=1";

export function signIn(why, done) {
  const input = h("input", { type: "password", name: "token", autocomplete: "current-password", spellcheck: "false", required: true, placeholder: "aiops_…" });
  const said = h("div", { class: "said" }, why && h("p", { class: "notice bad", role: "alert" }, h("strong", {}, "You were signed out. "), why));
  const enter = h("button", { type: "submit", class: "primary" }, "Sign in");

  async function tried(event) {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    enter.disabled = true;
    try {
      await get(TRY, { bearer: text });
      token.set(text);
      done();
    } catch (error) {
      fillWith(said, refusal(error));
      input.focus();
    } finally {
      enter.disabled = false;
    }
  }

  return h(
    "div",
    { class: "sign-in" },
    h("h1", {}, "Sign in"),
    h("p", {}, "With a token that may read incidents. It stays in this tab and is forgotten when the tab closes."),
    said,
    h("form", { on: { submit: tried } }, field("Token", input), enter),
    h(
      "details",
      {},
      h("summary", {}, "Where do I get one?"),
      h("p", {}, "From whoever runs this server: in ", h("b", {}, "Admin"), ", by ", h("code", {}, "aiops token create"), ", or, for the first administrator, what ", h("code", {}, "AIOPS_BOOTSTRAP_TOKEN"), " held when the server started."),
      h("p", {}, "Reading needs the scopes ", h("code", {}, "incidents:read"), " and ", h("code", {}, "topology:read"), "; acting also ", h("code", {}, "incidents:write"), " and ", h("code", {}, "analysis:run"), "."),
    ),
  );
}

function refusal(error) {
  if (error instanceof ApiError && error.status === 401) {
    return h("p", { class: "notice bad", role: "alert" }, h("strong", {}, "The token was refused. "), "It is unknown, revoked or expired. Check that it was copied whole.");
  }
  if (error instanceof ApiError && error.status === 403) {
    const scope = error.problem.scope ?? "incidents:read";
    return h("p", { class: "notice bad", role: "alert" }, h("strong", {}, "The token is too narrow. "), "It is valid, but lacks the scope ", h("code", {}, scope), ", which this page needs.");
  }
  return failure(error);
}
