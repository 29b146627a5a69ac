# SPDX-License-Identifier: Apache-2.0
"""The first records of topics that were made a moment ago: what is answered 200 is there."""

from harness.bridge import ADOBE
from harness.load import Load


def test_first_records_of_fresh_partitions_are_not_lost(start_bridge, reader, prefix):
    """A broker may refuse the first of several requests to a fresh partition and take the second; the
    repeated first is then a duplicate in its eyes, and the client library calls it delivered."""
    bridge = start_bridge({"topics": {"partitions": 60}}, wait=False)
    with Load(bridge, ADOBE, senders=12, batch=60, gap=0) as load:
        bridge.wait_ready()
        load.wait_good(60)
    answered = [sent for sent in load.sent if sent.status]
    assert {sent.status for sent in answered} <= {200, 503}
    held = {record.header("ce_id") for record in reader.read(prefix)}
    lost = {one for sent in answered if sent.status == 200 for one in sent.ids} - held
    assert not lost, f"{len(lost)} acknowledged events are not in Kafka"
