// An editor of one JSON message: a text area over its own text in colours, with completion and marks.

import { fill, h } from "./dom.js";
import { context, place, read } from "./json_text.js";
import { candidates } from "./types.js";

const CHECK_AFTER = 250; // milliseconds without a key
const SHOWN_MAX = 50; // candidates
const COLOURED_MAX = 4000; // tokens

const MOVES = new Set(["ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown"]);

let count = 0;

export class Editor {
  #area;
  #layer = h("pre.layer", { "aria-hidden": "true" });
  #list;
  #fault;
  #candidates = [];
  #chosen = 0;
  #place = null;
  #timer = 0;
  #asked = null;
  #mark = null;
  #type;
  #check;

  /**
   * @param {object} options
   * @param {string} options.label what a screen reader calls it
   * @param {string} options.type the full name of the message's type
   * @param {function(string, AbortSignal): Promise<?object>} options.check says what is wrong with a text
   * @param {function(): void} options.changed hears of every edit
   */
  constructor({ label, type, check, changed }) {
    const id = `editor-${(count += 1)}`;
    this.#type = type;
    this.#check = check;
    this.#list = h("ul.completions", {
      id: `${id}-list`,
      role: "listbox",
      "aria-label": "Completions",
      hidden: true,
    });
    this.#fault = h("p.fault", { id: `${id}-fault`, role: "status" });
    this.#area = h("textarea", {
      id,
      rows: 3,
      spellcheck: "false",
      autocomplete: "off",
      autocapitalize: "off",
      "aria-label": label,
      "aria-controls": `${id}-list`,
      "aria-describedby": `${id}-fault`,
      "aria-autocomplete": "list",
      oninput: (event) => {
        changed();
        this.#edited(event);
      },
      onkeydown: (event) => this.#key(event),
      onblur: () => this.#close(),
      onclick: () => this.#close(),
    });
    this.element = h("div.editor", {}, h("div.sheet", {}, this.#layer, this.#area, this.#list), this.#fault);
  }

  get value() {
    return this.#area.value;
  }

  set value(text) {
    this.#area.value = text;
    this.#mark = null;
    this.#close();
    this.#look();
  }

  /** Expect messages of this type from now on. */
  set type(type) {
    this.#type = type;
    this.#look();
  }

  focus() {
    this.#area.focus();
  }

  /** Put another text in the place of this one, as if it were typed. */
  replace(text) {
    this.focus();
    this.#area.select();
    this.#insert(text);
    this.#close();
  }

  #edited(event) {
    this.#mark = null;
    this.#look();
    const typed = event.inputType === "insertText" && /["\w]/.test(event.data ?? "");
    if (typed || (!this.#list.hidden && event.inputType?.startsWith("delete"))) void this.#complete();
    else this.#close();
  }

  /** Colour the text, and have it checked once the typing pauses. */
  #look() {
    const { tokens, error } = read(this.value);
    this.#paint(tokens);
    clearTimeout(this.#timer);
    this.#asked?.abort();
    this.#timer = setTimeout(() => {
      if (error) this.#show({ level: "error", what: error.what }, error, tokens);
      else void this.#ask(tokens);
    }, CHECK_AFTER);
  }

  async #ask(tokens) {
    this.#asked = new AbortController();
    try {
      const fault = await this.#check(this.value, this.#asked.signal);
      this.#show(fault, fault && place(tokens, fault.steps, fault.name), tokens);
    } catch (error) {
      if (error.name !== "AbortError") throw error; // it was edited meanwhile
    }
  }

  /** Say what is wrong, and mark where. */
  #show(fault, where, tokens) {
    this.#mark = fault && where ? { ...where, level: fault.level } : null;
    const steps = fault?.steps?.length ? `${path(fault.steps)}: ` : "";
    const line = where ? `line ${this.value.slice(0, where.start).split("\n").length}, ` : "";
    const ignored = fault?.level === "warning" ? " (it will be ignored)" : "";
    this.#fault.textContent = fault ? `${line}${steps}${fault.what}${ignored}` : "";
    this.#fault.dataset.level = fault?.level ?? "";
    this.#area.setAttribute("aria-invalid", String(fault?.level === "error"));
    this.#paint(tokens);
  }

  #paint(tokens) {
    fill(this.#layer, ...coloured(this.value, tokens, this.#mark), "\n");
  }

  #key(event) {
    if (event.isComposing) return; // an input method has a use for it
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      void this.#complete();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      this.#close();
    } else if (!this.#list.hidden) {
      this.#keyInList(event);
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.#insert(`\n${indentation(this.value.slice(0, this.#area.selectionStart))}`);
    }
  }

  #keyInList(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves) this.#choose(this.#chosen + moves[event.key]);
    else if (event.key === "Enter" || event.key === "Tab") this.#take(this.#candidates[this.#chosen]);
    else if (event.key === "Escape") this.#close();
    else {
      if (MOVES.has(event.key)) this.#close(); // the caret leaves what would be completed
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  async #complete() {
    const text = this.value;
    const found = context(text, this.#area.selectionStart);
    const options = found ? await candidates(this.#type, found) : [];
    if (text !== this.value || document.activeElement !== this.#area) return; // typing went on meanwhile
    this.#place = found;
    this.#candidates = options.slice(0, SHOWN_MAX);
    if (!options.length) return this.#close();
    fill(
      this.#list,
      ...this.#candidates.map((option, at) =>
        h(
          "li",
          {
            id: `${this.#list.id}-${at}`,
            role: "option",
            onmousedown: (event) => {
              event.preventDefault();
              this.#take(option);
            },
          },
          h("span", {}, option.label),
          h("span.quiet", {}, option.note),
        ),
      ),
    );
    this.#list.hidden = false;
    this.#choose(0);
    this.#put();
  }

  /** Put the list below the caret. */
  #put() {
    const range = document.createRange();
    const sheet = this.element.firstChild.getBoundingClientRect();
    let left = this.#place.start;
    const walker = document.createTreeWalker(this.#layer, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (left <= node.length) {
        range.setStart(node, left);
        break;
      }
      left -= node.length;
    }
    const box = range.getBoundingClientRect();
    const most = Math.max(0, sheet.width - this.#list.offsetWidth);
    this.#list.style.left = `${Math.min(box.left - sheet.left, most)}px`;
    this.#list.style.top = `${box.bottom - sheet.top}px`;
  }

  #choose(at) {
    this.#chosen = (at + this.#candidates.length) % this.#candidates.length;
    [...this.#list.children].forEach((option, index) => {
      option.setAttribute("aria-selected", String(index === this.#chosen));
    });
    const chosen = this.#list.children[this.#chosen];
    this.#area.setAttribute("aria-activedescendant", chosen.id);
    chosen.scrollIntoView({ block: "nearest" });
  }

  #take(option) {
    const { start, end } = this.#place;
    const named = this.#place.wants === "key" && /^\s*:/.test(this.value.slice(end));
    this.#area.setSelectionRange(start, end);
    this.#insert(named ? option.name : option.insert);
    if (!named && option.back) {
      const caret = this.#area.selectionStart - option.back;
      this.#area.setSelectionRange(caret, caret);
    }
    this.#close();
  }

  #close() {
    this.#list.hidden = true;
    this.#area.removeAttribute("aria-activedescendant");
  }

  /** Put text in the place of the selection, as typing does, so that it can be undone. */
  #insert(text) {
    if (!document.execCommand("insertText", false, text)) {
      this.#area.setRangeText(text, this.#area.selectionStart, this.#area.selectionEnd, "end");
      this.#area.dispatchEvent(new InputEvent("input"));
    }
  }
}

/** The text in colours, unless it is too long for a page to be quick with, of which a part is marked. */
export function coloured(text, tokens, mark = null) {
  if (tokens.length > COLOURED_MAX) {
    const { start, end } = mark ?? { start: 0, end: 0 };
    const marked = h("span", { "data-mark": mark?.level }, text.slice(start, end));
    return [text.slice(0, start), marked, text.slice(end)];
  }
  const parts = [];
  let at = 0;
  for (const token of tokens) {
    if (token.start > at) parts.push(text.slice(at, token.start));
    const marked = mark && token.start < mark.end && token.end > mark.start;
    parts.push(h(`span.${token.kind}`, { "data-mark": marked ? mark.level : null }, token.text));
    at = token.end;
  }
  parts.push(text.slice(at));
  return parts;
}

function path(steps) {
  return steps
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`))
    .join("")
    .replace(/^\./, "");
}

/** The space that the next line begins with, behind this text. */
function indentation(before) {
  const line = before.slice(before.lastIndexOf("\n") + 1);
  return line.match(/^\s*/)[0] + (/[{[]\s*$/.test(line) ? "  " : "");
}
