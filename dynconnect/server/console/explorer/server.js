// What the server says of itself.

/** @type {Map<string, Promise<?object>>} symbols of the generation that serves */
const symbols = new Map();

async function get(path) {
  const response = await fetch(path, { cache: "no-store" });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${(await response.text()).trim()}`);
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

/** An example of a request to a method, as text. */
export async function example(method) {
  return (await get(`/-/example/${method}`)).text();
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

const RETRY = 1000; // milliseconds

/**
 * Hear what happens in the server, as long as the page is open.
 * @param {Object<string, function(object): void>} listeners by the kinds of events
 * @param {function(boolean): void} connected hears whether the server can be heard
 */
export function watch(listeners, connected) {
  const source = new EventSource("/-/events");
  source.addEventListener("open", () => connected(true));
  source.addEventListener("error", () => {
    connected(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => watch(listeners, connected), RETRY);
  });
  for (const [kind, listener] of Object.entries(listeners)) {
    source.addEventListener(kind, (event) => listener(JSON.parse(event.data)));
  }
}
