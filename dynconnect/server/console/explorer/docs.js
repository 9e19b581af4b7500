// What the schema says of a method and of its messages: comments, and tables with links from type to type.

import { byId, fill, h, paragraphs, table } from "./dom.js";
import { symbol } from "./server.js";
import { badges } from "./tree.js";

let asked = 0; // how often types were to be shown: the last ones are

/** Show the head of a method: its name, badges, declaration and comment. */
export async function showMethod(path, method) {
  const [service, name] = path.split("/");
  byId("title").textContent = name;
  byId("service").textContent = service;
  fill(byId("badges"), ...badges(method));
  byId("bound").textContent = method.boundBy ? `bound by ${method.boundBy}` : "";
  fill(
    byId("declaration"),
    "rpc ",
    name,
    "(",
    ...typed(method.clientStreaming, method.request),
    ") returns (",
    ...typed(method.serverStreaming, method.response),
    ")",
  );
  const found = await symbol(service);
  if (byId("service").textContent !== service || byId("title").textContent !== name) return; // another by now
  fill(byId("comment"), ...paragraphs(found?.methods[name] ?? ""));
  byId("service").title = found?.comment ?? "";
}

/** Show the tables of these types, the first things that a reader of a method asks for. */
export async function showTypes(...names) {
  const mine = (asked += 1);
  const sections = await Promise.all([...new Set(names)].map(section));
  if (asked === mine) fill(byId("types"), ...sections);
}

function typed(streams, name) {
  return [streams && h("span.quiet", {}, "stream "), reference(name, name.slice(name.lastIndexOf(".") + 1))];
}

/** A link that shows a type, below those that are shown already. */
function reference(name, text) {
  return h("button.link", { type: "button", title: name, onclick: () => void reveal(name) }, text);
}

async function reveal(name) {
  const shown = [...byId("types").children].find((each) => each.dataset.type === name);
  const found = shown ?? (await section(name));
  if (!shown) byId("types").append(found);
  byId("reference").open = true;
  found.scrollIntoView({ block: "nearest" });
  found.querySelector("h3").focus();
}

async function section(name) {
  const found = await symbol(name);
  const heading = h("h3", { tabindex: "-1" }, name);
  if (!found)
    return h(
      "section.type",
      { "data-type": name },
      heading,
      h("p.quiet", {}, "There is no such type any more."),
    );
  const rows =
    found.kind === "enum"
      ? table(
          `enum in ${found.file}`,
          ["Value", "Number", "Comment"],
          found.values.map((each) => [code(each.name), String(each.number), said(each.comment)]),
        )
      : table(`message in ${found.file}`, ["Field", "Type", "Number", "Comment"], found.fields.map(fieldRow));
  const empty = found.kind === "message" && !found.fields.length;
  return h(
    "section.type",
    { "data-type": name },
    heading,
    ...paragraphs(found.comment),
    empty ? h("p.quiet", {}, "It has no fields.") : rows,
  );
}

function fieldRow(field) {
  const marks = [field.oneof && `one of ${field.oneof}`, field.deprecated && "deprecated"]
    .filter(Boolean)
    .join(", ");
  const type = field.kind === "scalar" ? code(field.type) : reference(field.holds, field.type);
  const name = h(
    "span",
    {},
    code(field.json),
    field.json !== field.name && h("span.quiet", {}, ` ${field.name}`),
  );
  return [
    name,
    type,
    String(field.number),
    h("span", {}, marks && h("span.quiet", {}, `${marks}. `), said(field.comment)),
  ];
}

function code(text) {
  return h("code", {}, text);
}

function said(comment) {
  return h("span.said", {}, comment);
}
