// What @connectrpc/connect-web sees of a server of another origin, over one transport: `play(task)` runs one
// scenario. Nothing is generated: the service comes from the descriptor set.
import { createFileRegistry, fromBinary, fromJson, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import {
  Code,
  ConnectError,
  createClient,
  decodeBinaryHeader,
  encodeBinaryHeader,
} from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";

const create = { connect: createConnectTransport, grpcweb: createGrpcWebTransport };

globalThis.play = async ({ scenario, set, url, protocol, codec, everything, key }) => {
  const registry = createFileRegistry(
    fromBinary(FileDescriptorSetSchema, new Uint8Array(await (await fetch(set)).arrayBuffer())),
  );
  const service = registry.getService("interop.v1.InteropService");
  const options = { baseUrl: url, useBinaryFormat: codec === "proto" };
  const client = createClient(service, create[protocol](options));
  const message = (name, json) => fromJson(registry.getMessage(`interop.v1.${name}`), json);
  const json = (value) => toJson(registry.getMessage(value.$typeName), value);
  const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");

  async function failing(call) {
    try {
      await call();
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      const details = error.details.map(({ type, value }) => [type, hex(value)]);
      return { code: Code[error.code], message: error.rawMessage, details };
    }
    throw new Error("the call did not fail");
  }

  const scenarios = {
    async echo() {
      const answer = await client.echo(message("EchoRequest", { everything }));
      return { everything: json(answer.everything), protocol: answer.protocol };
    },
    async metadata() {
      let initial, trailing;
      await client.echo(
        {},
        {
          headers: {
            "x-echo-initial": "one",
            "x-echo-trailing-bin": encodeBinaryHeader(new Uint8Array([0, 255, 128])),
          },
          onHeader: (found) => (initial = found.get("x-echo-initial")),
          onTrailer: (found) => (trailing = hex(decodeBinaryHeader(found.get("x-echo-trailing-bin")))),
        },
      );
      return { initial, trailing };
    },
    async count() {
      const numbers = [];
      const error = await failing(async () => {
        for await (const answer of client.count({ upTo: 3, thenFail: true })) numbers.push(answer.number);
      });
      return { numbers, error };
    },
    fail: () => failing(() => client.fail({})),
    nobody: async () => (await failing(() => client.nobody({}))).code,
    async deadline() {
      const { code } = await failing(() => client.wait({ key }, { timeoutMs: 200 }));
      await client.reached({ key, stage: 2 });
      return code;
    },
    async get() {
      const getting = createClient(service, createConnectTransport({ ...options, useHttpGet: true }));
      const answer = await getting.look(message("EchoRequest", { everything }));
      return { everything: json(answer.everything), http_method: answer.httpMethod };
    },
  };
  return scenarios[scenario]();
};
