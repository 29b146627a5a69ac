# SPDX-License-Identifier: Apache-2.0
"""More comes than Kafka takes: what is let in is delivered in time, the rest is told at once to come again."""

import base64
import os

import pytest

from harness import events
from harness.bridge import ACTIVITY, SLOW, TOKEN
from harness.load import Load
from harness.ports import release_port, take_port
from harness.tcp_proxy import Loop, Proxy
from harness.waits import eventually

pytestmark = [pytest.mark.fault, pytest.mark.timeout(400)]

# To the broker: ten batches a second. With 120 senders that wait for their answer, the last one would have to wait for
# twelve seconds. Small Kafka batches, so that no request takes so long that it is sent again.
BYTES_PER_SECOND, KAFKA_BATCH = 2_000_000, 131072
EVENTS, EVENT_BYTES, SENDERS = 50, 4000, 120


@pytest.fixture
def narrow(own_broker):
    """A broker, and the line to it, which can be made narrow."""
    port, loop = take_port(), Loop()
    broker = own_broker(
        start=False, advertised_listeners=f"PLAINTEXT://127.0.0.1:{port}", message_max_bytes=KAFKA_BATCH)
    proxy = Proxy(loop, port, broker.port)
    yield broker.start(), proxy
    proxy.close()
    loop.close()
    release_port(port)


def large_batch():
    """Nothing that could be compressed much."""
    members = []
    for _ in range(EVENTS):
        noise = base64.b64encode(os.urandom(EVENT_BYTES * 3 // 4)).decode()
        members.append(events.cloud_event(f'{{"noise":"{noise}"}}'))
    return ("[" + ",".join(members) + "]").encode()


def test_more_than_kafka_takes(start_bridge, narrow):
    broker, proxy = narrow
    bridge = start_bridge({
        "endpoints": [{"path": ACTIVITY, "sender": "activity-push", "deadline": "6s", "auth": {"tokens": [TOKEN]}}],
        "log": {"level": "info"},
    }, broker=broker)
    body = large_batch()
    proxy.slow(rate=BYTES_PER_SECOND)
    with Load(bridge, ACTIVITY, senders=SENDERS, gap=0.5, bodies=lambda _: (body, [])) as load:

        def refused():
            return [one for one in load.sent if one.error == "overloaded"]

        def admitted():
            return [one.status for one in load.sent if one.error != "overloaded"]

        eventually(refused, 60, "somebody is told to come again")
        # What was let in before may be late still. From then on most of it is delivered.
        before = len(admitted())
        eventually(lambda: admitted()[before:][-60:].count(200) >= 48, 120, "what is let in is delivered", 0.5)
        load.stop()
        proxy.heal()
        print(f"let in {len(admitted())}, of these 200 {admitted().count(200)}; refused {len(refused())}")
        assert {one.status for one in refused()} == {503}
        assert bridge.metrics().sum("batches_total", outcome="overloaded") >= len(refused()) > 0
        waited = [one["duration_ms"] for one in bridge.logged("does not keep up") if one["duration_ms"] > 2000 * SLOW]
        assert not waited, f"told only after waiting for Kafka: {waited[:5]}"

    eventually(lambda: bridge.metrics().sum("in_flight_events") == 0, 30, "all is answered")
    for _ in range(20):
        assert bridge.post(ACTIVITY, events.activities(5)[0]).status == 200
