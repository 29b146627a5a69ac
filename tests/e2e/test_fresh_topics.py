# SPDX-License-Identifier: Apache-2.0
"""The first records of topics that were made a moment ago: what is answered 200 is there."""

import concurrent.futures
import hashlib

from harness import events
from harness.bridge import ADOBE
from harness.waits import eventually


def test_first_records_of_fresh_partitions_are_not_lost(start_bridge, reader, prefix):
    """A broker may refuse the first of several requests to a fresh partition and take the second; the
    repeated first is then a duplicate in its eyes, and the client library calls it delivered."""
    bridge = start_bridge({"topics": {"override": {"deadletter": {"partitions": 16}}}})
    bodies = {f"body-{n}": b"%d " % n + b"x" * 2_000_000 for n in range(16)}

    def post(name):
        return name, bridge.post(ADOBE, bodies[name], [("x-request-id", name)])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = dict(pool.map(post, bodies))
    assert {answer.status for answer in answers.values()} <= {200, 503}
    promised = {name for name, answer in answers.items() if answer.status == 200}
    parts = {}
    for record in reader.each(prefix):
        parts.setdefault(record.key.decode(), {})[int(record.header("dl_part"))] = record.value
    for name in promised:
        kept = b"".join(value for _, value in sorted(parts[name].items()))
        assert hashlib.sha256(kept).digest() == hashlib.sha256(bodies[name]).digest(), (name, sorted(parts[name]))
    # a retry, as the sender would make it, brings the rest
    for name in set(bodies) - promised:
        eventually(lambda: post(name)[1].status == 200, what="delivered by its retry")
    assert bridge.post(ADOBE, events.cloud_event().encode()).status == 200
