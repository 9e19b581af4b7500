// What @connectrpc/connect-node sees of the server, over one transport; see README.md.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary, fromJson, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, decodeBinaryHeader, encodeBinaryHeader } from "@connectrpc/connect";
import { compressionGzip, createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { deferred, report } from "./scenarios.mjs";

const task = JSON.parse(process.argv[2]);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(task.set)));
const service = registry.getService("interop.v1.InteropService");
const message = (name, json) => fromJson(registry.getMessage(`interop.v1.${name}`), json);
const json = (value) => toJson(registry.getMessage(value.$typeName), value);

const create = { connect: createConnectTransport, grpc: createGrpcTransport, grpcweb: createGrpcWebTransport };
const options = {
  baseUrl: task.url,
  httpVersion: task.http,
  useBinaryFormat: task.codec === "proto",
  nodeOptions: task.ca ? { ca: readFileSync(task.ca) } : {},
  // JSON also sends compressed, so that both ways of sending are used
  ...(task.codec === "json" ? { sendCompression: compressionGzip, compressMinBytes: 1 } : {}),
};
const client = createClient(service, create[task.protocol](options));

const failure = (error) => ({
  code: Code[error.code].replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase(),
  message: error.rawMessage,
  details: error.details.map(({ type, value }) => [type, Buffer.from(value).toString("hex")]),
});

async function failing(call) {
  try {
    await call();
  } catch (error) {
    if (error instanceof ConnectError) return failure(error);
    throw error;
  }
  throw new Error("the call did not fail");
}

await report(task.scenarios, {
  async echo() {
    const answer = await client.echo(message("EchoRequest", { everything: task.everything }));
    return { everything: json(answer.everything), protocol: answer.protocol };
  },
  async metadata() {
    let initial, trailing;
    const headers = new Headers([["x-echo-initial", "one"], ["x-echo-initial", "two"]]);
    headers.append("x-echo-trailing-bin", encodeBinaryHeader(new Uint8Array([0, 255, 128])));
    await client.echo({}, {
      headers,
      onHeader: (found) => (initial = found.get("x-echo-initial")),
      onTrailer: (found) => (trailing = decodeBinaryHeader(found.get("x-echo-trailing-bin"))),
    });
    return { initial: initial.split(/, */), trailing: [Buffer.from(trailing).toString("hex")] };
  },
  async large() {
    const answer = await client.echo({ everything: { data: new Uint8Array(task.large).fill(7) } });
    return answer.everything.data.filter((byte) => byte === 7).length;
  },
  async parallel() {
    const one = async (at) => (await client.echo({ everything: { text: `${at}` } })).everything.text === `${at}`;
    return (await Promise.all(Array.from({ length: 50 }, (_, at) => one(at)))).filter(Boolean).length;
  },
  async count() {
    const numbers = [];
    for await (const answer of client.count({ upTo: 5 })) numbers.push(answer.number);
    return numbers;
  },
  async count_fail() {
    const numbers = [];
    const error = await failing(async () => {
      for await (const answer of client.count({ upTo: 2, thenFail: true })) numbers.push(answer.number);
    });
    return { numbers, error };
  },
  async sum() {
    async function* requests() {
      for (const number of [1, 2, 39]) yield { number: BigInt(number) };
    }
    return Number((await client.sum(requests())).sum);
  },
  async chat() {
    const events = [];
    const texts = ["a", "b", "c"];
    const answered = texts.map(() => deferred());
    async function* requests() {
      for (const [at, text] of texts.entries()) {
        events.push(text);
        yield { text };
        await answered[at].promise;
      }
    }
    let at = 0;
    for await (const answer of client.chat(requests())) {
      events.push(answer.text);
      answered[at++].resolve();
    }
    return events;
  },
  async chat_half() {
    const texts = [];
    async function* requests() {
      yield* [{ text: "a" }, { text: "b" }];
    }
    for await (const answer of client.chat(requests())) texts.push(answer.text);
    return texts;
  },
  fail: () => failing(() => client.fail({})),
  nobody: async () => (await failing(() => client.nobody({}))).code,
  async time_left() {
    return Number((await client.echo({}, { timeoutMs: 60_000 })).timeoutMs);
  },
  async deadline() {
    const { code } = await failing(() => client.wait({ key: task.key + "d" }, { timeoutMs: 200 }));
    await client.reached({ key: task.key + "d", stage: 2 });
    return code;
  },
  async cancel() {
    const abort = new AbortController();
    const ended = failing(() => client.wait({ key: task.key + "c" }, { signal: abort.signal }));
    await client.reached({ key: task.key + "c", stage: 1 });
    abort.abort();
    const { code } = await ended;
    await client.reached({ key: task.key + "c", stage: 2 });
    return code;
  },
  async get() {
    const getting = createClient(service, createConnectTransport({ ...options, useHttpGet: true }));
    const answer = await getting.look(message("EchoRequest", { everything: task.everything }));
    return { everything: json(answer.everything), http_method: answer.httpMethod };
  },
});
