// A connect-node server of interop.v1, for our client: `node serve_connect_node.mjs SET`, on a free port; see README.md.
import { readFileSync } from "node:fs";
import { createServer } from "node:http2";
import { createFileRegistry, fromBinary, create } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(process.argv[2])));
const service = registry.getService("interop.v1.InteropService");
const message = (name, fields) => create(registry.getMessage(`interop.v1.${name}`), fields);

const handlers = {
  echo(request, context) {
    context.responseHeader.set("x-echo-initial", context.requestHeader.get("x-echo-initial") ?? "");
    context.responseTrailer.set("x-echo-tail", "tail");
    return message("EchoResponse", { everything: request.everything, protocol: context.protocolName });
  },
  look(request, context) {
    return message("EchoResponse", { everything: request.everything, httpMethod: context.requestMethod });
  },
  async *count(request) {
    for (let number = 1; number <= request.upTo; number++) yield message("CountResponse", { number });
    if (request.thenFail) throw new ConnectError("no more", Code.NotFound);
  },
  async sum(requests) {
    let sum = 0n;
    for await (const request of requests) sum += request.number;
    return message("SumResponse", { sum });
  },
  async *chat(requests) {
    for await (const request of requests) yield message("ChatResponse", { text: request.text.toUpperCase() });
  },
  fail() {
    const detail = { desc: registry.getMessage("interop.v1.Missing"), value: { name: "it" } };
    throw new ConnectError("not here ☺", Code.NotFound, undefined, [detail]);
  },
  async wait(_request, context) {
    await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
  },
};

const server = createServer(connectNodeAdapter({ routes: (router) => router.service(service, handlers) }));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
