// send.cjs URL: sends the events on standard input, a JSON object {mode, events} a line.
// For each request one line tells its status, or the SDK's error, and the body as sent.
const readline = require("node:readline");
const { HTTP } = require("cloudevents");
const { build } = require("./events.cjs");

function message(mode, events) {
  if (mode === "binary") return HTTP.binary(events[0]);
  if (mode === "structured") return HTTP.structured(events[0]);
  // The SDK reads batches and writes none; its events turn into JSON by themselves.
  return { headers: { "content-type": "application/cloudevents-batch+json" }, body: JSON.stringify(events) };
}

async function send(url, mode, wanted) {
  try {
    const { headers, body } = message(mode, wanted.map(build));
    const response = await fetch(url, { method: "POST", headers, body });
    const text = await response.text();
    if (!response.ok) return { status: response.status, error: text };
    return { status: response.status, body: Buffer.from(body ?? "").toString("base64") };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { mode, events } = JSON.parse(line);
    console.log(JSON.stringify(await send(process.argv[2], mode, events)));
  }
}

main();
