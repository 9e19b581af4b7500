// JSON as a person types it: tokens with their places, what is wrong first, and what the caret is in.
// Nothing in here knows of a page.

const KINDS = {
  space: /\s+/,
  string: /"(?:[^"\\\n]|\\.)*"?/, // as far as it goes, if it does not end
  number: /-?\d[\d.eE+-]*/,
  word: /[A-Za-z_$][\w$]*/,
  sign: /[{}[\]:,]/,
  bad: /./,
};
const TOKEN = new RegExp(
  Object.entries(KINDS)
    .map(([kind, { source }]) => `(?<${kind}>${source})`)
    .join("|"),
  "gsu",
);

/**
 * @typedef {{kind: string, text: string, start: number, end: number, steps: ?Array<string|number>}} Token
 *     kind: "key", "string", "number", "word", "sign" or "bad"; steps: the way to the value it is, or names
 * @typedef {object} Level an object or array that has begun
 * @property {Array<string|number>} steps the way to it
 * @property {Set<string>} names that it has
 * @property {string} kind its first sign
 * @property {number} index of the item that is read
 * @property {?string} key of the member that is read
 */

/** Reads tokens one after the other, and knows what may come next. */
class Reader {
  constructor() {
    /** @type {Level[]} */
    this.levels = [];
    this.wants = "value"; // or "key", "colon", "comma", "end"
    this.first = false; // whether the object or array has just begun, and may end
    this.error = null;
  }

  /** The way to the value that is wanted or named now. */
  get steps() {
    const level = this.levels.at(-1);
    if (!level) return [];
    return [...level.steps, level.kind === "{" ? level.key : level.index];
  }

  /** @param {Token} token */
  take(token) {
    const { kind, text } = token;
    if (kind === "sign" && (text === "}" || text === "]")) return this.#close(token);
    if (this.wants === "key" && kind === "string") return this.#key(token);
    if (this.wants === "value" && kind !== "bad") return this.#value(token);
    if (this.wants === "colon" && text === ":") return void (this.wants = "value");
    if (this.wants === "comma" && text === ",") return this.#next();
    this.#fail(token);
  }

  #key(token) {
    const level = this.levels.at(-1);
    token.kind = "key";
    level.key = unquoted(token.text);
    level.names.add(level.key);
    token.steps = this.steps;
    this.wants = "colon";
    this.first = false;
    this.#complete(token);
  }

  #value(token) {
    const { kind, text } = token;
    token.steps = this.steps;
    if (text === "{" || text === "[") {
      this.levels.push({ steps: token.steps, names: new Set(), kind: text, index: 0, key: null });
      this.wants = text === "{" ? "key" : "value";
      this.first = true;
      return;
    }
    const fits = kind === "string" || kind === "number" || ["true", "false", "null"].includes(text);
    if (!fits) this.#fail(token);
    else this.#complete(token);
    this.#ended();
  }

  #complete(token) {
    if (token.text[0] !== '"' && token.kind !== "number") return;
    try {
      JSON.parse(token.text);
    } catch {
      this.error ??= {
        start: token.start,
        end: token.end,
        what:
          token.kind === "number"
            ? "this is no number"
            : "this text does not end, or has a character that JSON writes by an escape",
      };
    }
  }

  #close(token) {
    const level = this.levels.at(-1);
    const opens = token.text === "}" ? "{" : "[";
    if (!level || level.kind !== opens || !(this.wants === "comma" || this.first)) return this.#fail(token);
    this.levels.pop();
    token.steps = level.steps;
    this.#ended();
  }

  #ended() {
    this.first = false;
    this.wants = this.levels.length ? "comma" : "end";
  }

  #next() {
    const level = this.levels.at(-1);
    level.index += 1;
    this.wants = level.kind === "{" ? "key" : "value";
    this.first = false;
  }

  #fail(token) {
    const wanted = {
      value: "a value",
      key: "a name in quotes",
      colon: "a colon",
      comma: "a comma or the end",
      end: "nothing more",
    };
    this.error ??= {
      start: token.start,
      end: token.end,
      what: `expected ${wanted[this.wants]}, got ${token.text}`,
    };
  }
}

/** @returns {Iterable<Token>} the tokens, without the space between them */
function* scan(text) {
  for (const found of text.matchAll(TOKEN)) {
    const kind = Object.keys(found.groups).find((name) => found.groups[name] !== undefined);
    if (kind === "space") continue;
    yield { kind, text: found[0], start: found.index, end: found.index + found[0].length, steps: null };
  }
}

function unquoted(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text.replace(/^"|"$/g, "");
  }
}

/**
 * Read a document.
 * @param {string} text
 * @returns {{tokens: Token[], error: ?{start: number, end: number, what: string}}}
 */
export function read(text) {
  const reader = new Reader();
  const tokens = [...scan(text)];
  for (const token of tokens) reader.take(token);
  if (!reader.error && reader.wants !== "end") {
    const what = tokens.length ? "the document ends too soon" : "an empty message is {}";
    reader.error = { start: Math.max(0, text.trimEnd().length - 1), end: text.length, what };
  }
  return { tokens, error: reader.error };
}

/**
 * The first token of a value in a document, or of its name; null if there is none.
 * @param {Token[]} tokens
 * @param {Array<string|number>} steps
 * @param {boolean} name
 */
export function place(tokens, steps, name) {
  const wanted = JSON.stringify(steps);
  return (
    tokens.find(
      (token) => token.steps && (token.kind === "key") === name && JSON.stringify(token.steps) === wanted,
    ) ?? null
  );
}

/**
 * @typedef {object} Place
 * @property {"key"|"value"} wants
 * @property {Array<string|number>} steps to the object that a name is for, or to the value
 * @property {Set<string>} names that the object has already
 * @property {string} typed what is there before the caret
 * @property {number} start of what is to be replaced, and
 * @property {number} end
 */

/**
 * What may be completed at the caret; null if nothing.
 * @param {string} text
 * @param {number} caret
 * @returns {?Place}
 */
export function context(text, caret) {
  const reader = new Reader();
  let within = null;
  for (const token of scan(text)) {
    if (token.start >= caret) break;
    if (token.end >= caret && (token.kind === "string" || token.kind === "word") && !isPast(token, caret)) {
      within = token;
      break;
    }
    reader.take(token);
  }
  if (reader.wants !== "key" && reader.wants !== "value") return null;
  const level = reader.levels.at(-1);
  const start = within?.start ?? caret;
  return {
    wants: reader.wants,
    steps: reader.wants === "key" ? level.steps : reader.steps,
    names: level?.kind === "{" ? level.names : new Set(),
    typed: text.slice(start, caret).replace(/^"/, ""),
    start,
    end: within?.end ?? caret,
  };
}

function isPast(token, caret) {
  return token.kind === "string" && token.end === caret && token.text.length > 1 && token.text.endsWith('"');
}

/** The document over several lines, with its numbers and texts as they are; as it is if it is no JSON. */
export function pretty(text) {
  const { tokens, error } = read(text);
  if (error) return text;
  let out = "";
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  tokens.forEach((token, at) => {
    const before = tokens[at - 1]?.text;
    const closes = token.text === "}" || token.text === "]";
    if (closes) {
      depth -= 1;
      if (before !== "{" && before !== "[") out += line();
    } else if (before === "{" || before === "[" || before === ",") {
      out += line();
    }
    out += token.text === ":" && token.kind === "sign" ? ": " : token.text;
    if (token.kind === "sign" && (token.text === "{" || token.text === "[")) depth += 1;
  });
  return out;
}

/** The document on one line, without space that means nothing; as it is if it is no JSON. */
export function compact(text) {
  const { tokens, error } = read(text);
  return error ? text : tokens.map((token) => token.text).join("");
}
