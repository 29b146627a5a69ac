# SPDX-License-Identifier: Apache-2.0
"""A web server that says what the test puts there: keys, key sets, answers to introspection; slow or broken on request."""

import base64
import json
import os
import pathlib
import shutil
import socket
import sys

from harness.process import Process


class Host(Process):
    """certificate: (certificate, key) makes it speak TLS."""

    def __init__(self, certificate=None):
        super().__init__("host")
        self._replies = {}
        self._scheme = "https" if certificate else "http"
        self.base = f"{self._scheme}://{'localhost' if certificate else '127.0.0.1'}:{self.port}"
        if certificate:
            self.use_certificate(certificate)
        self._write()

    def command(self):
        server = pathlib.Path(__file__).with_name("host_server.py")
        # Isolated: beside it stand modules with the names of the library's own.
        return [sys.executable, "-I", str(server), str(self.folder), str(self.port), self._scheme]

    def answers(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True

    def use_certificate(self, certificate):
        """For connections from now on."""
        for source, name in zip(certificate, ("cert.pem", "key.pem")):
            shutil.copy(source, self.folder / (name + ".new"))
            os.replace(self.folder / (name + ".new"), self.folder / name)

    def url(self, path):
        return self.base + path

    def put(self, path, body=b"", status=200, headers=(), delay=0, cut=None):
        """What is asked for with that path, with any query; "*" stands for all others, which are 404 else.
        With #TOKEN behind the path: what is said of that token when it is asked about.

        delay: seconds before the answer; cut: closes after so many bytes of the body."""
        body = body.encode() if isinstance(body, str) else body
        self._replies[path] = {
            "status": status, "headers": list(headers), "body": base64.b64encode(body).decode(), "delay": delay,
            "cut": cut,
        }
        self._write()

    def put_json(self, path, value, **options):
        self.put(path, json.dumps(value), headers=[("Content-Type", "application/json")], **options)

    def remove(self, path):
        self._replies.pop(path, None)
        self._write()

    def _write(self):
        fresh = self.folder / "replies.json.new"
        fresh.write_text(json.dumps(self._replies))
        os.replace(fresh, self.folder / "replies.json")

    def requests(self, path=None):
        """What it was asked, in order; `path` without a query."""
        try:
            lines = (self.folder / "requests.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        entries = [json.loads(line) for line in lines]
        return [one for one in entries if path is None or one["path"].partition("?")[0] == path]

    def count(self, path=None):
        return len(self.requests(path))
