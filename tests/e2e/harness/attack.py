# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 frames by hand, for what a decent client library refuses to send."""

import socket
import struct

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def head(path, headers=(), encoder=None):
    encoder = encoder or hpack.Encoder()
    fixed = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", path)]
    return encoder.encode(fixed + list(headers))


class Attacker:
    """A connection that never reads more than it must; pushes until it is cut off."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.sock.sendall(PREFACE + frame(SETTINGS, 0, 0))
        self.cut = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        """False once the server has had enough."""
        if self.cut:
            return False
        try:
            self.sock.sendall(data)
            self._drain()
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.cut = True
        return not self.cut

    def _drain(self):
        self.sock.setblocking(False)
        try:
            while True:
                if not self.sock.recv(65536):
                    self.cut = True
                    return
        except BlockingIOError:
            pass
        finally:
            self.sock.settimeout(20)

    def wait_cut(self, timeout):
        self.sock.settimeout(timeout)
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionResetError:
            pass
        self.cut = True
