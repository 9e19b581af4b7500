// The explorer: what is served, as a tree; one method, its request and answer; and what happens meanwhile.

import { Answer } from "./answer.js";
import { showMethod, showTypes } from "./docs.js";
import { byId } from "./dom.js";
import { Live } from "./live.js";
import { link, target } from "./memory.js";
import { RequestForm } from "./request.js";
import * as server from "./server.js";
import { isSame, Tree } from "./tree.js";

const tree = new Tree();
const live = new Live();
const answer = new Answer();
const form = new RequestForm(answer);
let state = null;
let refreshing = null;
let again = false;

function find(path) {
  const [service, name] = path.split("/");
  const methods = Object.hasOwn(state.services, service) ? state.services[service] : {};
  return Object.hasOwn(methods, name) ? methods[name] : null;
}

/** Show the method that the address names, or the first one. */
async function navigate() {
  if (state === null) return; // once there is one, it is shown
  const wanted = target(location.hash);
  if (!wanted) {
    if (location.hash) return; // a place on this page
    const [service, methods] = Object.entries(state.services)[0] ?? [];
    const first = Object.keys(methods ?? {})[0];
    if (first) location.replace(link(`${service}/${first}`));
    return;
  }
  const { method: path, messages } = wanted;
  const method = find(path);
  byId("empty").hidden = method !== null;
  byId("empty").textContent = `There is no method ${path}.`;
  byId("method").hidden = method === null;
  tree.current = path;
  document.title = `${path.split("/")[1]} · dynconnect`;
  if (byId("nav").classList.contains("open")) {
    openMenu(false);
    byId("title").focus(); // where the choice leads to
  }
  if (!method || (path === form.path && !messages)) return;
  answer.clear();
  byId("gone").textContent = "";
  const shown = form.show(path, method, messages);
  if (messages) history.replaceState(null, "", link(path)); // from here on it is a draft like any other
  await Promise.all([shown, showMethod(path, method), showTypes(method.request, method.response)]);
}

/** Follow the server: the tree changes in place, and an open request stays. */
async function refresh() {
  again = false;
  const before = state;
  state = await server.state();
  live.reached(true);
  const same = before !== null && isSame(before, state);
  if (!same) server.forget();
  const reloaded = before !== null && !same && state.reload?.number === state.generation;
  if (reloaded) live.news(state.reload); // it may have been missed
  live.state(state);
  tree.show(state);
  if (byId("method").hidden) return navigate();
  if (!same || JSON.stringify(before.refused) !== JSON.stringify(state.refused)) await follow();
}

/** Show the open method as it is now. */
async function follow() {
  const method = find(form.path);
  const change = tree.changed.get(form.path);
  byId("gone").textContent = method
    ? change
      ? `This method is ${change} since the last reload.`
      : ""
    : "This method has gone with the last reload.";
  if (!method) return;
  form.update(method);
  await Promise.all([showMethod(form.path, method), showTypes(method.request, method.response)]);
}

/** Refresh, once more if it is asked for meanwhile. */
function refreshSoon() {
  again = true;
  refreshing ??= (async () => {
    try {
      while (again) await refresh();
    } catch (error) {
      if (!(error instanceof server.Unreachable)) throw error;
      live.reached(false);
      setTimeout(refreshSoon, server.RETRY);
    } finally {
      refreshing = null;
    }
  })();
}

function openMenu(open) {
  byId("nav").classList.toggle("open", open);
  byId("menu").setAttribute("aria-expanded", String(open));
}

function key(event) {
  const typing = event.target.closest?.("input, textarea, select");
  if (event.isComposing) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    if (!byId("method").hidden) void form.send();
  } else if (event.key === "Escape") form.cancel();
  else if (event.key === "/" && !typing) {
    openMenu(true);
    byId("search").focus();
    event.preventDefault();
  }
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names the method
  byId("main").focus();
});
addEventListener("hashchange", () => void navigate());
addEventListener("keydown", key);
byId("menu").addEventListener("click", () => openMenu(!byId("nav").classList.contains("open")));

server.watch(
  {
    calls: (what) => {
      live.calls(what);
      refreshSoon();
    }, // it comes first, each time that the server can be heard
    call: (what) => live.call(what),
    generation: refreshSoon,
    missed: (what) => {
      live.missed(what);
      refreshSoon();
    },
    news: (what) => {
      live.news(what);
      refreshSoon();
    },
  },
  (is) => live.reached(is),
);
