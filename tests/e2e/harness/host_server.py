# SPDX-License-Identifier: Apache-2.0
"""The process behind harness.host.Host: answers what stands in a file, writes what it was asked into another.

    host_server.py FOLDER PORT [http|https]"""

import base64
import http.server
import json
import os
import pathlib
import ssl
import sys
import time
import urllib.parse

FOLDER = pathlib.Path(sys.argv[1])
PORT = int(sys.argv[2])
TLS = sys.argv[3:] == ["https"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode("latin-1")
        if self.path == "/up":
            reply = {}
        else:
            self.note(body)
            replies = json.loads((FOLDER / "replies.json").read_text())
            plain = self.path.partition("?")[0]
            token = urllib.parse.parse_qs(body).get("token", [""])[0] if length else ""
            names = (f"{plain}#{token}", self.path, plain, "*")
            reply = next((replies[name] for name in names if name in replies), {"status": 404})
        time.sleep(reply.get("delay", 0))
        content = base64.b64decode(reply.get("body", ""))
        self.send_response(reply.get("status", 200))
        for name, value in reply.get("headers", []):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        cut = reply.get("cut")
        self.wfile.write(content[:cut])
        if cut is not None:
            self.close_connection = True

    do_GET = do_POST = do_HEAD = do_PUT = answer

    def note(self, body):
        entry = {
            "time": time.time(), "method": self.command, "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()}, "body": body,
        }
        # One write to a file that is only appended to: whole lines, whoever is killed when.
        target = os.open(FOLDER / "requests.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(target, json.dumps(entry).encode() + b"\n")
        os.close(target)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def get_request(self):
        sock, address = super().get_request()
        if TLS:
            # Read each time: the certificate may have been exchanged.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(FOLDER / "cert.pem", FOLDER / "key.pem")
            # The handshake comes with the first read, on the connection's own thread.
            sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return sock, address

    def handle_error(self, *_):
        pass


Server(("127.0.0.1", PORT), Handler).serve_forever()
