# SPDX-License-Identifier: Apache-2.0
"""The bytes of HTTP/1.1 themselves: two lengths, chunks, slow and idle connections."""

import time

import pytest

from harness import events
from harness.bridge import ACTIVITY, SLOW, TOKEN
from harness.http import Closed, Http1, Http2, head
from harness.waits import eventually

AUTH = ("Authorization", f"Bearer {TOKEN}")


@pytest.fixture
def nothing_in_kafka(shared_bridge, reader):
    before = reader.ends(shared_bridge.prefix)
    yield
    assert reader.ends(shared_bridge.prefix) == before


def _raw(*lines):
    return ("\r\n".join([f"POST {ACTIVITY} HTTP/1.1", "Host: x", f"Authorization: {TOKEN}", *lines]) + "\r\n\r\n").encode()


BODY = events.activities(1)[0]


@pytest.mark.parametrize("lines, body", [
    ((f"Content-Length: {len(BODY)}", "Transfer-Encoding: chunked"), b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    (("Transfer-Encoding: chunked", f"Content-Length: {len(BODY)}"), b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    ((f"Content-Length: {len(BODY)}", f"Content-Length: {len(BODY) + 5}"), BODY),
    ((f"Content-Length: {len(BODY)}", f"content-length: {len(BODY)}"), BODY),
    ((f"Content-Length: {len(BODY)}, {len(BODY)}",), BODY),
], ids=["length and chunked", "chunked and length", "two lengths", "the same twice", "list"])
def test_two_framings_are_400_and_the_end_of_the_connection(shared_bridge, nothing_in_kafka, lines, body):
    with Http1(shared_bridge.port) as client:
        client.send(_raw(*lines) + body)
        answer = client.answer()
        assert answer.status == 400
        if answer.header("x-request-id"):  # h2o refuses some of these itself
            assert answer.json()["error"] == "bad_request"
        client.wait_closed(5)


@pytest.mark.parametrize("lines", [
    (f"Content-Length: {len(BODY)}", "Transfer-Encoding: chunked"),
    (f"Content-Length: {len(BODY)}", f"Content-Length: {len(BODY) + 5}"),
], ids=["length and chunked", "two lengths"])
def test_second_request_of_a_connection_is_looked_at_too(shared_bridge, nothing_in_kafka, lines):
    with Http1(shared_bridge.port) as client:
        assert client.request("GET", ACTIVITY).status == 200
        client.send(_raw(*lines) + BODY)
        assert client.answer().status == 400
        client.wait_closed(5)


def test_lengths_in_a_body_are_no_headers(shared_bridge):
    """A body that looks like heads must not make its own request look smuggled."""
    body = b'[ ]' + b" " * 10 + b"\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"
    with Http1(shared_bridge.port) as client:
        answer = client.request("POST", ACTIVITY, [AUTH], body)
        assert answer.status == 200
        assert client.request("POST", ACTIVITY, [AUTH], b"[]").status == 200


def test_chunked_body_is_taken(shared_bridge, reader):
    before = reader.ends(shared_bridge.prefix)
    body, ids = events.activities(4)
    with Http1(shared_bridge.port) as client:
        client.send(_raw("Transfer-Encoding: chunked"))
        for at in range(0, len(body), 700):
            piece = body[at:at + 700]
            client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        client.send(b"0\r\n\r\n")
        assert client.answer().json()["delivered"] == 4
    assert [record.header("ce_id") for record in reader.read_count(shared_bridge.prefix, 4, before)] == ids


def test_a_chunked_request_is_the_last_of_its_connection(shared_bridge):
    """h2o reads 0x2 as 0: what stands behind could be part of the body to a proxy, and is no request."""
    with Http1(shared_bridge.port) as client:
        client.send(_raw("Transfer-Encoding: chunked") + b"0x2\r\n\r\n" + head("GET", ACTIVITY))
        answer = client.answer()
        assert answer.header("connection") == "close"
        assert client.wait_closed(5) == b""


def test_many_requests_on_one_connection(shared_bridge, reader, http_version):
    before = reader.ends(shared_bridge.prefix)
    client_type = {"1.1": Http1, "2": Http2}[http_version]
    with client_type(shared_bridge.port) as client:
        for _ in range(50):
            body, _ = events.activities(2)
            assert client.request("POST", ACTIVITY, [AUTH], body).json()["delivered"] == 2
    reader.read_count(shared_bridge.prefix, 100, before)


def test_pipelined_requests_are_answered_in_order(shared_bridge):
    with Http1(shared_bridge.port) as client:
        client.send(b"".join(
            head("POST", ACTIVITY, [AUTH, ("x-request-id", f"pipe-{n}")], len(BODY)) + BODY for n in range(5)
        ))
        assert [client.answer().header("x-request-id") for _ in range(5)] == [f"pipe-{n}" for n in range(5)]


def test_interleaved_streams_on_one_http2_connection(shared_bridge):
    with Http2(shared_bridge.port) as client:
        bodies = [events.activities(n + 1)[0] for n in range(10)]
        streams = [client.start("POST", ACTIVITY, [AUTH]) for _ in bodies]
        for stream, body in zip(streams, bodies):
            client.send(stream, body[:100])
        for stream, body in reversed(list(zip(streams, bodies))):
            client.send(stream, body[100:], end=True)
        assert [client.answer(stream).json()["delivered"] for stream in streams] == list(range(1, 11))


def test_expect_100_continue(shared_bridge):
    with Http1(shared_bridge.port) as client:
        client.send(head("POST", ACTIVITY, [AUTH, ("Expect", "100-continue")], len(BODY)))
        client.send(BODY)
        assert client.answer().status == 200


@pytest.mark.parametrize("body_megabytes", [6, 40])
def test_body_far_over_the_limit_is_413_or_cut(shared_bridge, nothing_in_kafka, http_version, body_megabytes):
    body = b"[" + b" " * (body_megabytes << 20) + b"]"
    try:
        answer = shared_bridge.post(ACTIVITY, body, http_version=http_version)
        assert answer.status == 413
    except (Closed, BrokenPipeError, ConnectionResetError):
        pass
    assert shared_bridge.post(ACTIVITY, b"[]", http_version=http_version).status == 200


# --- slow and idle peers; one bridge with small limits


@pytest.fixture(scope="module")
def hasty_settings():
    return {"limits": {"body_time": "1s", "idle_time": "2s"}}


def _cut_off(act, limit, slack=1.5):
    """Runs act, which must be ended by the server at about `limit` seconds."""
    started = time.monotonic()
    act()
    spent = time.monotonic() - started
    assert limit - 0.3 <= spent <= limit + slack * SLOW, f"cut off after {spent:.2f} s"


@pytest.mark.parametrize("sent", [
    b"POST /marketo/activity HTTP/1.1\r\nHost: x\r\n",
    head("POST", ACTIVITY, [AUTH], 5000) + b"[",
    _raw("Transfer-Encoding: chunked") + b"5\r\n[",
], ids=["head", "body", "chunk"])
def test_request_that_stops_half_way_is_cut_off(start_bridge, hasty_settings, sent):
    bridge = start_bridge(hasty_settings)
    with Http1(bridge.port) as client:
        client.send(sent)
        _cut_off(lambda: client.wait_closed(10), 1)
    assert bridge.post(ACTIVITY, b"[]").status == 200


def _trickle(client, data):
    """A byte every 100 ms until the server has enough, or clearly never will."""
    client.sock.settimeout(0.1)
    end = time.monotonic() + 10 * SLOW
    while time.monotonic() < end:
        try:
            client.send(data)
            if not client.sock.recv(4096):
                return
        except (TimeoutError, BlockingIOError):
            continue
        except OSError:
            return


@pytest.mark.parametrize("sent", [
    b"POST /marketo/activity HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    head("POST", ACTIVITY, [AUTH], 5000),
], ids=["head", "body"])
def test_trickle_over_http1_is_cut_off(start_bridge, hasty_settings, sent):
    bridge = start_bridge(hasty_settings)
    with Http1(bridge.port) as client:
        client.send(sent)
        _cut_off(lambda: _trickle(client, b"a"), 1)


def test_trickle_over_http2_is_cut_off(start_bridge, hasty_settings):
    bridge = start_bridge(hasty_settings)
    with Http2(bridge.port) as client:
        stream = client.start("POST", ACTIVITY, [AUTH])
        client.sock.settimeout(0.1)

        def trickle():
            end = time.monotonic() + 10 * SLOW
            while time.monotonic() < end:
                try:
                    client.send(stream, b" ")
                    if client._streams[stream]["reset"] is not None:
                        return
                    client.pump()
                except (TimeoutError, BlockingIOError):
                    continue
                except (Closed, OSError):
                    return

        _cut_off(trickle, 1)
    assert bridge.post(ACTIVITY, b"[]").status == 200


def test_idle_connection_is_closed(start_bridge, hasty_settings, http_version):
    bridge = start_bridge(hasty_settings)
    client_type = {"1.1": Http1, "2": Http2}[http_version]
    with client_type(bridge.port) as client:
        assert client.request("POST", ACTIVITY, [AUTH], b"[]").status == 200
        _cut_off(lambda: client.wait_closed(10), 2)


def test_silent_connection_is_closed(start_bridge, hasty_settings):
    bridge = start_bridge(hasty_settings)
    with Http1(bridge.port) as client:
        _cut_off(lambda: client.wait_closed(10), 2, slack=2.5)


def test_idle_connection_is_kept_longer_than_body_time(start_bridge, hasty_settings):
    """The body's time counts from the first byte of a request, not from the last answer."""
    bridge = start_bridge({"limits": {"body_time": "1s", "idle_time": "8s"}})
    with Http1(bridge.port) as client:
        assert client.request("POST", ACTIVITY, [AUTH], b"[]").status == 200
        client.sock.settimeout(2)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        client.sock.settimeout(30)
        assert client.request("POST", ACTIVITY, [AUTH], b"[]").status == 200


def test_connections_over_the_limit_are_closed_and_the_others_served(start_bridge):
    bridge = start_bridge({"limits": {"connections": 8}})
    clients = [Http1(bridge.port) for _ in range(8)]
    try:
        for client in clients:
            assert client.request("POST", ACTIVITY, [AUTH], b"[]").status == 200
        with Http1(bridge.port) as extra:
            try:
                extra.send(head("GET", ACTIVITY))
                assert extra.answer().status == 503
            except (Closed, OSError):
                pass
        assert all(client.request("GET", ACTIVITY).status == 200 for client in clients)
        clients.pop().close()
        eventually(lambda: bridge.request("GET", ACTIVITY).status == 200, what="room again")
    finally:
        for client in clients:
            client.close()
