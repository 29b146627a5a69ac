# SPDX-License-Identifier: Apache-2.0
"""Signals: the drain, the second SIGTERM, SIGHUP; and starts that cannot be."""

import signal
import threading
import time

import pytest

from harness import events
from harness.answers import assert_error
from harness.bridge import ACTIVITY, ADOBE, SLOW, TOKEN
from harness.http import CLIENTS, Closed, Http1, Http2, head
from harness.load import Load
from harness.waits import eventually


def _refused(port):
    try:
        Http1(port, timeout=2).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


class InFlight(threading.Thread):
    """A request whose batch waits for Kafka."""

    def __init__(self, bridge, http_version):
        super().__init__(daemon=True)
        self.body, self.ids = events.activities(3)
        self.answer = None
        self.client = CLIENTS[http_version](bridge.port)
        self.start()
        eventually(lambda: bridge.metrics().sum("in_flight_events") >= 3, what="it is in flight")

    def run(self):
        self.answer = self.client.request("POST", ACTIVITY, [("Authorization", TOKEN)], self.body)


@pytest.mark.fault
def test_drain_answers_what_is_in_flight(broker, start_bridge, reader, http_version):
    bridge = start_bridge()
    with broker.paused():
        flight = InFlight(bridge, http_version)
        bridge.signal(signal.SIGTERM)
        eventually(lambda: _refused(bridge.port), what="listeners are closed")
        assert not bridge.ended()
        assert bridge.admin("/health/ready").status == 503
        assert bridge.admin("/health/live").status == 200
    flight.join(30)
    assert flight.answer.status == 200
    assert bridge.wait() == 0
    assert {record.header("ce_id") for record in reader.read(bridge.prefix)} == set(flight.ids)


@pytest.mark.fault
def test_drain_that_takes_longer_than_its_grace_ends_too(broker, start_bridge):
    bridge = start_bridge({"shutdown": {"grace": "2s"}})
    bridge.allow_errors = True
    with broker.paused():
        flight = InFlight(bridge, "1.1")
        started = time.monotonic()
        bridge.signal(signal.SIGTERM)
        bridge.wait(10)
        assert time.monotonic() - started <= 2 + 3 * SLOW
    flight.client.close()


class HalfSent:
    """A request whose head and a piece of its body are there."""

    def __init__(self, bridge):
        self.body, self.ids = events.activities(3)
        before = bridge.metrics().sum("connections")
        self.client = Http1(bridge.port)
        self.client.send(head("POST", ACTIVITY, [("Authorization", TOKEN)], len(self.body)) + self.body[:20])
        eventually(lambda: bridge.metrics().sum("connections") > before, what="it is connected")

    def finish(self):
        self.client.send(self.body[20:])
        with self.client:
            return self.client.answer()


def test_request_that_is_whole_long_after_the_end_began_is_told_to_come_again(start_bridge, reader):
    bridge = start_bridge()
    before = reader.ends(bridge.prefix)
    half = HalfSent(bridge)
    bridge.signal(signal.SIGTERM)
    eventually(lambda: _refused(bridge.port), what="listeners are closed")
    closed = time.monotonic()
    eventually(lambda: time.monotonic() - closed > 1.5)  # what HTTP/2 peers need to be told is over (CLOSING_TAKES_MS)
    assert_error(half.finish(), 503, "shutting_down")
    assert bridge.wait() == 0
    assert reader.ends(bridge.prefix) == before


@pytest.mark.fault
def test_request_that_is_whole_after_the_grace_is_told_to_come_again(broker, start_bridge, reader):
    """While Kafka is waited for, nothing more is handed to it."""
    bridge = start_bridge({"shutdown": {"grace": "0s"}})
    bridge.allow_errors = True
    with broker.paused():
        flight = InFlight(bridge, "1.1")
        half = HalfSent(bridge)
        bridge.signal(signal.SIGTERM)
        eventually(lambda: _refused(bridge.port), what="listeners are closed")
        assert_error(half.finish(), 503, "shutting_down")
        bridge.wait(10)
    flight.client.close()
    assert not {record.header("ce_id") for record in reader.read(bridge.prefix)} & set(half.ids)


def test_delay_keeps_the_listeners_open(start_bridge):
    bridge = start_bridge({"shutdown": {"delay": "2s"}})
    started = time.monotonic()
    bridge.signal(signal.SIGTERM)
    eventually(lambda: bridge.admin("/health/ready").status == 503, what="not ready")
    assert bridge.post(ADOBE, events.activities(1)[0]).status == 200
    eventually(lambda: _refused(bridge.port), what="closed")
    assert time.monotonic() - started >= 1.9
    assert bridge.wait() == 0


def test_http2_gets_goaway(start_bridge):
    bridge = start_bridge()
    with Http2(bridge.port) as client:
        assert client.request("POST", ACTIVITY, [("Authorization", TOKEN)], b"[]").status == 200
        bridge.signal(signal.SIGTERM)
        client.wait_closed(15)
        assert client.goaway
    assert bridge.wait() == 0


def test_http2_that_has_been_idle_gets_goaway_first(start_bridge):
    """A pooled connection is told before it is closed, so that its owner sends nothing into the void."""
    bridge = start_bridge()
    with Http2(bridge.port) as client:
        assert client.request("GET", ACTIVITY).status == 200
        eventually(lambda: bridge.metrics().sum("connections", protocol="http2") == 1)
        idle_since = time.monotonic()
        eventually(lambda: time.monotonic() - idle_since > 0.5)  # longer than the guard allows while closing
        bridge.signal(signal.SIGTERM)
        client.wait_closed(15)
        assert client.goaway
    assert bridge.wait() == 0


def test_http2_upload_across_the_end_is_told_to_come_again(start_bridge, reader):
    """What is still on its way when the time for it is over gets its answer, too: not a stream that says nothing."""
    bridge = start_bridge()
    body, _ = events.activities(3)
    before = reader.ends(bridge.prefix)
    with Http2(bridge.port) as client:
        stream = client.start("POST", ACTIVITY, [("Authorization", TOKEN)])
        client.send(stream, body[:20])
        eventually(lambda: bridge.metrics().sum("connections", protocol="http2") == 1)
        bridge.signal(signal.SIGTERM)
        while not client.goaway:
            client.pump()
        told = time.monotonic()
        eventually(lambda: time.monotonic() - told > 1.5)  # CLOSING_TAKES_MS
        client.send(stream, body[20:], end=True)
        assert_error(client.answer(stream), 503, "shutting_down")
        client.wait_closed(15)
    assert bridge.wait() == 0
    assert reader.ends(bridge.prefix) == before


def test_http2_peer_that_does_not_heed_the_goaway_holds_nobody_up(start_bridge):
    """Streams after the last one are not taken; what they bring does not use up the window of the others."""
    bridge = start_bridge({"shutdown": {"grace": "20s"}, "limits": {"body": "4MiB"}})
    authorization = [("Authorization", TOKEN)]
    with Http2(bridge.port) as client:
        heeded = client.start("POST", ACTIVITY, authorization)
        client.send(heeded, b"[")
        eventually(lambda: bridge.metrics().sum("connections", protocol="http2") == 1)
        bridge.signal(signal.SIGTERM)
        while client.last_stream != heeded:
            client.pump()
        window = client.h2.outbound_flow_control_window
        late, later = (client.start("POST", ACTIVITY, authorization) for _ in range(2))
        client.send(late, b"[" + b" " * 100_000 + b"]", end=True)
        client.send(later, b"[")
        while client.h2.outbound_flow_control_window < window:
            client.pump()
        client.send(heeded, b"]", end=True)
        assert client.answer(heeded).status in {200, 503}  # which one is a matter of milliseconds here
        told = time.monotonic()
        client.wait_closed(15)
        assert time.monotonic() - told < 2 * SLOW
        assert not client.has_begun_to_answer(late)
    assert bridge.wait() == 0


def test_health_can_be_asked_until_the_very_end(start_bridge):
    """Probes go on while the bridge ends; its exit status is still 0."""
    bridge = start_bridge()
    ended = threading.Event()

    def probe():
        while not ended.is_set():
            try:
                bridge.admin("/health/kafka")
            except (OSError, Closed):
                return

    probes = [threading.Thread(target=probe) for _ in range(8)]
    for one in probes:
        one.start()
    bridge.signal(signal.SIGTERM)
    status = bridge.wait()
    ended.set()
    for one in probes:
        one.join()
    assert status == 0


def test_idle_connections_do_not_hold_up_the_end(start_bridge):
    bridge = start_bridge({"shutdown": {"grace": "20s"}})
    with Http1(bridge.port) as client:
        assert client.request("POST", ACTIVITY, [("Authorization", TOKEN)], b"[]").status == 200
        started = time.monotonic()
        bridge.signal(signal.SIGTERM)
        assert bridge.wait() == 0
        assert time.monotonic() - started < 6 * SLOW


@pytest.mark.short
def test_end_under_load_loses_nothing(start_bridge, reader, http_version):
    bridge = start_bridge()
    with Load(bridge, ADOBE, senders=6, http_version=http_version, gap=0) as load:
        load.wait_good(100)
        bridge.signal(signal.SIGTERM)
        assert bridge.wait() == 0
    promised = {one for sent in load.sent if sent.status == 200 for one in sent.ids}
    held = [record.header("ce_id") for record in reader.read(bridge.prefix)]
    assert promised <= set(held)
    assert {sent.status for sent in load.sent} <= {0, 200, 503}
    assert {sent.error for sent in load.sent if sent.status == 503} <= {"shutting_down"}


def test_second_sigterm_ends_at_once(start_bridge):
    bridge = start_bridge({"shutdown": {"delay": "60s", "grace": "60s"}})
    bridge.signal(signal.SIGTERM)
    eventually(lambda: bridge.admin("/health/ready").status == 503, what="not ready")
    assert not bridge.ended()
    started = time.monotonic()
    bridge.signal(signal.SIGTERM)
    bridge.wait(10)
    assert time.monotonic() - started < 2 * SLOW


def test_sigint_drains_too(start_bridge):
    bridge = start_bridge()
    bridge.signal(signal.SIGINT)
    assert bridge.wait() == 0


def test_sighup_is_logged_and_ignored(start_bridge):
    bridge = start_bridge()
    bridge.signal(signal.SIGHUP)
    eventually(lambda: bridge.logged("SIGHUP"), what="logged")
    assert bridge.post(ADOBE, events.activities(1)[0]).status == 200


def test_sigpipe_of_a_leaving_client_is_ignored(start_bridge):
    bridge = start_bridge()
    for _ in range(20):
        with Http1(bridge.port) as client:
            client.send(head("POST", ACTIVITY, [("Authorization", TOKEN)], 2) + b"[]")
    assert bridge.post(ADOBE, b"[]").status == 200


@pytest.mark.parametrize("taken", ["listen", "admin"])
def test_address_in_use_is_one_clear_line_and_exit_2(start_bridge, prefix, taken):
    first = start_bridge()
    port = first.port if taken == "listen" else first.admin_port
    settings = {"listen": [{"address": f"127.0.0.1:{port}"}]} if taken == "listen" else {
        "admin": {"address": f"127.0.0.1:{port}"}}
    second = start_bridge(settings, wait=False)
    assert second.wait(20) == 2
    second.allow_errors = True
    said = [line for line in second.log_text().splitlines() if str(port) in line]
    assert len(said) == 1
    assert "in use" in said[0]
    assert first.post(ADOBE, b"[]").status == 200


def test_two_bridges_on_two_ports_share_the_topics(start_bridge, reader):
    bridges = [start_bridge(), start_bridge()]
    for bridge in bridges:
        assert bridge.post(ADOBE, events.activities(5)[0]).json()["delivered"] == 5
    reader.read_count(bridges[0].prefix, 10)
