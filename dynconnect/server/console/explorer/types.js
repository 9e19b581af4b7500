// The types of the schema, as they are needed, and the way through them that JSON takes.

import { symbol } from "./server.js";

const PACKAGE = "google.protobuf.";

/** Types of that package that JSON writes in a form of their own, and an example of it. */
const FORMS = new Map(
  Object.entries({
    Any: null,
    BoolValue: "true",
    BytesValue: '""',
    DoubleValue: "1.5",
    Duration: '"1.5s"',
    FieldMask: '"name"',
    FloatValue: "1.5",
    Int32Value: "1",
    Int64Value: '"1"',
    ListValue: "[]",
    StringValue: '""',
    Struct: "{}",
    Timestamp: '"2026-01-01T00:00:00Z"',
    UInt32Value: "1",
    UInt64Value: '"1"',
    Value: '""',
  }),
);

const WHOLE = new Set(["int64", "uint64", "sint64", "fixed64", "sfixed64"]);

/** The name of a type of google.protobuf, without the package; null for others. */
function formOf(name) {
  return name.startsWith(PACKAGE) ? name.slice(PACKAGE.length) : null;
}

/** Whether JSON writes a message type in a form of its own. */
function hasForm(name) {
  return FORMS.has(formOf(name));
}

/**
 * The field whose value, or a part of it, lies at `steps` in a message of the type `root`.
 * @returns {Promise<?{field: ?object, holds: string, kind: string, whole: boolean}>}
 *     holds: the type of the value; whole: it is all of a repeated field or a map; null: there is no such one
 */
export async function at(root, steps) {
  let found = { field: null, holds: root, kind: "message", whole: false };
  for (const step of steps) {
    if (found.whole) {
      found = { ...found, whole: false }; // an item, or the value of a map's entry
      continue;
    }
    if (found.kind !== "message" || hasForm(found.holds)) return null;
    const message = await symbol(found.holds);
    const field = message?.fields.find((each) => each.json === step || each.name === step);
    if (!field) return null;
    found = { field, holds: field.holds, kind: field.kind, whole: field.shape !== "single" };
  }
  return found;
}

/**
 * What may stand at a place that `context` of json_text.js has found.
 * @returns {Promise<Array<{label: string, insert: string, note: string, back: number}>>}
 *     back: how many characters before the end of what is inserted the caret goes
 */
export async function candidates(root, place) {
  const found = await at(root, place.steps);
  if (!found) return [];
  if (place.wants === "key")
    return found.whole || found.kind !== "message" || hasForm(found.holds) ? [] : names(found.holds, place);
  return values(found, place);
}

async function names(type, place) {
  const message = await symbol(type);
  const typed = place.typed.toLowerCase();
  const taken = (field) => place.names.has(field.json) || place.names.has(field.name);
  return (message?.fields ?? [])
    .filter((field) => !taken(field) && `${field.json} ${field.name}`.toLowerCase().includes(typed))
    .sort((one, other) => rank(one, typed) - rank(other, typed))
    .map((field) => {
      const stub = stubOf(field);
      return {
        label: field.json,
        insert: `"${field.json}": ${stub}`,
        name: `"${field.json}"`,
        note: field.type,
        back: /["\]}]$/.test(stub) ? 1 : 0,
      };
    });
}

/** Names that begin with what was typed come first. */
function rank(field, typed) {
  return field.json.toLowerCase().startsWith(typed) || field.name.startsWith(typed) ? 0 : 1;
}

function stubOf(field) {
  if (field.shape === "repeated") return "[]";
  if (field.shape === "map") return "{}";
  if (field.kind === "message") return FORMS.get(formOf(field.holds)) ?? "{}";
  return field.kind === "enum" ||
    field.holds === "string" ||
    field.holds === "bytes" ||
    WHOLE.has(field.holds)
    ? '""'
    : "";
}

async function values(found, place) {
  const typed = place.typed.toLowerCase();
  if (found.whole) return [];
  const option = (text, note) => ({ label: text.replace(/^"|"$/g, ""), insert: text, note, back: 0 });
  let options = [];
  if (found.kind === "enum") {
    const type = await symbol(found.holds);
    options = (type?.values ?? []).map((value) => option(`"${value.name}"`, String(value.number)));
  } else if (found.holds === "bool") {
    options = [option("true", "bool"), option("false", "bool")];
  } else if (found.holds === "google.protobuf.Timestamp") {
    options = [option(`"${new Date().toISOString()}"`, "now")];
  } else if (hasForm(found.holds) && FORMS.get(formOf(found.holds))) {
    options = [option(FORMS.get(formOf(found.holds)), found.holds)];
  }
  return options.filter((each) => each.label.toLowerCase().includes(typed) && each.label !== place.typed);
}
