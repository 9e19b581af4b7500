// What a call has brought: messages as they come, then how it ended.

import { bytes, byId, fill, h, milliseconds, table } from "./dom.js";
import { coloured } from "./editor.js";
import { pretty, read } from "./json_text.js";

const SHOWN_MAX = 500; // messages of a stream
const CHARACTERS_MAX = 3_000_000; // of all of them
const READ_MAX = 500_000; // characters of one message; of a longer one so many are shown, as they came

export class Answer {
  #count = 0;
  #waiting = []; // messages for the next frame: a stream may be faster than a page
  #sizes = []; // of the messages that are shown or wait, in characters
  #source = null;

  /** Nothing is shown: another method is. */
  clear() {
    this.#empty();
    byId("outcome").textContent = "";
  }

  /** A call begins. */
  begin() {
    this.#empty();
    byId("outcome").textContent = "waiting…";
    byId("answer").scrollIntoView({ block: "nearest" }); // on a phone it is below the request
  }

  #empty() {
    this.#count = 0;
    this.#waiting = [];
    this.#sizes = [];
    this.#source = null;
    fill(byId("responses"));
    byId("dropped").textContent = "";
    byId("error").hidden = true;
    byId("metadata").hidden = true;
    delete byId("outcome").dataset.code;
  }

  /** @param {Response} response whose body is still to come */
  headers(response) {
    this.#source = response.headers.get("dynconnect-source");
    byId("outcome").textContent = "receiving…";
  }

  /** A message has come, so many milliseconds after the call began. */
  message(text, after) {
    this.#count += 1;
    this.#waiting.push({ text, after, number: this.#count });
    this.#sizes.push(Math.min(text.length, READ_MAX));
    if (this.#waiting.length === 1) requestAnimationFrame(() => this.#flush());
    this.#bound();
  }

  /** Let go of the first messages, if there are too many, or too long ones. */
  #bound() {
    const list = byId("responses");
    let size = this.#sizes.reduce((sum, each) => sum + each, 0);
    while (this.#sizes.length > 1 && (this.#sizes.length > SHOWN_MAX || size > CHARACTERS_MAX)) {
      size -= this.#sizes.shift();
      if (list.firstChild) list.firstChild.remove();
      else this.#waiting.shift();
    }
  }

  #flush() {
    const list = byId("responses");
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 40;
    list.append(
      ...this.#waiting.map(({ text, after, number }) =>
        h("li", { value: number }, h("span.quiet", {}, milliseconds(after)), h("pre", {}, ...shown(text))),
      ),
    );
    this.#waiting = [];
    const dropped = this.#count - list.children.length;
    byId("dropped").textContent = dropped > 0 ? `The first ${dropped} messages are not shown any more.` : "";
    if (atEnd && this.#count > 1) list.scrollTop = list.scrollHeight;
  }

  /** @param {import("./connect.js").Outcome} outcome */
  end(outcome, took) {
    this.#flush();
    const { error, headers } = outcome;
    const value = (name) => headers.find(([each]) => each === name)?.[1];
    const parts = [
      error?.code ?? "ok",
      outcome.status && `HTTP ${outcome.status}`,
      milliseconds(took),
      outcome.status && bytes(outcome.size),
      this.#count !== 1 && !error && `${this.#count} messages`,
      value("dynconnect-generation") && `generation ${value("dynconnect-generation")}`,
      this.#source,
    ];
    byId("outcome").textContent = parts.filter(Boolean).join(" · ");
    byId("outcome").dataset.code = error ? "failed" : "ok";
    this.#showError(error);
    this.#showMetadata(outcome);
  }

  #showError(error) {
    byId("error").hidden = !error;
    if (!error) return;
    fill(
      byId("error"),
      h("p", {}, h("strong", {}, error.code), " ", error.message),
      error.details.length > 0 && h("ul", {}, ...error.details.map(detail)),
    );
  }

  #showMetadata({ headers, trailers }) {
    byId("metadata").hidden = !headers.length && !trailers.length;
    const rows = (pairs) => pairs.map(([name, value]) => [h("code", {}, name), h("code", {}, value)]);
    fill(
      byId("metadata-tables"),
      table("Headers", ["Name", "Value"], rows(headers)),
      trailers.length
        ? table("Trailers", ["Name", "Value"], rows(trailers))
        : h("p.quiet", {}, "There were no trailers."),
    );
  }
}

/** A detail of an error: its message, or its bytes where nobody could read it. */
function detail({ type, value, debug }) {
  const known = debug !== undefined && debug !== null;
  return h(
    "li",
    {},
    h("strong", {}, String(type)),
    h("pre", {}, ...(known ? shown(JSON.stringify(debug)) : [`base64 ${value}`])),
  );
}

function shown(text) {
  if (text.length > READ_MAX) {
    const all = h("button", { type: "button", onclick: () => all.parentElement.replaceChildren(text) });
    all.textContent = `Show all ${text.length} characters`;
    return [`${text.slice(0, READ_MAX)}… `, all];
  }
  const lines = pretty(text);
  return coloured(lines, read(lines).tokens);
}
