// The request that is written, and sent: one message, or a list of them where the client streams.

import { call } from "./connect.js";
import { FORMS } from "./copy.js";
import { byId, fill, h, milliseconds, toClipboard } from "./dom.js";
import { Editor } from "./editor.js";
import { pretty } from "./json_text.js";
import { clearHistory, headersKept, keepHeaders, link, pastCalls, remember } from "./memory.js";
import { check, example } from "./server.js";

const LINK = "Link";

export class RequestForm {
  #path = null;
  #method = null;
  #editors = [];
  #count = 0; // of the editors that there were for this method
  #drafts = new Map(); // by method: its messages
  #abort = null;
  #answer;

  /** @param {import("./answer.js").Answer} answer */
  constructor(answer) {
    this.#answer = answer;
    byId("headers").value = headersKept();
    byId("headers").addEventListener("input", () => this.#headers());
    byId("add").addEventListener("click", () => this.#add("{}").focus());
    byId("example").addEventListener("click", () => void this.#example((text) => this.#insert(text)));
    byId("send").addEventListener("click", () => void this.send());
    byId("cancel").addEventListener("click", () => this.cancel());
    byId("copy").addEventListener("click", () => void this.#copy());
    byId("clear").addEventListener("click", () => {
      clearHistory();
      this.#showHistory();
    });
    fill(byId("copy-as"), ...[...Object.keys(FORMS), LINK].map((name) => h("option", {}, name)));
    this.#showHistory();
  }

  get path() {
    return this.#path;
  }

  /** Show a method, with these messages, or those that were written before, or else an example. */
  async show(path, method, messages = null) {
    this.#drop();
    if (this.#path !== null) this.#drafts.set(this.#path, this.#messages());
    this.#path = path;
    this.#method = method;
    byId("copied").hidden = true;
    byId("copied-note").textContent = "";
    const known = messages ?? this.#drafts.get(path);
    this.#fill(known ?? ["{}"]);
    if (!known) await this.#example((text) => this.#begin(text));
  }

  /** Another generation serves, with this method; what is written stays. */
  update(method) {
    const streamed = this.#method.clientStreaming;
    this.#method = method;
    if (streamed !== method.clientStreaming) this.#fill(this.#messages());
    else for (const editor of this.#editors) editor.type = method.request;
  }

  /** Let `take` have an example, unless another method is shown meanwhile. */
  async #example(take) {
    const path = this.#path;
    const text = await example(path);
    if (text !== null && this.#path === path) take(pretty(text));
  }

  /** Begin with an example in the editor that there is, unless somebody has begun already. */
  #begin(text) {
    if (this.#messages().join() === "{}") this.#editors[0].value = text;
  }

  /** Put an example where the first message is; it can be undone. */
  #insert(text) {
    const first = this.#editors[0] ?? this.#add("");
    first.replace(text);
  }

  #fill(messages) {
    const streams = this.#method.clientStreaming;
    this.#editors = [];
    this.#count = 0;
    fill(byId("messages"));
    for (const text of streams ? messages : messages.slice(0, 1)) this.#add(text);
    byId("add").hidden = !streams;
  }

  #add(text) {
    const path = this.#path;
    const number = (this.#count += 1);
    const editor = new Editor({
      label: `Message of the request ${number}, JSON of ${this.#method.request}`,
      type: this.#method.request,
      check: (value, signal) => check(path, value, signal),
      changed: () => {
        byId("copied").hidden = true;
      },
    });
    editor.value = text;
    const item = h("li", {}, editor.element);
    if (this.#method.clientStreaming) {
      const remove = () => {
        this.#editors.splice(this.#editors.indexOf(editor), 1);
        item.remove();
        byId("add").focus();
      };
      item.append(
        h(
          "button.remove",
          { type: "button", onclick: remove, "aria-label": `Remove message ${number}` },
          "Remove",
        ),
      );
    }
    this.#editors.push(editor);
    byId("messages").append(item);
    return editor;
  }

  #messages() {
    return this.#editors.map((editor) => editor.value);
  }

  /** The headers that are to be sent; null if a line is none, which is said. */
  #headers() {
    const text = byId("headers").value;
    keepHeaders(text);
    const pairs = [];
    let fault = "";
    for (const line of text.split("\n").filter((each) => each.trim())) {
      const [, name, value] = /^\s*([^:\s]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
      const wrong = name ? "browsers send no such header" : "this is no header; write name: value";
      if (sendable(name, value)) pairs.push([name, value]);
      else fault ||= `${line.trim()}: ${wrong}`;
    }
    byId("headers-fault").textContent = fault;
    return fault ? null : pairs;
  }

  /** All that a call is made of; null if something is not right, which is said. */
  #request() {
    const headers = this.#headers();
    const deadline = byId("deadline");
    if (headers === null || !deadline.checkValidity()) {
      byId("headers").closest("details").open = true;
      (headers === null ? byId("headers") : deadline).focus();
      deadline.reportValidity();
      return null;
    }
    const { clientStreaming, serverStreaming } = this.#method;
    return {
      origin: location.origin,
      path: this.#path,
      streaming: clientStreaming || serverStreaming,
      clientStreaming,
      messages: this.#messages(),
      headers,
      timeout: deadline.value ? Number(deadline.value) : null,
    };
  }

  /** Call the method. */
  async send() {
    const request = this.#path && !this.#abort ? this.#request() : null;
    if (!request) return;
    const abort = (this.#abort = new AbortController());
    this.#running(true);
    this.#answer.begin();
    const began = performance.now();
    const outcome = await call(
      request,
      abort.signal,
      (text) => this.#abort === abort && this.#answer.message(text, performance.now() - began),
      (response) => this.#abort === abort && this.#answer.headers(response),
    );
    if (this.#abort !== abort) return; // another method is shown, or this one anew
    const took = performance.now() - began;
    this.#abort = null;
    this.#running(false);
    this.#answer.end(outcome, took);
    remember({
      method: request.path,
      messages: request.messages,
      at: Date.now(),
      code: outcome.error?.code ?? "ok",
      milliseconds: took,
    });
    this.#showHistory();
  }

  /** Give up the call that runs. */
  cancel() {
    this.#abort?.abort();
  }

  /** Give it up, and show nothing of it any more. */
  #drop() {
    this.#abort?.abort();
    this.#abort = null;
    this.#running(false);
  }

  #running(runs) {
    const [from, to] = runs ? ["send", "cancel"] : ["cancel", "send"];
    const focused = document.activeElement === byId(from);
    byId(to).disabled = false;
    if (focused) byId(to).focus(); // who is disabled loses it to nobody
    byId(from).disabled = true;
    byId("send").textContent = runs ? "Sending…" : "Send";
  }

  async #copy() {
    const request = this.#request();
    if (!request) return;
    const name = byId("copy-as").value;
    const text =
      name === LINK ? `${location.origin}/${link(this.#path, request.messages)}` : FORMS[name](request);
    byId("copied").textContent = text;
    byId("copied").hidden = false;
    byId("copied-note").textContent = (await toClipboard(text))
      ? `${name} is on the clipboard.`
      : "The browser does not let this page copy: select it here.";
  }

  #showHistory() {
    const all = pastCalls();
    byId("past").hidden = !all.length;
    fill(
      byId("history"),
      ...all.map((past) =>
        h(
          "li",
          {},
          h(
            "a",
            { href: link(past.method, past.messages), title: past.messages.join("\n").slice(0, 500) },
            h("time", { datetime: new Date(past.at).toISOString() }, new Date(past.at).toLocaleTimeString()),
            " ",
            past.method.split("/")[1],
            " ",
          ),
          h(`span.code.${past.code === "ok" ? "ok" : "failed"}`, {}, past.code),
          " ",
          h("span.quiet", {}, milliseconds(past.milliseconds)),
        ),
      ),
    );
  }
}

/** Whether a browser sends such a header. */
function sendable(name, value) {
  try {
    return name !== undefined && new Request(location.href, { headers: [[name, value]] }).headers.has(name);
  } catch {
    return false;
  }
}
