// What the npm package grpc-web sees of a server of another origin: `play(task)` runs one scenario. Nothing is
// generated: messages are written and read by the descriptor set.
import { createFileRegistry, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import grpcWeb from "grpc-web";

globalThis.play = async ({ scenario, set, url, format, everything }) => {
  const registry = createFileRegistry(
    fromBinary(FileDescriptorSetSchema, new Uint8Array(await (await fetch(set)).arrayBuffer())),
  );
  const service = registry.getService("interop.v1.InteropService");
  const client = new grpcWeb.GrpcWebClientBase({ format });

  function method(name) {
    const found = service.methods.find((each) => each.name === name);
    const type =
      found.methodKind === "server_streaming"
        ? grpcWeb.MethodType.SERVER_STREAMING
        : grpcWeb.MethodType.UNARY;
    const write = (json) => toBinary(found.input, fromJson(found.input, json));
    const read = (data) => toJson(found.output, fromBinary(found.output, data));
    return [
      `${url}/${service.typeName}/${name}`,
      new grpcWeb.MethodDescriptor(`/${service.typeName}/${name}`, type, Object, Object, write, read),
    ];
  }

  /** Everything that a call tells, in the order in which it does. */
  function told(name, request, metadata = {}) {
    const [path, descriptor] = method(name);
    return new Promise((resolve) => {
      const found = { messages: [], metadata: {}, status: null, error: null };
      const isStream =
        descriptor.getMethodType?.() === grpcWeb.MethodType.SERVER_STREAMING || name === "Count";
      const call = isStream
        ? client.serverStreaming(path, request, metadata, descriptor)
        : client.rpcCall(path, request, metadata, descriptor, (error, answer) => {
            if (error)
              found.error = {
                code: error.code,
                message: error.message,
                details: error.metadata?.["grpc-status-details-bin"],
              };
            else found.messages.push(answer);
            setTimeout(() => resolve(found)); // the status comes in the same turn
          });
      if (isStream) {
        call.on("data", (answer) => found.messages.push(answer));
        call.on("error", (error) => {
          found.error = {
            code: error.code,
            message: error.message,
            details: error.metadata?.["grpc-status-details-bin"],
          };
          setTimeout(() => resolve(found));
        });
        call.on("end", () => resolve(found));
      }
      call.on("metadata", (pairs) => Object.assign(found.metadata, pairs));
      call.on("status", (status) => (found.status = status));
    });
  }

  const scenarios = {
    echo: () => told("Echo", { everything }),
    metadata: () => told("Echo", {}, { "x-echo-initial": "one", "x-echo-trailing-bin": "AP+A" }),
    count: () => told("Count", { upTo: 3 }),
    count_fail: () => told("Count", { upTo: 2, thenFail: true }),
    fail: () => told("Fail", {}),
    nobody: () => told("Nobody", {}),
  };
  return scenarios[scenario]();
};
