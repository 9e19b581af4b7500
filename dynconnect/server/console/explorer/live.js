// What happens in the server while the page is open: calls, reloads, and edits that it refuses.

import { byId, fill, h, milliseconds } from "./dom.js";
import { link } from "./memory.js";

const CALLS_MAX = 200;
const CHANGES_MAX = 12;

export class Live {
  #count = 0;
  #calls = []; // those that have no row yet, oldest first
  #drawing = false;

  constructor() {
    byId("log").addEventListener("toggle", () => this.#draw());
    new ResizeObserver(([{ target }]) => {
      // what is sticky stands below it
      document.documentElement.style.setProperty("--above", `${target.offsetHeight}px`);
    }).observe(byId("refused"));
    byId("fold").addEventListener("click", () => {
      const folded = byId("refused").classList.toggle("folded");
      byId("fold").textContent = folded ? "Unfold" : "Fold";
      byId("fold").setAttribute("aria-expanded", String(!folded));
    });
  }

  /** Whether the server answers. */
  reached(is) {
    byId("connection").textContent = is ? "" : "The server can't be reached; trying again…";
  }

  /** Which generation serves, and what is wrong with the files, if they are not what it serves. */
  state({ generation, refused }) {
    byId("generation").textContent = `generation ${generation}`;
    byId("serving").textContent = `Generation ${generation} still serves.`;
    byId("refused").hidden = !refused.length;
    fill(
      byId("findings"),
      ...refused.map(({ where, what, hint }) =>
        h("li", {}, h("code", {}, where), h("span.what", {}, what), hint && h("span.hint", {}, hint)),
      ),
    );
  }

  /** What the server says of a reload. */
  news(news) {
    if (news.kind === "swapped") this.#swapped(news);
    else if (news.kind === "undone" && news.before !== null)
      this.#notice(
        `Generation ${news.number} is generation ${news.before} once more, until the next edit.`,
        [],
      );
    else if (news.kind === "mended")
      this.#notice(`The files are again what generation ${news.serving} serves.`, []);
    else if (news.kind === "held")
      this.#notice(`The edit waits: calls of generation ${news.draining.join(", ")} still run.`, []);
    else if (news.kind === "refused") byId("notice").hidden = true;
  }

  #swapped({ number, edited, changes, breaking, seconds }) {
    const what = edited.length ? ` ${edited.join(", ")}` : "";
    const broken = breaking.map((one) =>
      h("li.breaking", {}, `${one.element} ${one.what} (breaks ${one.level}; ${one.where})`),
    );
    this.#notice(`Generation ${number} serves.${what} (${milliseconds(seconds * 1000)})`, [
      ...changes.map((change) => h("li", {}, change)),
      ...broken,
    ]);
  }

  #notice(text, lines) {
    const shown = lines.slice(0, CHANGES_MAX);
    const more = lines.length - shown.length;
    const close = h(
      "button",
      {
        type: "button",
        "aria-label": "Close",
        onclick: () => {
          byId("notice").hidden = true;
        },
      },
      "×",
    );
    fill(
      byId("notice"),
      h("span", {}, text),
      close,
      lines.length > 0 && h("ul", {}, ...shown, more > 0 && h("li", {}, `and ${more} more`)),
    );
    byId("notice").hidden = false;
  }

  /** The last calls, oldest first, as the page begins to listen. */
  calls({ calls }) {
    fill(byId("calls"));
    this.#calls = [];
    this.#count = 0;
    calls.forEach((call) => this.call(call));
  }

  /** A call has ended. */
  call(call) {
    this.#calls.push(call);
    if (this.#calls.length > CALLS_MAX) this.#calls.shift();
    this.#said(1);
  }

  /** So many events could not be told: there were too many. */
  missed({ count }) {
    this.#said(count);
  }

  #said(count) {
    this.#count += count;
    this.#draw();
  }

  /** Show the log in the next frame, and its rows if it is open: a server may be faster than a page. */
  #draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      byId("log-count").textContent = `(${this.#count})`;
      if (!byId("log").open) return;
      byId("calls").prepend(...this.#calls.map(row).reverse());
      this.#calls = [];
      while (byId("calls").children.length > CALLS_MAX) byId("calls").lastChild.remove();
    });
  }
}

function row({ at, method, protocol, code, milliseconds: took, generation }) {
  const time = new Date(at * 1000);
  const cells = [
    h("time", { datetime: time.toISOString() }, time.toLocaleTimeString()),
    h("a", { href: link(method) }, method),
    protocol,
    h(`span.code.${code === "ok" ? "ok" : "failed"}`, {}, code),
    milliseconds(took),
    String(generation),
  ];
  return h("tr", {}, ...cells.map((cell) => h("td", {}, cell)));
}
