# SPDX-License-Identifier: Apache-2.0
"""What a stranger can do over HTTP/2 and HTTP/1.1: the good sender is still served, memory stays bounded."""

import base64
import concurrent.futures
import struct
import time

import pytest

from harness import attack
from harness.attack import Attacker, frame
from harness.bridge import ACTIVITY, SANITIZED, TOKEN
from harness.http import Closed, Http1, head
from harness.load import Load
from harness.waits import eventually

pytestmark = pytest.mark.fault

AUTH = ("authorization", TOKEN)


@pytest.fixture
def guarded(start_bridge, reader):
    """A bridge under attack, and a good sender that must not notice much."""
    bridge = start_bridge({"limits": {"body_time": "2s"}})
    with Load(bridge, ACTIVITY, senders=2) as load:
        load.wait_good(20)
        before, begun = bridge.peak_kib(), time.monotonic()
        yield bridge
        load.wait_good(20)
    load.assert_promises_kept(reader, 10)
    refused = [(one.status, one.error, one.seconds) for one in load.sent if one.started > begun and one.status != 200]
    assert not refused, refused[:5]
    if not SANITIZED:
        assert bridge.peak_kib() - before < 64 * 1024, "memory grew with what a stranger sent"
    eventually(lambda: bridge.metrics().sum("in_flight_bytes") == 0, what="everything is given back")


def _storm(bridge, act, attackers=4):
    with concurrent.futures.ThreadPoolExecutor(attackers) as pool:
        for done in [pool.submit(act, bridge) for _ in range(attackers)]:
            done.result()


def _rapid_reset(bridge, streams=20000):
    """CVE-2023-44487: complete requests, each reset at once."""
    block = attack.head(ACTIVITY, [AUTH, ("content-length", "2")])
    with Attacker(bridge.port) as attacker:
        for first in range(1, 2 * streams, 200):
            out = b""
            for stream in range(first, first + 200, 2):
                out += frame(attack.HEADERS, attack.END_HEADERS, stream, block)
                out += frame(attack.DATA, attack.END_STREAM, stream, b"[]")
                out += frame(attack.RST_STREAM, 0, stream, struct.pack(">I", 8))
            if not attacker.send(out):
                return


def _made_you_reset(bridge, streams=20000):
    """CVE-2025-8671: the server is made to reset, by a window update of 0."""
    block = attack.head(ACTIVITY, [AUTH, ("content-length", "2")])
    with Attacker(bridge.port) as attacker:
        for first in range(1, 2 * streams, 200):
            out = b""
            for stream in range(first, first + 200, 2):
                out += frame(attack.HEADERS, attack.END_HEADERS, stream, block)
                out += frame(attack.DATA, attack.END_STREAM, stream, b"[]")
                out += frame(attack.WINDOW_UPDATE, 0, stream, struct.pack(">I", 0))
            if not attacker.send(out):
                return


def _header_flood(bridge):
    """One byte per header field: 20 streams of 100,000 indexed fields each, never ended."""
    block = attack.head(ACTIVITY) + b"\xa0" * 100_000
    pieces = [block[at:at + 16000] for at in range(0, len(block), 16000)]
    with Attacker(bridge.port) as attacker:
        for stream in range(1, 41, 2):
            out = frame(attack.HEADERS, 0, stream, pieces[0])
            for piece in pieces[1:-1]:
                out += frame(attack.CONTINUATION, 0, stream, piece)
            out += frame(attack.CONTINUATION, attack.END_HEADERS, stream, pieces[-1])
            if not attacker.send(out):
                return
        attacker.wait_cut(10)


def _endless_continuation(bridge):
    """CVE-2024-27316 and kin: a head that never ends."""
    piece = frame(attack.CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 50)
    with Attacker(bridge.port) as attacker:
        attacker.send(frame(attack.HEADERS, 0, 1, attack.head(ACTIVITY)))
        for _ in range(20000):
            if not attacker.send(piece):
                return
        attacker.wait_cut(10)


def _unfinished_bodies(bridge):
    """100 streams with most of a body each, never ended."""
    block = attack.head(ACTIVITY, [AUTH])
    with Attacker(bridge.port) as attacker:
        for stream in range(1, 200, 2):
            out = frame(attack.HEADERS, attack.END_HEADERS, stream, block)
            out += frame(attack.DATA, 0, stream, b" " * 600)
            if not attacker.send(out):
                return
        attacker.wait_cut(10)


def _pings(bridge):
    with Attacker(bridge.port) as attacker:
        for _ in range(300):
            if not attacker.send(frame(attack.PING, 0, 0, b"8 bytes!") * 100):
                return


def _settings(bridge):
    with Attacker(bridge.port) as attacker:
        for _ in range(300):
            if not attacker.send(frame(attack.SETTINGS, 0, 0) * 100):
                return


def _answers_without_a_window(bridge):
    """Never makes room for the answer: the stream would stay for ever."""
    with Attacker(bridge.port) as attacker:
        attacker.send(frame(attack.SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))
        for stream in range(1, 100, 2):
            attacker.send(frame(attack.HEADERS, attack.END_HEADERS | attack.END_STREAM, stream, attack.head(ACTIVITY)))
        attacker.wait_cut(10)


def _upgrades_without_a_window(bridge):
    """An HTTP/1 upgrade whose body stays in memory as long as its answer has no room."""
    settings = base64.urlsafe_b64encode(struct.pack(">HI", 4, 0)).rstrip(b"=").decode()
    body = b" " * 3_000_000
    for _ in range(10):
        with Http1(bridge.port) as client:
            client.send(head("POST", ACTIVITY, [
                ("connection", "upgrade, http2-settings"), ("upgrade", "h2c"), ("http2-settings", settings),
                ("content-length", str(len(body))),
            ]) + body)
            client.wait_closed(10)


def test_header_flood_again_and_again(start_bridge):
    """What arrives between two looks of the guard may cost memory once, but it never adds up."""
    bridge = start_bridge()
    peaks = []
    for _ in range(6):
        _storm(bridge, _header_flood, attackers=1)
        peaks.append(bridge.peak_kib() // 1024)
    assert SANITIZED or peaks[-1] < 400, peaks
    assert bridge.post(ACTIVITY, b"[]").status == 200
    assert bridge.metrics().sum("guard_actions_total", reason="headers") > 0


@pytest.mark.parametrize("act", [
    _rapid_reset, _made_you_reset, _endless_continuation, _unfinished_bodies, _pings, _settings,
    _answers_without_a_window,
], ids=lambda act: act.__name__.strip("_"))
def test_http2_attack(guarded, act):
    _storm(guarded, act)


def test_upgrades_do_not_pin_their_bodies(start_bridge):
    """Ten at a time of 3 MB each, against 32 MiB in flight: the largest are cut, the rest after body_time."""
    bridge = start_bridge({"limits": {"body_time": "2s", "in_flight": "32MiB"}})
    _storm(bridge, _upgrades_without_a_window, attackers=20)
    assert SANITIZED or bridge.peak_kib() < 160 * 1024
    assert bridge.metrics().sum("guard_actions_total") > 0
    assert bridge.post(ACTIVITY, b"[]").status == 200


def test_rapid_reset_is_counted(guarded):
    _storm(guarded, _rapid_reset)
    assert guarded.metrics().sum("guard_actions_total") > 0


def test_too_many_headers_over_http1(guarded):
    with Http1(guarded.port) as client:
        client.send(head("GET", ACTIVITY, [(f"x-{n}", "1") for n in range(200)]))
        try:
            assert client.answer().status in (400, 431)
        except Closed:
            pass


def test_endless_head_over_http1(guarded):
    def act(bridge):
        with Http1(bridge.port) as client:
            try:
                client.send(f"GET {ACTIVITY} HTTP/1.1\r\nX: ".encode())
                for _ in range(200):
                    client.send(b"y" * 65536)
            except OSError:
                return
            client.wait_closed(10)

    _storm(guarded, act)


def test_many_idle_connections(guarded):
    clients = [Http1(guarded.port) for _ in range(500)]
    assert all(client.request("GET", ACTIVITY).status == 200 for client in clients[::50])
    for client in clients:
        client.close()


def test_unauthenticated_bodies_cost_little(guarded):
    """Large bodies without a token are refused and not kept."""
    def act(bridge):
        body = b"[" + b" " * 1_000_000 + b"]"
        for _ in range(20):
            assert bridge.post(ACTIVITY, body, token=None).status == 401

    _storm(guarded, act)
