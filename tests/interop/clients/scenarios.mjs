// The part of a client program that does not depend on its library.

// Runs each of the scenarios in *names* and prints what it returned, or how it failed.
export async function report(names, scenarios) {
  const found = {};
  for (const name of names) {
    try {
      found[name] = await within(20_000, scenarios[name]());
    } catch (error) {
      found[name] = { exception: error?.stack ?? String(error) };
    }
  }
  // exits by itself: open HTTP/2 sessions would keep the process alive for minutes
  process.stdout.write(JSON.stringify(found), () => process.exit(0));
}

function within(milliseconds, promise) {
  const late = (_, reject) => setTimeout(() => reject(new Error(`no outcome in ${milliseconds} ms`)), milliseconds).unref();
  return Promise.race([promise, new Promise(late)]);
}

export function deferred() {
  let resolve;
  const promise = new Promise((resolved) => (resolve = resolved));
  return { promise, resolve };
}
