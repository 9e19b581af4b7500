// A client of the Connect protocol, with JSON.
// Source: Connect protocol, "Unary-Request" and "Streaming-Request".

const END = 2; // the flag of the envelope that ends a stream
const HEAD = 5; // bytes before the message in an envelope
const TURN = 20; // milliseconds in which messages are read without a pause

/**
 * @typedef {object} Request
 * @property {string} path `package.Service/Method`
 * @property {boolean} streaming whether either side streams
 * @property {string[]} messages JSON
 * @property {Array<[string, string]>} headers
 * @property {?number} timeout milliseconds
 *
 * @typedef {object} Outcome
 * @property {?number} status of HTTP; null if there was no answer
 * @property {Array<[string, string]>} headers
 * @property {Array<[string, string]>} trailers
 * @property {number} size bytes of the body
 * @property {?{code: string, message: string, details: Array<object>}} error
 */

/**
 * Call a method.
 * @param {Request} request
 * @param {AbortSignal} signal
 * @param {function(string): void} onMessage hears of each response as it comes
 * @param {function(Response): void} onHeaders
 * @returns {Promise<Outcome>}
 */
export async function call(request, signal, onMessage, onHeaders) {
  const outcome = { status: null, headers: [], trailers: [], size: 0, error: null };
  try {
    const response = await fetch(`/${request.path}`, {
      method: "POST",
      cache: "no-store",
      credentials: "omit",
      ...asked(request),
      signal,
    });
    outcome.status = response.status;
    outcome.headers = [...response.headers].filter(
      ([name]) => request.streaming || !name.startsWith("trailer-"),
    );
    onHeaders(response);
    await (request.streaming
      ? readStream(response, outcome, onMessage, signal)
      : readUnary(response, outcome, onMessage));
  } catch (error) {
    outcome.error = signal.aborted
      ? failure("canceled", "you cancelled the call")
      : failure("unavailable", String(error.message ?? error));
  }
  return outcome;
}

function asked({ streaming, messages, headers, timeout }) {
  const sent = new Headers(headers);
  sent.set("content-type", streaming ? "application/connect+json" : "application/json");
  sent.set("connect-protocol-version", "1");
  if (timeout !== null) sent.set("connect-timeout-ms", String(timeout));
  return { headers: sent, body: streaming ? enveloped(messages) : messages[0] };
}

/** Messages in envelopes, one behind the other. */
function enveloped(messages) {
  const encoded = messages.map((text) => new TextEncoder().encode(text));
  const whole = new Uint8Array(encoded.reduce((sum, data) => sum + HEAD + data.length, 0));
  let at = 0;
  for (const data of encoded) {
    new DataView(whole.buffer).setUint32(at + 1, data.length);
    whole.set(data, at + HEAD);
    at += HEAD + data.length;
  }
  return whole;
}

function failure(code, message, details = []) {
  return { code, message, details };
}

async function readUnary(response, outcome, onMessage) {
  const body = await response.arrayBuffer();
  const text = new TextDecoder().decode(body);
  outcome.size = body.byteLength;
  outcome.trailers = [...response.headers]
    .filter(([name]) => name.startsWith("trailer-"))
    .map(([name, value]) => [name.slice(8), value]);
  if (response.ok) onMessage(text);
  else outcome.error = errorIn(text, response);
}

async function readStream(response, outcome, onMessage, signal) {
  if (!response.ok) {
    outcome.error = errorIn(await response.text(), response);
    return;
  }
  const reader = response.body.getReader();
  let held = new Uint8Array();
  let ended = false;
  let paused = performance.now();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    outcome.size += part.value.length;
    held = joined(held, part.value);
    let at = 0;
    for (let size = whole(held, at); size !== null; size = whole(held, at)) {
      const text = new TextDecoder().decode(held.subarray(at + HEAD, at + size));
      if (held[at] & END) {
        ended = true;
        end(JSON.parse(text), outcome);
      } else {
        onMessage(text);
      }
      at += size;
      if (performance.now() - paused > TURN) {
        await pause();
        signal.throwIfAborted();
        paused = performance.now();
      }
    }
    held = held.slice(at);
  }
  if (!ended) outcome.error = failure("internal", "the stream broke off before its end");
}

function joined(one, other) {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** The size of the envelope that begins there, if all of it has come. */
function whole(held, at) {
  if (held.length - at < HEAD) return null;
  const size = HEAD + new DataView(held.buffer, held.byteOffset + at).getUint32(1);
  return held.length - at < size ? null : size;
}

/** Let the page show what has come, and hear whoever wants to cancel. */
function pause() {
  return new Promise((resolve) => setTimeout(resolve));
}

function end(said, outcome) {
  const pairs = Object.entries(said.metadata ?? {});
  outcome.trailers = pairs.flatMap(([name, values]) => values.map((value) => [name, value]));
  if (said.error)
    outcome.error = failure(said.error.code ?? "unknown", said.error.message ?? "", said.error.details ?? []);
}

function errorIn(text, response) {
  try {
    const said = JSON.parse(text);
    if (typeof said.code === "string") return failure(said.code, said.message ?? "", said.details ?? []);
  } catch {
    // not from an RPC server, or not from the handler of an RPC
  }
  return failure("unknown", `HTTP status ${response.status}: ${text.slice(0, 1000)}`);
}
