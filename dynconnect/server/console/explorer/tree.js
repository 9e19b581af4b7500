// The services and their methods, with what binds each, and a search.

import { byId, fill, h } from "./dom.js";
import { link } from "./memory.js";

/** What binds a method: a word, and more of it. */
function binding(method) {
  if (method.broken) return ["broken", `${method.boundBy}, whose file has an edit that was refused`];
  if (method.boundBy) return ["handler", method.boundBy];
  return method.mock
    ? ["mock", "answers are made up: there is no handler"]
    : ["unbound", "there is no handler"];
}

/** The shape of a method in words. */
export function shape({ clientStreaming, serverStreaming }) {
  if (clientStreaming) return serverStreaming ? "bidi stream" : "client stream";
  return serverStreaming ? "server stream" : "unary";
}

/** The badges of a method. */
export function badges(method) {
  const [word, more] = binding(method);
  return [
    h(`span.badge.${word}`, { title: more }, word),
    h("span.badge", {}, shape(method)),
    method.noSideEffects &&
      h("span.badge", { title: "it changes nothing, and may be asked by GET" }, "idempotent"),
    method.deprecated && h("span.badge.broken", {}, "deprecated"),
  ];
}

export class Tree {
  #state = null;
  #links = [];
  #current = null;
  #changed = new Map(); // by method: what became of it in the last reload
  #closed = new Set(); // services

  constructor() {
    byId("search").addEventListener("input", () => this.#filter());
    byId("search").addEventListener("keydown", (event) => this.#fromSearch(event));
    byId("tree").addEventListener("keydown", (event) => this.#walk(event));
  }

  /** Show this state; what differs from the one before is marked. */
  show(state) {
    if (this.#state && !isSame(this.#state, state)) this.#changed = changes(this.#state, state);
    this.#state = state;
    const focused = document.activeElement?.dataset?.method;
    this.#links = [];
    fill(
      byId("tree"),
      ...Object.entries(state.services).map(([name, methods]) => this.#service(name, methods)),
    );
    this.#filter();
    this.#mark();
    this.#links.find((each) => each.dataset.method === focused)?.focus();
  }

  /** What became of methods in the last reload, "new" or "changed", by their paths. */
  get changed() {
    return this.#changed;
  }

  /** Mark this method as the one that is shown. */
  set current(method) {
    this.#current = method;
    this.#mark();
  }

  #mark() {
    for (const each of this.#links) {
      if (each.dataset.method === this.#current) each.setAttribute("aria-current", "page");
      else each.removeAttribute("aria-current");
    }
  }

  #service(name, methods) {
    const note = ({ target }) => {
      if (this.#words().length) return; // the search has opened it
      if (target.open) this.#closed.delete(name);
      else this.#closed.add(name);
    };
    return h(
      "details.service",
      { open: !this.#closed.has(name), ontoggle: note, "data-service": name },
      h("summary", {}, ...named(name)),
      h(
        "ul",
        {},
        ...Object.entries(methods).map(([method, each]) => this.#method(`${name}/${method}`, method, each)),
      ),
    );
  }

  #method(path, name, method) {
    const [word, more] = binding(method);
    const change = this.#changed.get(path);
    const streams = shape(method);
    const element = h(
      "a",
      { href: link(path), "data-method": path, "data-change": change, title: more },
      h("span.name", {}, name),
      change && h("span.change", {}, change),
      method.noSideEffects && h("span.shape", { title: "it changes nothing" }, "idempotent"),
      streams !== "unary" && h("span.shape", { title: streams, "aria-label": streams }, arrows(method)),
      h(`span.badge.${word}`, {}, word),
    );
    element.dataset.text = `${path} ${method.request} ${method.response}`.toLowerCase();
    this.#links.push(element);
    return h("li", {}, element);
  }

  #words() {
    return byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  }

  #filter() {
    const words = this.#words();
    let found = 0;
    for (const each of this.#links) {
      const fits = words.every((word) => each.dataset.text.includes(word));
      each.parentElement.hidden = !fits;
      found += fits ? 1 : 0;
    }
    for (const service of byId("tree").children) {
      service.hidden = !service.querySelector("li:not([hidden])");
      service.open = words.length > 0 || !this.#closed.has(service.dataset.service);
    }
    byId("found").textContent = words.length ? `${found} of ${this.#links.length} methods` : "";
  }

  #fromSearch(event) {
    const first = this.#visible()[0];
    if (event.key === "ArrowDown") first?.focus();
    else if (event.key === "Enter") first?.click();
    else if (event.key === "Escape" && event.target.value) {
      event.target.value = "";
      this.#filter();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Arrow keys go through the methods. */
  #walk(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    const links = this.#visible();
    const at = links.indexOf(document.activeElement);
    if (!(event.key in moves) || at < 0) return;
    event.preventDefault();
    const next = links[at + moves[event.key]];
    (next ?? (event.key === "ArrowUp" ? byId("search") : links[at])).focus();
  }

  #visible() {
    return this.#links.filter((each) => each.offsetParent !== null);
  }
}

function arrows({ clientStreaming, serverStreaming }) {
  return `${clientStreaming ? "⇉" : "→"}${serverStreaming ? "⇇" : "←"}`;
}

/** A full name, of which the package stands back. */
function named(name) {
  const at = name.lastIndexOf(".") + 1;
  return [h("span.package", {}, name.slice(0, at)), h("span", {}, name.slice(at))];
}

/** Whether it is the same generation in both; another process begins to count anew. */
export function isSame(one, other) {
  return one.generation === other.generation && one.hash === other.hash;
}

/** What became of each method that is not as it was. */
function changes(before, after) {
  const old = flat(before);
  const found = new Map();
  for (const [path, method] of flat(after)) {
    if (!old.has(path)) found.set(path, "new");
    else if (old.get(path).digest !== method.digest) found.set(path, "changed");
  }
  return found;
}

function flat({ services }) {
  const pairs = Object.entries(services).flatMap(([name, methods]) =>
    Object.entries(methods).map(([method, each]) => [`${name}/${method}`, each]),
  );
  return new Map(pairs);
}
