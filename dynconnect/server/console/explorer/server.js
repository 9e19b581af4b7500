// What the server says of itself.

/** @type {Map<string, Promise<?object>>} symbols of the generation that serves */
const symbols = new Map();

/** The server does not answer, or not what was asked for. */
export class Unreachable extends Error {}

async function get(path) {
  const response = await fetch(path, { cache: "no-store" }).catch((error) => {
    throw new Unreachable(`${path}: ${error.message}`);
  });
  if (!response.ok) throw new Unreachable(`${path}: ${response.status} ${(await response.text()).trim()}`);
  return response;
}

/** The generation that serves, its methods, and how the last reload went. */
export async function state() {
  return (await get("/-/state")).json();
}

/** A service, message or enum with its comments; null if there is none. */
export function symbol(name) {
  if (!symbols.has(name)) {
    const asked = get(`/-/symbols/${encodeURIComponent(name)}`)
      .then((response) => response.json())
      .catch(() => null);
    symbols.set(name, asked);
  }
  return symbols.get(name);
}

/** Forget the symbols: another generation serves. */
export function forget() {
  symbols.clear();
}

/** An example of a request to a method, as text; null if there is none. */
export function example(method) {
  return get(`/-/example/${method}`).then(
    (response) => response.text(),
    () => null,
  );
}

/**
 * What is wrong with a request to a method, by the reader of the server itself; null if nothing.
 * @returns {Promise<?{level: string, steps: Array<string|number>, name: boolean, what: string}>}
 */
export async function check(method, text, signal) {
  const response = await fetch(`/-/check/${method}`, { method: "POST", body: text, signal }).catch(
    (error) => {
      if (error.name === "AbortError") throw error;
      return null; // the server is away, as sending will tell
    },
  );
  return response?.ok ? (await response.json()).fault : null; // else it is too long to be looked at
}

/** How many milliseconds to wait before it is asked again. */
export const RETRY = 1000;
// A browser has few connections to a server without TLS, and other pages want one.
const HIDDEN_MAX = 1000; // milliseconds

/**
 * Hear what happens in the server, as long as somebody may see the page.
 * @param {Object<string, function(object): void>} listeners by the kinds of events
 * @param {function(boolean): void} connected hears whether the server can be heard
 */
export function watch(listeners, connected) {
  let source = null;
  let timer = 0;

  function open() {
    source = new EventSource("/-/events");
    source.addEventListener("open", () => connected(true));
    source.addEventListener("error", () => {
      connected(false);
      if (source?.readyState !== EventSource.CLOSED) return; // it tries again by itself
      close();
      timer = setTimeout(open, RETRY);
    });
    for (const [kind, listener] of Object.entries(listeners)) {
      source.addEventListener(kind, (event) => listener(JSON.parse(event.data)));
    }
  }

  function close() {
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(close, HIDDEN_MAX);
    else if (source === null) open();
  });
  open();
}
