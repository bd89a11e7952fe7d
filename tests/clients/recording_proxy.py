"""A proxy that writes down what clients send and what the server answers.

usage: recording_proxy.py PORT SERVER_PORT SERVER_NAME FOLDER

PUT /record/NAME names the client. From then on, each new pair of method and address becomes the file
FOLDER/NAME.SERVER_NAME.NUMBER.http: the request's bytes, a line "----- response", and the response's bytes. Of the
headers only those stay that a server or a client may read. A body that comes in chunks is written whole, with
its length.
"""

import http.client
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KEPT = {"accept", "accept-encoding", "content-type",
        "inference-header-content-length", "retry-after", "user-agent", "www-authenticate", "x-stainless-read-timeout"}
SEPARATOR = b"\n----- response\n"


class Recording:
    """Which files exist for the client whose turn it is."""
    folder = Path()
    server = ""
    name = "unnamed"
    seen = set()


def head(first_line, headers, body):
    kept = [(name, value) for name, value in headers if name.lower() in KEPT]
    lines = [first_line, *(f"{name}: {value}" for name, value in kept)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def handle_any(self):
        body = self.read_body()
        if self.command == "PUT" and self.path.startswith("/record/"):
            Recording.name, Recording.seen = re.sub(r"[^a-z0-9-]", "", self.path.removeprefix("/record/")), set()
            return self.answer(200, [], b"")
        server = http.client.HTTPConnection("127.0.0.1", self.server.upstream)
        headers = [(name, value) for name, value in self.headers.items() if name.lower() not in ("transfer-encoding", "content-length")]
        server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers + ([("Content-Length", str(len(body)))] if body or self.command == "POST" else []):
            server.putheader(name, value)
        server.endheaders(body)
        reply = server.getresponse()
        answer = reply.read()
        self.write_down(headers, body, reply, answer)
        self.answer(reply.status, reply.getheaders(), answer)

    do_GET = do_POST = do_PUT = do_OPTIONS = handle_any

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def write_down(self, headers, body, reply, answer):
        key = (self.command, self.path, reply.status)
        if self.path == "/metrics" or Recording.name == "unnamed" or key in Recording.seen:
            return
        Recording.seen.add(key)
        path = Recording.folder / f"{Recording.name}.{Recording.server}.{len(Recording.seen)}.http"
        path.write_bytes(head(f"{self.command} {self.path} HTTP/1.1", headers, body) + SEPARATOR +
                         head(f"HTTP/1.1 {reply.status} {reply.reason}", reply.getheaders(), answer))

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(port, upstream, name, folder):
    Recording.folder, Recording.server = Path(folder), name
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.upstream = int(upstream)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
