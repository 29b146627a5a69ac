# SPDX-License-Identifier: Apache-2.0
"""Attacks over HTTP/1.1, and with what stands in a body; each function is one attacker."""

import base64
import gzip
import struct
import zlib

from harness import attack as http2
from harness.attack import Peer, attack, hold_many


def _head(target, *lines, method="POST"):
    lines = [f"{method} {target.path} HTTP/1.1", "Host: x", *lines]
    lines += [f"{name}: {value}" for name, value in target.proof()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@attack(threads=1, counted=("slow",))
def slow_head(target):
    """200 connections that say a byte of a head five times a second."""
    hold_many(target, 200, f"POST {target.path} HTTP/1.1\r\nHost: x\r\nX: ".encode(), b"y")


@attack(threads=1, counted=("slow",))
def slow_body(target):
    """200 connections that say a byte of a body five times a second."""
    hold_many(target, 200, _head(target, "Content-Length: 100000"), b" ")


@attack(threads=1, crowd=True)
def silent(target):
    """1,500 connections that never say anything."""
    hold_many(target, 1500)


@attack(threads=1, counted=("connections",), crowd=True)
def crowd(target):
    """3,000 connections, over limits.connections; who is cut comes again."""
    hold_many(target, 3000, every=0.05)


@attack(threads=4)
def comings(target):
    """Connections that are made and closed again, without end."""
    target.connect().close()


@attack()
def endless_head(target):
    """Heads that never end."""
    with Peer(target) as peer:
        peer.send(f"GET {target.path} HTTP/1.1\r\nX: ".encode())
        while peer.send(b"y" * 65536):
            pass


@attack()
def many_fields(target):
    """Heads of 50,000 fields."""
    with Peer(target) as peer:
        peer.send(_head(target, *["a:b"] * 50_000))
        peer.wait_cut()


@attack()
def empty_lines(target):
    """Empty lines before a request, without end."""
    with Peer(target) as peer:
        while peer.send(b"\r\n" * 8192):
            pass


@attack()
def slow_reader_http1(target):
    """Requests without end whose answers are not read; the socket takes 4 KB."""
    with Peer(target, reads=False, receive_buffer=4096) as peer:
        while peer.send(_head(target, method="GET") * 100):
            pass


@attack()
def large_http1(target):
    """Whole bodies of limits.body without a proof."""
    body = _head(target, f"Content-Length: {target.body}") + b" " * target.body
    with Peer(target) as peer:
        while peer.send(body):
            pass


@attack(threads=1, counted=("slow", "buffers"), crowd=True)
def bodies_http1(target):
    """300 connections that each stop shortly before the end of a body of limits.body."""
    peers = []
    try:
        while not target.over() and len(peers) < 300:
            peers.append(Peer(target))
            peers[-1].send(_head(target, f"Content-Length: {target.body}") + b" " * (target.body - 4096))
        for peer in peers:
            peer.wait_cut()
    finally:
        for peer in peers:
            peer.__exit__()


@attack()
def chunks(target):
    """A body of one-byte chunks, each with 4 KB of extensions."""
    piece = b"1;" + b"x" * 4096 + b"\r\n \r\n"
    with Peer(target) as peer:
        peer.send(_head(target, "Transfer-Encoding: chunked"))
        while peer.send(piece * 16):
            pass


@attack(threads=8)
def upgrades(target):
    """HTTP/1 upgrades to HTTP/2 with a body of 3 MB and no room for the answer."""
    settings = base64.urlsafe_b64encode(struct.pack(">HI", http2.INITIAL_WINDOW_SIZE, 0)).rstrip(b"=").decode()
    with Peer(target, reads=False) as peer:
        peer.send(_head(target, "Connection: upgrade, http2-settings", "Upgrade: h2c", f"HTTP2-Settings: {settings}",
                        "Content-Length: 3000000") + b" " * 3_000_000)
        peer.wait_cut()


# Forms that two programs can read in two ways, and what stands behind the head.
SMUGGLING = {
    "two lengths": (("Content-Length: 2", "Content-Length: 7"), b"[]"),
    "the same length twice": (("Content-Length: 2", "Content-Length: 2"), b"[]"),
    "a list of lengths": (("Content-Length: 2, 2",), b"[]"),
    "length and chunked": (("Content-Length: 2", "Transfer-Encoding: chunked"), b"2\r\n[]\r\n0\r\n\r\n"),
    "chunked and length": (("Transfer-Encoding: chunked", "Content-Length: 2"), b"2\r\n[]\r\n0\r\n\r\n"),
    "chunked twice": (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), b"2\r\n[]\r\n0\r\n\r\n"),
    "chunked, identity": (("Transfer-Encoding: chunked, identity",), b"2\r\n[]\r\n0\r\n\r\n"),
    "xchunked": (("Transfer-Encoding: xchunked",), b"2\r\n[]\r\n0\r\n\r\n"),
    "blank before the colon": (("Transfer-Encoding : chunked",), b"2\r\n[]\r\n0\r\n\r\n"),
    "folded line": (("X: a", " Content-Length: 7", "Content-Length: 2"), b"[]"),
    "signed length": (("Content-Length: +2",), b"[]"),
    "negative length": (("Content-Length: -2",), b"[]"),
    "hexadecimal length": (("Content-Length: 0x2",), b"[]"),
    "length beyond 2^64": (("Content-Length: 18446744073709551618",), b"[]"),
    "chunk beyond 2^64": (("Transfer-Encoding: chunked",), b"10000000000000002\r\n[]\r\n0\r\n\r\n"),
    "negative chunk": (("Transfer-Encoding: chunked",), b"-2\r\n[]\r\n0\r\n\r\n"),
    "chunk in no digits": (("Transfer-Encoding: chunked",), b"0x2\r\n[]\r\n0\r\n\r\n"),
    "NUL in a field": (("X: \0", "Content-Length: 2"), b"[]"),
    "extension without a semicolon": (("Transfer-Encoding: chunked",), b"2 x\r\n[]\r\n0\r\n\r\n"),
    "extension that ends with LF": (("Transfer-Encoding: chunked",), b"2;\n[]\r\n0\r\n\r\n"),
    # Its end is waited for, until body_time is over.
    "chunk of 2^63": (("Transfer-Encoding: chunked",), b"8000000000000000\r\n[]\r\n0\r\n\r\n"),
}


@attack(threads=2, proof=True, counted=("framing",))
def smuggling(target):
    """Heads and chunks that two programs can read in two ways; what follows must never be another request."""
    for name, (lines, body) in SMUGGLING.items():
        if target.over():
            return
        with Peer(target) as peer:
            peer.sock.sendall(_head(target, *lines) + body + _head(target, method="GET"))
            peer.sock.settimeout(8)
            answer = b""
            try:
                while more := peer.sock.recv(4096):
                    answer += more
                kept = ""
            except TimeoutError:
                kept = " and kept"
            except OSError:  # closed while something was on its way
                kept = ""
            statuses = [one[:3].decode() for one in answer.split(b"HTTP/1.1 ")[1:]]
            target.answers[f"{name}: {', '.join(statuses) or 'closed'}{kept}"] += 1


def _post(target, *lines):
    """(headers, body) by turns on one connection; the answers are counted."""
    def send(peer, body):
        peer.sock.settimeout(10)
        peer.sock.sendall(_head(target, *lines, f"Content-Length: {len(body)}") + body)
        answer = peer.sock.recv(4096)
        target.answers[answer[9:12].decode() or "closed"] += 1
        return bool(answer) and not target.over()
    return send


def _bodies(target, *bodies, lines=()):
    send = _post(target, *lines)
    with Peer(target) as peer:
        while all(send(peer, body) for body in bodies):
            pass


def _zeros(megabytes):
    """So many MiB of blanks, as gzip."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(b" " * (1 << 20)) for _ in range(megabytes)) + packer.flush()


@attack(proof=True)
def gzip_bomb(target):
    """256 MiB in 255 KB of gzip, and the most that limits.body allows."""
    _bodies(target, _zeros(256), gzip.compress(b" " * target.body), lines=["Content-Encoding: gzip"])


@attack(proof=True)
def gzip_in_gzip(target):
    """256 MiB in gzip in gzip, in one coding and in two."""
    nested = gzip.compress(_zeros(256))
    _bodies(target, nested, lines=["Content-Encoding: gzip"])
    _bodies(target, nested, lines=["Content-Encoding: gzip, gzip"])


@attack(proof=True)
def json_depth(target):
    """Bodies of limits.body that go ever deeper."""
    event = b'{"type":"x","data":'
    _bodies(target, b"[" * target.body, event * (target.body // len(event)), b'[{"type":"x","data":' + b"[" * 1_000_000)


@attack(proof=True)
def json_width(target):
    """Bodies of limits.body with 2,000,000 elements, 500,000 members and the most events."""
    def wide(one):
        return b",".join([one] * ((target.body - 64) // (len(one) + 1)))

    members = b",".join(b'"%x":1' % number for number in range(300_000))
    events = b"[" + b",".join([b'{"type":"x","data":{}}'] * 10_000) + b"]"
    _bodies(target, b"[" + wide(b"1") + b"]", b"[" + wide(b"{}") + b"]", b"{" + members + b"}",
            b'{"type":"x","data":{' + members + b"}}", events)


@attack(threads=24, proof=True, spoils=True)
def full_budget(target):
    """A sender that may send: good batches of limits.body, 24 at a time."""
    event = b'{"type":"x","data":{"text":"' + b"x" * 2000 + b'"}}'
    _bodies(target, b"[" + b",".join([event] * (target.body // (len(event) + 1))) + b"]")
