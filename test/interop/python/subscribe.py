"""A subscriber: prints {"port": …}, and then what the SDK read from each request.

A request to /answer or /answer-structured is answered with an event.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cloudevents.core.bindings import http
from cloudevents.core.v1.event import CloudEvent

from events import tell


def answer(path, event):
    attributes = {**event.get_attributes(), "id": f"answer{path}-{event.get_id()}", "type": "com.example.answer"}
    return CloudEvent(attributes, event.get_data())


class Subscriber(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sent = http.HTTPMessage({}, b"")
        try:
            event = http.from_http_event(http.HTTPMessage(dict(self.headers.items()), body))
            told = tell(event)
            if self.path == "/answer":
                sent = http.to_binary_event(answer(self.path, event))
            elif self.path == "/answer-structured":
                sent = http.to_structured_event(answer(self.path, event))
        except Exception as error:
            told = {"error": f"{type(error).__name__}: {error}", "attributes": {"id": self.headers.get("ce-id", "")}}
        sys.stdout.write(json.dumps({"path": self.path, **told}) + "\n")  # in one piece
        sys.stdout.flush()
        self.send_response(200 if sent.headers else 202)
        for name, value in sent.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(sent.body)))
        self.end_headers()
        self.wfile.write(sent.body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Subscriber)
server.daemon_threads = True
print(json.dumps({"port": server.server_port}), flush=True)
server.serve_forever()
