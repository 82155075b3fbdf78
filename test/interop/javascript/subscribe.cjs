// A subscriber: prints {"port": …}, and then what the SDK read from each request.
// A request to /answer or /answer-structured is answered with an event.
const http = require("node:http");
const { CloudEvent, HTTP } = require("cloudevents");
const { tell } = require("./events.cjs");

function answer(path, event) {
  return event.cloneWith({ id: `answer${path}-${event.id}`, type: "com.example.answer" });
}

// body is what a web framework hands over: text as text, all else as bytes.
function body(request, bytes) {
  if (bytes.length === 0) return undefined;
  const kind = request.headers["content-type"] ?? "";
  return /json|^text\//.test(kind) ? bytes.toString() : Uint8Array.from(bytes);
}

function handle(request, response, bytes) {
  let told;
  let sent;
  try {
    const event = HTTP.toEvent({ headers: request.headers, body: body(request, bytes) });
    told = tell(event);
    if (request.url === "/answer") sent = HTTP.binary(answer(request.url, event));
    if (request.url === "/answer-structured") sent = HTTP.structured(answer(request.url, event));
  } catch (error) {
    told = { error: `${error.name}: ${error.message}`, attributes: { id: request.headers["ce-id"] ?? "" } };
  }
  console.log(JSON.stringify({ path: request.url, ...told }));
  response.writeHead(sent ? 200 : 202, sent?.headers).end(sent?.body);
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => handle(request, response, Buffer.concat(parts)));
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
