# SPDX-License-Identifier: Apache-2.0
"""A producer that fails for good is replaced while the bridge runs: a few 503, nothing lost, no restart."""

import pytest

from harness.answers_changed import (
    CLUSTER_AUTHORIZATION_FAILED, INIT_PRODUCER_ID, OUT_OF_ORDER_SEQUENCE_NUMBER, PRODUCE,
)
from harness.bridge import ACTIVITY, SLOW
from harness.load import Load
from harness.records import Reader
from harness.waits import eventually

pytestmark = pytest.mark.fault

DEADLINE = 17
MARGIN = 0.8 * SLOW
REPLACED = "a Kafka producer failed for good and is replaced"


def _restarts(bridge):
    return bridge.metrics().sum("producer_restarts_total")


def test_broker_that_counts_records_differently(way, broker_behind, start_bridge):
    """What a broker answers that has lost a partition's last records: the producer can never go on."""
    bridge = start_bridge(bootstrap=f"127.0.0.1:{way.port}")
    with Load(bridge, ACTIVITY) as load:
        load.wait_good()
        for number in range(1, 6):
            way.answer(PRODUCE, OUT_OF_ORDER_SEQUENCE_NUMBER)
            eventually(lambda: _restarts(bridge) >= number, 20 * SLOW, "a new producer")
            load.wait_good()
    load.assert_promises_kept(Reader(broker_behind), DEADLINE + MARGIN)
    assert 0 < load.count(503) and load.count(504) == 0
    refused = [sent for sent in load.sent if sent.status == 503]
    assert max(sent.seconds for sent in refused) < 5 * SLOW, "not before a time-out"
    lines = bridge.logged(REPLACED, level="warning")
    assert len(lines) == _restarts(bridge)
    assert all(line["code"] == "OUT_OF_ORDER_SEQUENCE_NUMBER" and "desynchronization" in line["text"] for line in lines)
    eventually(lambda: bridge.admin("/health/kafka").status == 200, what="healthy")


def test_producer_that_may_not_write_until_it_may(way, broker_behind, start_bridge):
    """The right to write is missing at the start and given later: tried anew until it may, without a restart."""
    way.answer(INIT_PRODUCER_ID, CLUSTER_AUTHORIZATION_FAILED, times=12)
    bridge = start_bridge(bootstrap=f"127.0.0.1:{way.port}")
    with Load(bridge, ACTIVITY) as load:
        eventually(lambda: bridge.admin("/health/kafka").status == 503, what="not healthy")
        assert "producer" in bridge.admin("/health/kafka").json()["reason"]
        eventually(lambda: way.left(INIT_PRODUCER_ID) == 0, 30 * SLOW, "tried again")
        load.wait_good()
    load.assert_promises_kept(Reader(broker_behind), DEADLINE + MARGIN)
    assert 0 < len(bridge.logged(REPLACED, level="warning")) <= 4 < _restarts(bridge) <= 12, "one line a producer, not a try"
    eventually(lambda: bridge.admin("/health/kafka").status == 200, what="healthy")
