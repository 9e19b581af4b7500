// Elements, made without any HTML text: whatever comes from a schema or a server stays text.

/**
 * An element.
 * @param {string} tag its name, perhaps with classes: "p.note"
 * @param {Object<string, any>} [properties] attributes; functions whose names begin with "on" are listeners;
 *     false, null and undefined leave an attribute out
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(key, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Let `parent` have these children and no others. */
export function fill(parent, ...children) {
  parent.replaceChildren(
    ...children.filter((child) => child !== null && child !== undefined && child !== false),
  );
}

/** The element of the page with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A table with a header; each row is an array of what its cells hold. */
export function table(caption, titles, rows) {
  return h(
    "div.scroll",
    {},
    h(
      "table",
      {},
      h("caption.quiet", {}, caption),
      h("thead", {}, h("tr", {}, ...titles.map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, cell))))),
    ),
  );
}

/** Text as paragraphs, by its empty lines. */
export function paragraphs(text) {
  return text
    .split(/\n\s*\n/)
    .filter((part) => part.trim())
    .map((part) => h("p", {}, part.trim()));
}

/** A number of bytes for people. */
export function bytes(count) {
  if (count < 1000) return `${count} B`;
  return count < 1_000_000 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1_000_000).toFixed(1)} MB`;
}

/** A number of milliseconds for people. */
export function milliseconds(count) {
  return count < 10_000 ? `${count.toFixed(count < 100 ? 1 : 0)} ms` : `${(count / 1000).toFixed(1)} s`;
}

/** Put text on the clipboard; whether the browser allows it: without TLS only this machine's pages may. */
export async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
