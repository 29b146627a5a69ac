# SPDX-License-Identifier: Apache-2.0
"""What attacks are made of: whom they go for, connections that count what becomes of them, HTTP/2 frames by hand."""

import collections
import dataclasses
import socket
import struct
import time

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
INITIAL_WINDOW_SIZE = 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def head(path, headers=(), encoder=None):
    encoder = encoder or hpack.Encoder()
    fixed = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", path)]
    return encoder.encode(fixed + list(headers))


@dataclasses.dataclass
class Target:
    """A bridge, for so long. token: None when the attackers know none."""

    port: int
    path: str
    until: float
    tls_port: int = 0
    token: str | None = None
    body: int = 4 * 1024 * 1024  # its limits.body
    connections: int = 0
    cut: int = 0
    answers: collections.Counter = dataclasses.field(default_factory=collections.Counter)

    def over(self):
        return time.monotonic() > self.until

    def left(self):
        return max(0.05, self.until - time.monotonic())

    def connect(self, tls=False, receive_buffer=None):
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(20)
        try:
            sock.connect(("127.0.0.1", self.tls_port if tls else self.port))
        except OSError:
            sock.close()
            raise
        self.connections += 1
        return sock

    def proof(self):
        return [("authorization", self.token)] if self.token else []


class Peer:
    """A connection that pushes until it is cut off or time is up, and reads no more than it must."""

    def __init__(self, target, reads=True, **options):
        self.target = target
        self.sock = target.connect(**options)
        self.cut = False
        self._reads = reads

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.target.cut += self.cut
        self.sock.close()

    def send(self, data):
        """False once the server has had enough, or time is up."""
        if self.cut or self.target.over():
            return False
        self.sock.settimeout(self.target.left())
        try:
            self.sock.sendall(data)
            if self._reads:
                self._drain()
        except TimeoutError:  # it does not take more; time is up
            return False
        except OSError:
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

    def wait_cut(self):
        """Until the server has cut it off, or time is up."""
        while not self.cut and not self.target.over():
            self.sock.settimeout(self.target.left())
            try:
                self.cut = not self.sock.recv(65536)
            except TimeoutError:
                return
            except OSError:
                self.cut = True

    def hold(self, data=b"", every=0.2):
        """Until it is cut, with these bytes every now and then; its answers stay where they are."""
        while not self.cut and not self.target.over():
            try:
                self.sock.sendall(data)
                self.sock.settimeout(every)
                self.cut = not self.sock.recv(1, socket.MSG_PEEK)
                time.sleep(every)
            except TimeoutError:
                continue
            except OSError:
                self.cut = True


class Peer2(Peer):
    """The same with HTTP/2's beginning; settings: {number: value}."""

    def __init__(self, target, settings=None, **options):
        super().__init__(target, **options)
        payload = b"".join(struct.pack(">HI", *one) for one in (settings or {}).items())
        self.send(PREFACE + frame(SETTINGS, 0, 0, payload))


def hold_many(target, count, first=b"", then=b"", tls=False, every=0.2):
    """So many connections that each say `first`, and then `then` every now and then; who is cut comes again."""
    socks = []
    try:
        while not target.over():
            while len(socks) < count and not target.over():
                sock = target.connect(tls)
                sock.sendall(first)
                sock.setblocking(False)
                socks.append(sock)
            kept = [sock for sock in socks if _says(sock, then)]
            target.cut += len(socks) - len(kept)
            socks = kept
            time.sleep(min(every, target.left()))
    finally:
        for sock in socks:
            sock.close()


def _says(sock, data):
    """Whether the connection is there still."""
    try:
        sock.send(data)
        open_ = bool(sock.recv(4096))
    except BlockingIOError:
        open_ = True
    except OSError:
        open_ = False
    if not open_:
        sock.close()
    return open_


@dataclasses.dataclass
class Attack:
    act: object
    threads: int
    proof: bool      # who plays it knows the token
    counted: tuple   # reasons of guard_actions_total; one of them must have been counted
    crowd: bool      # takes connections by the thousand
    tls: bool
    spoils: bool     # by right: it may fill the budget, and others get 503

    @property
    def what(self):
        return self.act.__doc__.splitlines()[0].rstrip(".")


ATTACKS = {}


def attack(threads=4, proof=False, counted=(), crowd=False, tls=False, spoils=False):
    """Registers a function of a target: one connection's life, or many of them; it is called until time is up."""
    def register(act):
        ATTACKS[act.__name__] = Attack(act, threads, proof, counted, crowd, tls, spoils)
        return act
    return register
