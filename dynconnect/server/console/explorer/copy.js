// A request as commands for a shell, and as a program. Nothing in here knows of a page.

import { compact } from "./json_text.js";

/**
 * @typedef {object} Copied
 * @property {string} origin such as `http://localhost:8080`
 * @property {string} path `package.Service/Method`
 * @property {boolean} streaming whether either side streams
 * @property {boolean} clientStreaming
 * @property {string[]} messages JSON
 * @property {Array<[string, string]>} headers
 * @property {?number} timeout milliseconds
 */

/** @type {Object<string, function(Copied): string>} by what they are copied as */
export const FORMS = {
  curl,
  "buf curl": bufCurl,
  grpcurl,
  "dynconnect call": dynconnectCall,
  Python: python,
};

function curl(request) {
  const { origin, path, headers, timeout, streaming } = request;
  const messages = request.messages.map(compact);
  const type = streaming ? "application/connect+json" : "application/json";
  const pairs = [
    ["Content-Type", type],
    ...headers,
    ...(timeout === null ? [] : [["Connect-Timeout-Ms", String(timeout)]]),
  ];
  const options = pairs.flatMap(([name, value]) => ["--header", `${name}: ${value}`]);
  if (!streaming) return shell("curl", ...options, "--data", messages[0], `${origin}/${path}`);
  // In a stream each message stands in an envelope: a zero byte, then its size in four.
  const format = messages.map((text) => `${envelope(text)}%s`).join("");
  const command = shell(
    "curl",
    ...options,
    "--data-binary",
    "@-",
    "--no-buffer",
    "--output",
    "-",
    `${origin}/${path}`,
  );
  return `${shell("printf", format, ...messages)} | ${command}`;
}

function envelope(text) {
  const head = new DataView(new ArrayBuffer(5));
  head.setUint32(1, new TextEncoder().encode(text).length);
  return Array.from(new Uint8Array(head.buffer), (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

function bufCurl({ origin, path, messages, headers, timeout }) {
  const options = headers.flatMap(([name, value]) => ["--header", listed(`${name}: ${value}`)]);
  if (timeout !== null) options.push("--timeout", `${timeout}ms`);
  // reflection is a stream in both directions
  const http2 = origin.startsWith("http:") ? ["--http2-prior-knowledge"] : [];
  return shell(
    "buf",
    "curl",
    ...http2,
    ...options,
    "--data",
    messages.map(compact).join(" "),
    `${origin}/${path}`,
  );
}

function grpcurl({ origin, path, messages, headers, timeout }) {
  const options = origin.startsWith("http:") ? ["-plaintext"] : [];
  options.push(...headers.flatMap(([name, value]) => ["-H", `${name}: ${value}`]));
  if (timeout !== null) options.push("-max-time", String(timeout / 1000));
  const { protocol, hostname, port } = new URL(origin);
  const host = `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
  return shell("grpcurl", ...options, "-d", messages.map(compact).join(" "), host, path);
}

function dynconnectCall({ origin, path, messages, headers, timeout }) {
  const options = messages.flatMap((text) => ["-d", compact(text)]);
  options.push(...headers.flatMap(([name, value]) => ["-H", `${name}: ${value}`]));
  if (timeout !== null) options.push("--timeout", String(timeout / 1000));
  return shell("dynconnect", "call", origin, path, ...options);
}

function python({ origin, path, streaming, clientStreaming, messages, headers, timeout }) {
  const options = [literal(origin)];
  if (headers.length)
    options.push(
      `metadata=[${headers.map(([name, value]) => `(${literal(name)}, ${literal(value)})`).join(", ")}]`,
    );
  if (timeout !== null) options.push(`timeout=${timeout / 1000}`);
  const name = literal(path);
  const requests = messages.map((text) => `    ${literal(compact(text))},`).join("\n");
  const given = clientStreaming ? "each(requests)" : "requests[0]";
  const call = streaming
    ? `        async for answer in await client.stream(${name}, ${given}):\n            print(answer)`
    : `        print(await client.call(${name}, ${given}))`;
  const each = clientStreaming
    ? "async def each(requests):\n    for request in requests:\n        yield request\n\n\n"
    : "";
  return `import asyncio

from dynconnect.client import Client

REQUESTS = [
${requests}
]


${each}async def main():
    async with Client(${options.join(", ")}) as client:
        schema = await client.schema()
        request_class = schema.methods[${literal(`/${path}`)}].input
        read = schema.codecs["json"].decode
        requests = [read(text.encode(), request_class) for text in REQUESTS]
${call}


asyncio.run(main())
`;
}

/** Text as the only item of a list of comma-separated values, as buf takes headers. */
function listed(text) {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Words as a POSIX shell reads them. */
function shell(...words) {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}

/** Text as Python writes it: what JSON.stringify escapes, Python escapes alike. */
function literal(text) {
  return JSON.stringify(text);
}
