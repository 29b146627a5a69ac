# SPDX-License-Identifier: Apache-2.0
"""The deadline itself: told to come again at it, and not begun when it is near."""

import time

import pytest

from harness import events
from harness.answers import assert_error
from harness.answers_changed import DESCRIBE_CONFIGS, MESSAGE_TOO_LARGE, PRODUCE
from harness.bridge import ADOBE, SLOW, TOKEN
from harness.http import Http1, head
from harness.waits import eventually

DEADLINE = 2
BODY_TIME = 0.9
SETTINGS = {
    "endpoints": [{"path": ADOBE, "sender": "adobe-io", "deadline": f"{DEADLINE}s", "auth": {"tokens": [TOKEN]}}],
    "limits": {"body_time": f"{BODY_TIME * 1000:.0f}ms"},
}


def _post(bridge, http_version):
    return bridge.post(ADOBE, events.activities(2)[0], http_version=http_version)


@pytest.mark.fault
def test_what_nobody_knows_by_the_deadline_is_504(way, broker_behind, start_bridge, http_version):
    """The broker finds a record too large and then does not say what it takes: the record waits for that."""
    bridge = start_bridge(SETTINGS, bootstrap=f"127.0.0.1:{way.port}")
    bridge.allow_errors = True
    eventually(lambda: _post(bridge, http_version).status == 200, 30, "Kafka confirms within so short a time")
    before = bridge.metrics()
    way.withhold(DESCRIBE_CONFIGS)
    way.answer(PRODUCE, MESSAGE_TOO_LARGE)
    answer = _post(bridge, http_version)
    assert_error(answer, 504, "deadline_exceeded")
    assert answer.seconds <= DEADLINE + 0.8 * SLOW
    assert bridge.metrics().sum("batches_total", outcome="deadline_exceeded") == 1 + before.sum(
        "batches_total", outcome="deadline_exceeded")
    # The batch lives on until it has been reported, and its request is answered once.
    eventually(lambda: bridge.metrics().sum("in_flight_events") == 0, what="it is over")
    assert bridge.metrics().sum("batches_total") == before.sum("batches_total") + 1


def test_with_less_than_a_second_left_nothing_is_produced(start_bridge, reader):
    """A connection's first request counts from the accept, so it may come with hardly any time left."""
    bridge = start_bridge(SETTINGS)
    before = reader.ends(bridge.prefix)
    body = events.activities(2)[0]
    with Http1(bridge.port) as client:
        time.sleep(BODY_TIME)
        client.send(head("POST", ADOBE, [("Authorization", TOKEN)], len(body)))
        time.sleep(BODY_TIME / 2)
        client.send(body)
        answer = client.answer()
    assert_error(answer, 503, "not_delivered")
    assert "too little time" in answer.json()["message"]
    assert reader.ends(bridge.prefix) == before
