// What @grpc/grpc-js sees of the server; see README.md.
import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import protobuf from "protobufjs";
import { deferred, report } from "./scenarios.mjs";

const task = JSON.parse(process.argv[2]);
// From the .proto: out of a descriptor set this library makes lists of maps.
const definition = loader.loadSync(task.proto, {
  longs: String,
  enums: String,
  bytes: String,
});
const { InteropService } = grpc.loadPackageDefinition(definition).interop.v1;
const credentials = task.ca
  ? grpc.credentials.createSsl(readFileSync(task.ca))
  : grpc.credentials.createInsecure();
const client = new InteropService(new URL(task.url).host, credentials, {
  "grpc.max_receive_message_length": -1,
});
// grpc-js leaves the details of an error to its caller
const Status = protobuf.parse(`
  syntax = "proto3";
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
`).root.lookupType("Status");

const failure = (error) => ({
  code: grpc.status[error.code].toLowerCase().replace("cancelled", "canceled"),
  message: error.details,
  details: error.metadata
    .get("grpc-status-details-bin")
    .flatMap((bytes) => Status.decode(bytes).details)
    .map((any) => [any.typeUrl.split("/").pop(), Buffer.from(any.value).toString("hex")]),
});
// A promise, and the callback that settles it.
function settled() {
  const { promise, resolve } = deferred();
  return [promise, (error, answer) => resolve({ error, answer })];
}

async function outcome(method, request, options = {}) {
  const [ended, done] = settled();
  client[method](request, new grpc.Metadata(), options, done);
  return await ended;
}

async function unary(method, request, options) {
  const { error, answer } = await outcome(method, request, options);
  if (error) throw error;
  return answer;
}

const failing = async (...call) => failure((await outcome(...call)).error);

async function read(stream) {
  const answers = [];
  try {
    for await (const answer of stream) answers.push(answer);
  } catch (error) {
    return { answers, error: failure(error) };
  }
  return { answers };
}

// proto-loader knows no JSON mapping of protobuf; of what Everything holds, Timestamp differs, and
// that fields at their default value are left out only where they have no presence.
const fromJson = (everything) => ({ ...everything, at: toTimestamp(everything.at) });
const toTimestamp = (text) => ({ seconds: Math.floor(Date.parse(text) / 1000), nanos: (Date.parse(text) % 1000) * 1e6 });
const toJson = ({ at, _maybe, choice, ...everything }) => ({
  ...everything,
  at: new Date(at.seconds * 1000 + at.nanos / 1e6).toISOString(),
});

await report(task.scenarios, {
  async echo() {
    const { everything, protocol } = await unary("Echo", { everything: fromJson(task.everything) });
    return { everything: toJson(everything), protocol };
  },
  async metadata() {
    const metadata = new grpc.Metadata();
    metadata.add("x-echo-initial", "one");
    metadata.add("x-echo-initial", "two");
    metadata.add("x-echo-trailing-bin", Buffer.from([0, 255, 128]));
    const [ended, done] = settled();
    const call = client.Echo({}, metadata, done);
    const initial = deferred();
    const trailing = deferred();
    call.on("metadata", initial.resolve).on("status", (status) => trailing.resolve(status.metadata));
    await ended;
    return {
      initial: (await initial.promise).get("x-echo-initial").flatMap((value) => value.split(/, */)),
      trailing: (await trailing.promise).get("x-echo-trailing-bin").map((bytes) => bytes.toString("hex")),
    };
  },
  async large() {
    const data = Buffer.alloc(task.large, 7);
    const answer = await unary("Echo", { everything: { data } });
    return Buffer.from(answer.everything.data, "base64").filter((byte) => byte === 7).length;
  },
  async parallel() {
    const one = async (at) => (await unary("Echo", { everything: { text: `${at}` } })).everything.text === `${at}`;
    return (await Promise.all(Array.from({ length: 50 }, (_, at) => one(at)))).filter(Boolean).length;
  },
  async count() {
    return (await read(client.Count({ upTo: 5 }))).answers.map(({ number }) => number);
  },
  async count_fail() {
    const { answers, error } = await read(client.Count({ upTo: 2, thenFail: true }));
    return { numbers: answers.map(({ number }) => number), error };
  },
  async sum() {
    const [ended, done] = settled();
    const call = client.Sum(done);
    for (const number of [1, 2, 39]) call.write({ number });
    call.end();
    return Number((await ended).answer.sum);
  },
  async chat() {
    const events = [];
    const texts = ["a", "b", "c"];
    const call = client.Chat();
    const next = () => {
      const text = texts.shift();
      if (text === undefined) return call.end();
      events.push(text);
      call.write({ text });
    };
    call.on("data", ({ text }) => {
      events.push(text);
      next();
    });
    const ended = deferred();
    call.on("end", ended.resolve);
    next();
    await ended.promise;
    return events;
  },
  fail: () => failing("Fail", {}),
  nobody: async () => (await failing("Nobody", {})).code,
  async time_left() {
    return Number((await unary("Echo", {}, { deadline: Date.now() + 60_000 })).timeoutMs);
  },
  async deadline() {
    const { code } = await failing("Wait", { key: task.key + "d" }, { deadline: Date.now() + 200 });
    await unary("Reached", { key: task.key + "d", stage: "STAGE_CANCELLED" });
    return code;
  },
  async cancel() {
    const [ended, done] = settled();
    const call = client.Wait({ key: task.key + "c" }, done);
    await unary("Reached", { key: task.key + "c", stage: "STAGE_STARTED" });
    call.cancel();
    const { error } = await ended;
    await unary("Reached", { key: task.key + "c", stage: "STAGE_CANCELLED" });
    return failure(error).code;
  },
});
