// One event between the test and the SDK: attributes as text, data as base64.
const { CloudEvent } = require("cloudevents");

// build makes the SDK's event as a program would: an object for JSON, a string for text.
function build(wanted) {
  const event = { ...wanted.attributes };
  if (wanted.data !== undefined) {
    const bytes = Buffer.from(wanted.data, "base64");
    const kind = event.datacontenttype ?? "";
    if (kind.startsWith("application/json")) event.data = JSON.parse(bytes.toString());
    else if (kind.startsWith("text/")) event.data = bytes.toString();
    else event.data = Uint8Array.from(bytes);
  }
  return new CloudEvent(event);
}

// tell is what the SDK read, as the test compares it.
function tell(event) {
  const { data, data_base64, ...rest } = event;
  const attributes = {};
  for (const [name, value] of Object.entries(rest)) {
    if (value !== undefined) attributes[name] = String(value);
  }
  if (data === undefined || data === "") return { attributes };
  let bytes;
  if (typeof data === "string") bytes = Buffer.from(data);
  else if (ArrayBuffer.isView(data)) {
    bytes = Buffer.from(Array.from(data));
    if (data.constructor !== Uint8Array) attributes["class"] = data.constructor.name;
  }
  else bytes = Buffer.from(JSON.stringify(data));
  return { attributes, data: bytes.toString("base64") };
}

module.exports = { build, tell };
