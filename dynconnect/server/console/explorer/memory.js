// What outlives a page: the history of calls, in this browser, and links to a method with its request.
// Headers are in neither: they may hold secrets.

const HISTORY = "dynconnect.history";
const HEADERS = "dynconnect.headers";
const KEPT_MAX = 50; // calls
const LENGTH_MAX = 20_000; // characters of one request

/**
 * @typedef {{method: string, messages: string[], at: number, code: string, milliseconds: number}} Past
 * @returns {Past[]} newest first
 */
export function pastCalls() {
  try {
    const found = JSON.parse(localStorage.getItem(HISTORY) ?? "[]");
    return Array.isArray(found) ? found.filter(isPast) : [];
  } catch {
    return []; // another program's, or a browser that keeps nothing
  }
}

function isPast(each) {
  const texts = [each?.method, each?.code, ...(Array.isArray(each?.messages) ? each.messages : [null])];
  const numbers = [each?.at, each?.milliseconds];
  return texts.every((text) => typeof text === "string") && numbers.every(Number.isFinite);
}

/** @param {Past} past */
export function remember(past) {
  if (past.messages.join("").length > LENGTH_MAX) return;
  const same = (each) =>
    each.method === past.method && JSON.stringify(each.messages) === JSON.stringify(past.messages);
  keep([past, ...pastCalls().filter((each) => !same(each))].slice(0, KEPT_MAX));
}

export function clearHistory() {
  keep([]);
}

function keep(all) {
  try {
    localStorage.setItem(HISTORY, JSON.stringify(all));
  } catch {
    // full, or not allowed
  }
}

/** The headers that were written on this tab, which forgets them when it is closed. */
export function headersKept() {
  try {
    return sessionStorage.getItem(HEADERS) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} text */
export function keepHeaders(text) {
  try {
    sessionStorage.setItem(HEADERS, text);
  } catch {
    // not allowed
  }
}

/** The part of an address behind its #, for a method, and its request if that is to be restored. */
export function link(method, messages = null) {
  return `#/${method}${messages ? `?body=${encoded(JSON.stringify(messages))}` : ""}`;
}

/**
 * What such a part leads to.
 * @returns {?{method: string, messages: ?string[]}}
 */
export function target(hash) {
  const found = /^#\/([\w.]+\/\w+)(?:\?body=([\w-]*))?$/.exec(hash);
  return found && { method: found[1], messages: found[2] ? restored(found[2]) : null };
}

/** Text in URL-safe base64. */
function encoded(text) {
  const bytes = new TextEncoder().encode(text);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}

function restored(text) {
  try {
    const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const found = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (each) => each.charCodeAt(0))));
    return Array.isArray(found) && found.length && found.every((each) => typeof each === "string")
      ? found
      : null;
  } catch {
    return null;
  }
}
