# SPDX-License-Identifier: Apache-2.0
"""HTTP clients that control every byte: HTTP/1.1 on a plain socket, HTTP/2 through the h2 library."""

import json
import socket
import time
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events
import h2.settings

HTTP1 = "1.1"
HTTP2 = "2"
BOTH = (HTTP1, HTTP2)


# The h2 library takes GOAWAY for the end of the connection; streams that are under way go on after it.
_OPEN = h2.connection.ConnectionState.CLIENT_OPEN
h2.connection.H2ConnectionStateMachine._transitions[_OPEN, h2.connection.ConnectionInputs.RECV_GOAWAY] = (None, _OPEN)


@dataclass
class Answer:
    status: int
    headers: list
    body: bytes
    seconds: float = 0.0

    def header(self, name):
        found = [value for key, value in self.headers if key.lower() == name]
        assert len(found) <= 1, f"{name} stands twice"
        return found[0] if found else None

    def json(self):
        return json.loads(self.body)


class Closed(Exception):
    """The server closed the connection or the stream before an answer was complete."""


def connect(port, tls=None, timeout=30):
    sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls.wrap_socket(sock, server_hostname="localhost") if tls else sock


class Http1:
    """One connection; send() takes bytes as they shall go out."""

    def __init__(self, port, tls=None, timeout=30):
        self.sock = connect(port, tls, timeout)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed
        self._buffer += data

    def _until(self, mark):
        while mark not in self._buffer:
            self._more()
        found, self._buffer = self._buffer.split(mark, 1)
        return found

    def _take(self, count):
        while len(self._buffer) < count:
            self._more()
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def answer(self, head_only=False):
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        if status < 200:
            return self.answer(head_only)
        found = {name.lower(): value for name, value in headers}
        if head_only or status in (204, 304):
            body = b""
        elif found.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(self._until(b"\r\n").split(b";")[0], 16):
                body += self._take(size)
                self._until(b"\r\n")
            self._until(b"\r\n")
        elif "content-length" in found:
            body = self._take(int(found["content-length"]))
        else:
            body = self._buffer
            try:
                while True:
                    self._more()
                    body = self._buffer
            except Closed:
                pass
        return Answer(status, headers, body)

    def request(self, method, path, headers=(), body=b""):
        started = time.monotonic()
        self.send(head(method, path, headers, len(body) if body or method == "POST" else None) + body)
        answer = self.answer(head_only=method == "HEAD")
        answer.seconds = time.monotonic() - started
        return answer

    def wait_closed(self, timeout):
        """Reads until the server closes; says what came before. TimeoutError when it does not."""
        self.sock.settimeout(timeout)
        rest = self._buffer
        try:
            while data := self.sock.recv(65536):
                rest += data
        except (ConnectionResetError, BrokenPipeError):
            pass
        return rest


def head(method, path, headers=(), length=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Http2:
    """One connection with prior knowledge (or the protocol that ALPN gave)."""

    def __init__(self, port, tls=None, timeout=30):
        self.sock = connect(port, tls, timeout)
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.goaway = False
        self.last_stream = None  # of the latest GOAWAY
        self.closed = False
        self._streams = {}
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def pump(self):
        """Reads once and notes what happened to the streams."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
            raise Closed
        for event in self.h2.receive_data(data):
            self._note(event)
        self.flush()

    def _note(self, event):
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaway, self.last_stream = True, event.last_stream_id
        state = self._streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if state is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            state["headers"] = event.headers
        elif isinstance(event, h2.events.DataReceived):
            state["body"] += event.data
        elif isinstance(event, h2.events.StreamEnded):
            state["ended"] = True
        elif isinstance(event, h2.events.StreamReset):
            state["reset"] = int(event.error_code)

    def start(self, method, path, headers=(), end=False):
        stream = self.h2.get_next_available_stream_id()
        self._streams[stream] = {"headers": None, "body": b"", "ended": False, "reset": None}
        fixed = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
        self.h2.send_headers(stream, fixed + [(n.lower(), v) for n, v in headers], end_stream=end)
        self.flush()
        return stream

    def send(self, stream, data, end=False):
        while data:
            if self._streams[stream]["ended"] or self._streams[stream]["reset"] is not None:
                return
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room <= 0:
                self.pump()
                continue
            piece, data = data[:room], data[room:]
            self.h2.send_data(stream, piece, end_stream=end and not data)
            self.flush()

    def answer(self, stream):
        state = self._streams[stream]
        while not state["ended"]:
            if state["reset"] is not None:
                raise Closed(f"stream reset with {state['reset']}")
            self.pump()
        del self._streams[stream]
        headers = state["headers"]
        status = int(dict(headers)[":status"])
        return Answer(status, [pair for pair in headers if not pair[0].startswith(":")], state["body"])

    def has_begun_to_answer(self, stream):
        return self._streams[stream]["headers"] is not None

    def request(self, method, path, headers=(), body=b""):
        started = time.monotonic()
        stream = self.start(method, path, headers, end=not body)
        if body:
            self.send(stream, body, end=True)
        answer = self.answer(stream)
        answer.seconds = time.monotonic() - started
        return answer

    def wait_closed(self, timeout):
        self.sock.settimeout(timeout)
        try:
            while True:
                self.pump()
        except Closed:
            pass


CLIENTS = {HTTP1: Http1, HTTP2: Http2}


def request(port, method, path, headers=(), body=b"", http=HTTP1, tls=None, timeout=30):
    """One request on a connection of its own."""
    with CLIENTS[http](port, tls, timeout) as client:
        return client.request(method, path, headers, body)
