# SPDX-License-Identifier: Apache-2.0
"""Senders that post batches side by side and remember what was promised to them."""

import threading
import time
from dataclasses import dataclass

from harness import events
from harness.bridge import TOKEN
from harness.http import CLIENTS, HTTP1
from harness.waits import eventually


@dataclass
class Sent:
    path: str
    status: int  # 0: no answer
    started: float
    seconds: float
    ids: list
    error: str = ""


def _with_the_token(_body):
    return [("Authorization", TOKEN)]


class Load:
    """proof: the headers that let a body in; bodies: gives (body, ids) of that many events."""

    def __init__(self, bridge, path, senders=3, batch=5, http_version=HTTP1, gap=0.02, proof=_with_the_token,
                 bodies=events.activities):
        self.bridge = bridge
        self.path = path
        self.sent = []
        self._batch = batch
        self._gap = gap
        self._proof = proof
        self._bodies = bodies
        self._client = CLIENTS[http_version]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(senders)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        client = None
        while not self._stop.is_set():
            body, ids = self._bodies(self._batch)
            headers = [("Content-Type", "application/json"), *self._proof(body)]
            started = time.monotonic()
            try:
                client = client or self._client(self.bridge.port, timeout=40)
                answer = client.request("POST", self.path, headers, body)
                status, error = answer.status, "" if answer.status == 200 else answer.json()["error"]
            except Exception as reason:  # whatever it is, there was no answer
                status, error, client = 0, repr(reason), None
            self.sent.append(Sent(self.path, status, started, time.monotonic() - started, ids, error))
            self._stop.wait(self._gap)

    def statuses(self, since=0.0):
        return {sent.status for sent in self.sent if sent.started >= since}

    def count(self, status, since=0.0):
        return sum(sent.status == status for sent in self.sent if sent.started >= since)

    def wait_good(self, count=30, timeout=30):
        """Until `count` batches that are sent from now on have succeeded, the last ones in a row."""
        since = time.monotonic()
        eventually(
            lambda: self.count(200, since) >= count and all(s.status == 200 for s in self.sent[-count // 2:]),
            timeout, f"batches succeed again; last: {[(s.status, s.error) for s in self.sent[-3:]]}",
        )

    def assert_promises_kept(self, reader, deadline, since=0.0):
        """All were answered in time, in words of the README, and what was answered 200 is in Kafka."""
        relevant = [sent for sent in self.sent if sent.started >= since]
        assert relevant
        assert {sent.status for sent in relevant} <= {200, 503, 504}, [s for s in relevant if s.status == 0][:3]
        slowest = max(relevant, key=lambda sent: sent.seconds)
        assert slowest.seconds <= deadline, slowest
        promised = {one for sent in relevant if sent.status == 200 for one in sent.ids}
        held = {record.header("ce_id") for record in reader.read(self.bridge.prefix)}
        assert promised - held == set(), f"{len(promised - held)} of {len(promised)} acknowledged events are lost"
