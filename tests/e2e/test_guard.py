# SPDX-License-Identifier: Apache-2.0
"""What a stranger can do over HTTP and TLS: the good sender is still served, memory stays bounded, and the guard
counts it. tests/attacks/run plays the same attacks longer, with figures."""

import base64
import itertools
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import hpack
import pytest

from harness import attack as http2
from harness import certificates, events
from harness.attack import ATTACKS, Peer2, Target, frame
from harness.attack_scene import Scene, back_at
from harness.attacks import Storm
from harness.bridge import ACTIVITY, ADOBE, SANITIZED, SLOW, TOKEN
from harness.http import HTTP1, Closed, Http1, Http2, head
from harness.load import Load
from harness.ports import release_port, take_port
from harness.waits import eventually

pytestmark = pytest.mark.fault

AUTH = ("authorization", TOKEN)
LIMITS = {"body_time": "1s", "in_flight": "64MiB"}


@pytest.fixture(scope="module")
def scene(start_shared_bridge, tmp_path_factory):
    port = take_port()
    certificate, key = certificates.make(tmp_path_factory.mktemp("tls"))
    own = take_port()
    bridge = start_shared_bridge({"limits": LIMITS, "log": {"level": "info"}, "listen": [
        {"address": f"127.0.0.1:{own}"},
        {"address": f"127.0.0.1:{port}", "tls": {"certificate": str(certificate), "key": str(key)}},
    ]}, wait=False)
    release_port(bridge.port)
    bridge.port = own
    bridge.wait_ready()
    found = Scene(bridge, port, rate=30)
    found.quiet(1)
    found.first = found.resident(), found.descriptors()
    yield found
    release_port(port)


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(scene, name):
    """Short, and once more when it has not come so far as to be noticed."""
    slow = "slow" in ATTACKS[name].counted  # after body_time, or after a handshake's 3 s
    for seconds in (4 if slow and ATTACKS[name].tls else 1.5 if slow else 0.8, 4, 8):
        cost = scene.play([name], seconds * SLOW, wait=0)
        if cost.counted:
            break
    cost.after, cost.descriptors = cost.before, (0, 0)  # is looked at in the end
    wrong = list(cost.wrong(peak_mib=10**6 if SANITIZED else cost.before // 1024 + 112))
    assert not wrong, (wrong, cost)


def test_memory_and_descriptors_are_back_after_all_attacks(scene):
    memory, descriptors = scene.first
    eventually(lambda: scene.descriptors() <= descriptors, 20, "descriptors are closed", every=0.2)
    if not SANITIZED:
        eventually(lambda: scene.resident() <= back_at(memory), 30, "memory is given back", every=0.2)
    eventually(lambda: scene.bridge.metrics().sum("in_flight_bytes") == 0, what="every batch has ended")


def test_promises_are_kept_beside_attacks(start_bridge, reader):
    bridge = start_bridge({"limits": {"body_time": "2s"}})
    with Load(bridge, ACTIVITY, senders=2) as load:
        load.wait_good(20)
        with Storm(bridge, ["rapid_reset", "made_you_reset_zero", "hpack_bomb", "bodies_on_streams"], 2, TOKEN, ACTIVITY):
            pass
        load.wait_good(20)
    load.assert_promises_kept(reader, 10)
    assert load.statuses() == {200}


def _target(bridge, seconds=20, token=TOKEN):
    return Target(bridge.port, ACTIVITY, time.monotonic() + seconds * SLOW, token=token)


def test_bodies_beside_a_batch_in_work_are_bounded_too(start_bridge, own_broker):
    """Who has a batch in work is spared as long as others can go, but not whatever he holds."""
    broker = own_broker()
    bridge = start_bridge({"limits": {"in_flight": "32MiB", "body_time": "4s"}}, broker=broker)
    assert bridge.post(ACTIVITY, events.activities(1)[0]).status == 200
    before = bridge.peak_kib()
    target = _target(bridge, 10)
    with broker.paused():
        batch = events.activities(1)[0]
        with Peer2(target) as peer:
            block = http2.head(ACTIVITY, [AUTH])
            peer.send(frame(http2.HEADERS, http2.END_HEADERS, 1, block) + frame(http2.DATA, http2.END_STREAM, 1, batch))
            for stream in range(3, 180, 2):
                peer.send(frame(http2.HEADERS, http2.END_HEADERS, stream, block))
            for _, stream in itertools.product(range(200), range(3, 180, 2)):
                if not peer.send(frame(http2.DATA, 0, stream, b" " * 16384)):
                    break
            assert peer.cut
    eventually(lambda: bridge.metrics().sum("in_flight_bytes") == 0, 20 * SLOW, "the batch has ended")
    assert bridge.metrics().sum("guard_actions_total", reason="buffers") > 0
    assert SANITIZED or bridge.peak_kib() - before < 96 * 1024


class Large:
    """A body of 400 events of 9 KB, each of this letter."""

    def __init__(self, letter):
        self.events = [events.cloud_event(f'"{letter * 9000}"') for _ in range(400)]
        self.body = f"[{','.join(self.events)}]".encode()


def _hold_half(bridge, pool, letters, http_version):
    """Gives the bodies, and what is to come of them."""
    large = [Large(letter) for letter in letters]
    answers = []
    for count, one in enumerate(large, 1):
        answers.append(pool.submit(bridge.post, ADOBE, one.body, http_version=http_version))
        eventually(lambda: bridge.metrics().sum("in_flight_events") == 400 * count, what="it is in work")
    return large, answers


def test_large_bodies_are_written_whole_while_much_is_held(start_bridge, broker, reader, http_version):
    """Then the pages of what has been copied go back, and no other."""
    bridge = start_bridge({"limits": {"in_flight": "40MiB"}, "record": {"format": "original"}})
    with ThreadPoolExecutor() as pool, broker.paused():
        large, answers = _hold_half(bridge, pool, "abcd", http_version)
    assert [answer.result().status for answer in answers] == [200] * 4
    held = {record.value for record in reader.read(bridge.prefix)}
    assert held == {event.encode() for one in large for event in one.events}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_right_behind_a_large_body_is_read_while_much_is_held(start_bridge, broker, reader, chunked):
    bridge = start_bridge({"limits": {"in_flight": "40MiB"}, "record": {"format": "original"}})
    last, behind = Large("d"), events.cloud_event().encode()
    fields = [("authorization", TOKEN)]
    if chunked:
        first = head("POST", ADOBE, [*fields, ("Transfer-Encoding", "chunked")]) + b"".join(
            b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (last.body[:99999], last.body[99999:], b""))
    else:
        first = head("POST", ADOBE, fields, len(last.body)) + last.body
    second = head("POST", ADOBE, fields, len(behind)) + behind
    with ThreadPoolExecutor() as pool, Http1(bridge.port) as client:
        with broker.paused():
            large, answers = _hold_half(bridge, pool, "abc", HTTP1)
            client.send(first + second)
            eventually(lambda: bridge.metrics().sum("in_flight_events") == 1600, what="it is in work")
        assert client.answer().status == 200
        assert chunked or client.answer().status == 200
    assert [answer.result().status for answer in answers] == [200] * 3
    held = {record.value for record in reader.read(bridge.prefix)}
    assert held - {behind} == {event.encode() for one in [*large, last] for event in one.events}
    assert chunked or behind in held


@pytest.mark.parametrize("flags, size", [(http2.END_STREAM, 0), (0, 1000)])
def test_data_without_end_after_the_end_of_a_stream_is_cut_off(scene, flags, size):
    target = _target(scene.bridge)
    with Peer2(target) as peer:
        peer.send(frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 1, http2.head("/nothing")))
        while peer.send(frame(http2.DATA, flags, 1, b" " * size) * 50):
            pass
        assert peer.cut


# --- what is no attack


def test_an_honest_connection_is_not_cut(scene):
    """Some PINGs and window updates for each request, small frames, requests taken back."""
    before = scene.actions()
    target = _target(scene.bridge)
    head_block = http2.head(ACTIVITY, [AUTH])
    with Peer2(target) as peer:
        streams = itertools.count(1, 2)
        for number in range(300):
            out = b""
            for stream in itertools.islice(streams, 10):
                out += frame(http2.HEADERS, http2.END_HEADERS, stream, head_block)
                out += frame(http2.DATA, 0, stream, b"[") + frame(http2.DATA, http2.END_STREAM, stream, b"]")
                out += frame(http2.PING, 0, 0, b"8 bytes!") + frame(http2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1000))
            out += frame(http2.RST_STREAM, 0, stream, struct.pack(">I", 8)) if number % 10 == 0 else b""
            assert peer.send(out)
            eventually(lambda: scene.bridge.metrics().sum("in_flight_bytes") == 0, what="answered")
    assert scene.actions() == before


def test_a_body_far_too_large_does_not_cost_its_neighbours_the_connection(scene):
    """A proxy's: what is on its way when h2o resets the stream comes in frames as small as the proxy got them."""
    before = scene.actions()
    with Http2(scene.bridge.port) as client:
        assert client.request("POST", ACTIVITY, [AUTH], b"[]").status == 200
        stream = client.start("POST", ACTIVITY, [AUTH])
        room = 16 * 1024 * 1024 - 65536  # of the stream's window
        client.sock.sendall(frame(http2.DATA, 0, stream, b" " * 4096) * (room // 4096))
        assert client.request("POST", ACTIVITY, [AUTH], b"[]").status == 200
    assert scene.actions() == before


def test_unknown_frames_are_ignored(scene):
    """RFC 9113 section 4.1; browsers send some on purpose."""
    with Http2(scene.bridge.port) as client:
        client.sock.sendall(frame(0xEE, 0xFF, 0, b"abc") + frame(0x0A, 0, 1, b"x" * 16384))
        assert client.request("POST", ACTIVITY, [AUTH], b"[]").status == 200
        stream = client.start("POST", ACTIVITY, [AUTH])
        client.sock.sendall(frame(0xEE, 0, stream))
        client.send(stream, b"[]", end=True)
        assert client.answer(stream).status == 200


def _fields(count):
    return [(f"x-{number}", "v" * 200) for number in range(count)]


def _wait_for_the_answer(peer):
    peer.sock.settimeout(10)
    answer = b""
    while b'"events":0' not in answer:
        more = peer.sock.recv(4096)
        assert more, answer
        answer += more


@pytest.mark.parametrize("count, served", [(99, True), (100, False)])
def test_a_hundred_header_fields_over_http2(scene, count, served):
    """With the token; 99 of 200 bytes and more come in several frames."""
    target = _target(scene.bridge)
    block = hpack.Encoder().encode(
        [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", ACTIVITY), AUTH, *_fields(count)],
        huffman=False)
    assert len(block) > 16384
    with Peer2(target, reads=False) as peer:
        peer.send(frame(http2.HEADERS, 0, 1, block[:9000]) + frame(http2.CONTINUATION, 0, 1, block[9000:9001])
                  + frame(http2.CONTINUATION, http2.END_HEADERS, 1, block[9001:]) + frame(http2.DATA, 1, 1, b"[]"))
        if not served:
            peer.wait_cut()
            assert peer.cut
            return
        _wait_for_the_answer(peer)


def test_padding_and_priority_of_a_head_are_no_fields(scene):
    target = _target(scene.bridge)
    block = http2.head(ACTIVITY, [AUTH])
    padded = b"\xc8" + struct.pack(">IB", 0, 15) + block + b"\xa0" * 200  # 200 bytes that would be as many fields
    with Peer2(target, reads=False) as peer:
        peer.send(frame(http2.HEADERS, http2.END_HEADERS | 0x28, 1, padded) + frame(http2.DATA, 1, 1, b"[]"))
        _wait_for_the_answer(peer)


def test_preface_byte_by_byte(scene):
    target = _target(scene.bridge)
    with target.connect() as sock:
        for byte in http2.PREFACE + frame(http2.SETTINGS, 0, 0):
            sock.sendall(bytes([byte]))
        sock.settimeout(10)
        assert sock.recv(4096)[3] == http2.SETTINGS


@pytest.mark.parametrize("sent", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", b"P"], ids=["almost all", "a byte"])
def test_half_a_preface_is_cut_off(scene, sent):
    with Http1(scene.bridge.port) as client:
        client.send(sent)
        assert client.wait_closed(5 * SLOW) == b""


def test_something_like_a_preface_is_http1(scene):
    with Http1(scene.bridge.port) as client:
        client.send(b"PRI * HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.answer().status == 404


def test_an_upgrade_is_not_followed(scene):
    """The answer is HTTP/1.1's; RFC 9113 has no upgrade any more."""
    settings = base64.urlsafe_b64encode(struct.pack(">HI", http2.INITIAL_WINDOW_SIZE, 0)).rstrip(b"=").decode()
    with Http1(scene.bridge.port) as client:
        client.send(head("POST", ACTIVITY, [AUTH, (
            "connection", "upgrade, http2-settings"), ("upgrade", "h2c"), ("http2-settings", settings)], 2) + b"[]")
        assert client.answer().json()["events"] == 0


def test_too_many_headers_over_http1(scene):
    with Http1(scene.bridge.port) as client:
        client.send(head("GET", ACTIVITY, [(f"x-{n}", "1") for n in range(200)]))
        try:
            assert client.answer().status in (400, 431)
        except Closed:
            pass
