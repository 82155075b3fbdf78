"""send.py URL: sends the events on standard input, a JSON object {mode, events} a line.

For each request one line tells its status, or the SDK's error, and the body as sent.
"""

import json
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat

from events import build, text


def message(mode, events):
    if mode == "binary":
        return http.to_binary_event(events[0])
    if mode == "structured":
        return http.to_structured_event(events[0])
    # The SDK has no batches; a batch is a JSON array of what it writes.
    body = b"[" + b",".join(JSONFormat().write(event) for event in events) + b"]"
    return http.HTTPMessage({"content-type": "application/cloudevents-batch+json"}, body)


def send(url, mode, wanted):
    try:
        sent = message(mode, [build(event) for event in wanted])
        connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
        connection.request("POST", urlsplit(url).path, sent.body, sent.headers)
        response = connection.getresponse()
        return {"status": response.status, "error": response.read().decode(), "body": text(sent.body)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


for line in sys.stdin:
    order = json.loads(line)
    print(json.dumps(send(sys.argv[1], order["mode"], order["events"])), flush=True)
