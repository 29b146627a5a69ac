# SPDX-License-Identifier: Apache-2.0
"""Kafka away, stopped, killed, or without a topic: every answer in time, nothing promised and lost."""

import time

import pytest

from harness import events
from harness.bridge import ACTIVITY, ADOBE, SLOW, TOKEN
from harness.http import CLIENTS, head
from harness.load import Load
from harness.records import Reader
from harness.waits import eventually

pytestmark = pytest.mark.fault

DEADLINES = {ADOBE: 7, ACTIVITY: 17}
# What the network, Python and a busy machine may add to the bridge's own deadline.
MARGIN = 0.8 * SLOW


def _passed(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _post(bridge, path=ADOBE):
    answer = bridge.post(path, events.activities(2)[0])
    if answer.status != 200:
        assert answer.status in (503, 504)
        assert answer.header("retry-after") == "5"
        assert answer.seconds <= DEADLINES[path] + MARGIN
    return answer


@pytest.mark.short
def test_kafka_that_is_not_there_at_the_start(own_broker, start_bridge, prefix):
    broker = own_broker(start=False)
    bridge = start_bridge(broker=broker)
    bridge.allow_errors = True
    assert bridge.admin("/health/ready").status == 200, "ready does not follow Kafka"
    answer = _post(bridge)
    assert answer.status == 503
    assert answer.json()["error"] == "not_delivered"
    health = bridge.admin("/health/kafka")
    assert health.status == 503
    assert health.json()["reason"]
    for _ in range(10):
        _post(bridge)
    said = [line for line in bridge.logged(broker.bootstrap, level="warning") if line["msg"] != "librdkafka"]
    assert len(said) == 1, said
    assert len(bridge.logged("librdkafka", level="warning")) <= 5

    broker.start()
    eventually(lambda: _post(bridge).status == 200, 20, "delivers as soon as Kafka is there")
    eventually(lambda: bridge.admin("/health/kafka").status == 200, what="healthy")
    reader = Reader(broker)
    assert prefix + ".activity" in reader.topics(prefix)
    assert sum(reader.counts(prefix).values()) >= 2


def test_kafka_stopped_for_15_seconds(broker, start_bridge, reader):
    bridge = start_bridge()
    bridge.allow_errors = True
    with Load(bridge, ADOBE) as adobe, Load(bridge, ACTIVITY) as activity:
        adobe.wait_good()
        stopped = time.monotonic()
        with broker.paused():
            eventually(_passed(15), 20)
            assert adobe.count(503, stopped) + adobe.count(504, stopped) > 0
            assert bridge.admin("/health/ready").status == 200
            assert bridge.admin("/health/kafka").status == 503
        adobe.wait_good()
        activity.wait_good()
        eventually(lambda: bridge.admin("/health/kafka").status == 200, what="healthy again")
    adobe.assert_promises_kept(reader, DEADLINES[ADOBE] + MARGIN)
    activity.assert_promises_kept(reader, DEADLINES[ACTIVITY] + MARGIN)


@pytest.mark.short
def test_kafka_killed_and_started_again(own_broker, start_bridge):
    broker = own_broker()
    bridge = start_bridge(broker=broker)
    bridge.allow_errors = True
    with Load(bridge, ADOBE) as load:
        load.wait_good()
        broker.kill()
        killed = time.monotonic()
        eventually(lambda: load.count(503, killed) + load.count(504, killed) >= 3, 20, "refused")
        broker.start()
        load.wait_good(timeout=60)
    load.assert_promises_kept(Reader(broker), DEADLINES[ADOBE] + MARGIN)


def test_short_stop_is_only_a_delay(broker, start_bridge, reader):
    """Two seconds without Kafka cost no batch: the deadline has room for them."""
    bridge = start_bridge()
    bridge.allow_errors = True
    with Load(bridge, ADOBE) as load:
        load.wait_good()
        begun = time.monotonic()
        with broker.paused():
            eventually(_passed(2), 10)
        load.wait_good()
    assert load.statuses(begun) == {200}
    load.assert_promises_kept(reader, DEADLINES[ADOBE] + MARGIN)


def test_deadline_of_an_endpoint_is_kept(broker, start_bridge, http_version):
    endpoint = {"path": ADOBE, "sender": "adobe-io", "deadline": "3s", "auth": "none"}
    bridge = start_bridge({"endpoints": [endpoint], "limits": {"body_time": "1s"}})
    bridge.allow_errors = True
    assert bridge.post(ADOBE, events.activities(1)[0], http_version=http_version).status == 200
    with broker.paused():
        answer = bridge.post(ADOBE, events.activities(1)[0], http_version=http_version)
    assert answer.status in (503, 504)
    assert answer.json()["error"] == {503: "not_delivered", 504: "deadline_exceeded"}[answer.status]
    assert answer.header("retry-after") == "5"
    assert answer.seconds <= 3 + MARGIN


def test_client_that_leaves_does_no_harm(broker, start_bridge, reader, http_version):
    """The batch lives on without its request until Kafka has reported."""
    bridge = start_bridge()
    assert _post(bridge).status == 200
    before = reader.ends(bridge.prefix)
    body, ids = events.activities(3)
    with broker.paused():
        for _ in range(20):
            with CLIENTS[http_version](bridge.port) as client:
                if http_version == "2":
                    client.send(client.start("POST", ADOBE, [("authorization", TOKEN)]), body, end=True)
                else:
                    client.send(head("POST", ADOBE, [("Authorization", TOKEN)], len(body)) + body)
                eventually(lambda: bridge.metrics().sum("in_flight_events") > 0, what="it is in flight")
    eventually(lambda: bridge.metrics().sum("in_flight_events") == 0, what="all have been reported")
    assert _post(bridge).status == 200
    assert set(ids) <= {record.header("ce_id") for record in reader.read(bridge.prefix, before)}


@pytest.mark.parametrize("name", ["activity", "deadletter"])
def test_topic_deleted_while_running(start_bridge, reader, prefix, name):
    bridge = start_bridge()
    bridge.allow_errors = True
    body = events.activities(2)[0] if name == "activity" else b"not json"
    topic = f"{prefix}.{name}"
    assert bridge.post(ADOBE, body).status == 200
    reader.delete(topic)
    refused = 0
    deadline = _passed(40)
    while True:
        status = bridge.post(ADOBE, body).status
        assert status in (200, 503, 504)
        assert not deadline(), f"refused {refused} times and not delivered"
        if status == 200 and refused:
            break
        refused += status != 200
    assert reader.counts(prefix)[topic] >= (2 if name == "activity" else 1)
    assert bridge.post(ADOBE, body).status == 200


def test_one_missing_topic_of_a_batch_is_503_and_nothing_is_left_half_done(start_bridge, reader, prefix):
    """Judged before the first record is produced: a batch that cannot succeed leaves no duplicates behind."""
    reader.create(prefix + ".activity")
    bridge = start_bridge({"topics": {"create": False}})
    bridge.allow_errors = True
    good, bad = events.cloud_event(), events.audit_body()[1]
    assert bridge.post(ADOBE, f"[{good}]".encode()).status == 200
    answer = bridge.post(ADOBE, f"[{good},{bad}]".encode())
    assert answer.status == 503
    assert answer.json()["error"] == "not_delivered"
    assert reader.counts(prefix) == {prefix + ".activity": 1}


def test_budget_in_flight_is_full(broker, start_bridge, reader):
    """Memory is bounded by configuration: what does not fit is 503 at once, and all is well afterwards."""
    bridge = start_bridge({"limits": {"body": "64KiB", "in_flight": "512KiB"}})
    bridge.allow_errors = True
    with broker.paused():
        with Load(bridge, ACTIVITY, senders=30, batch=60, gap=0.2) as load:
            eventually(lambda: load.count(503) >= 20, 10, "refused")
    quick = [sent for sent in load.sent if sent.status == 503 and sent.seconds < 2]
    assert {sent.error for sent in quick} == {"overloaded"}
    assert bridge.metrics().sum("http_requests_total", status="503") >= len(quick)
    eventually(lambda: _post(bridge).status == 200, 10, "room again")
    eventually(lambda: bridge.metrics().sum("in_flight_bytes") == 0, what="everything is given back")
    load.assert_promises_kept(reader, DEADLINES[ACTIVITY] + MARGIN)
