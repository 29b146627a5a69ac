# SPDX-License-Identifier: Apache-2.0
"""Provider and key host stopped and killed under load: who is known goes on, who is not is told to come again."""

import os
import threading
import time

import pytest

from harness import events
from harness.answers import LOOKED_UP, finally_answered
from harness.bridge import ACTIVITY, ADOBE
from harness.load import Load
from harness.provider import SENDER
from harness.signatures import Signer, signed
from harness.waits import eventually

pytestmark = pytest.mark.fault

# How long they are away; longer for figures.
AWAY = float(os.environ.get("OUTAGE_SECONDS", "8"))
OURS = "0123456789abcdef"
OPAQUE = "/marketo/opaque"


def _bearer(token):
    return [("Authorization", f"Bearer {token}")]


def _addressed(count):
    return events.addressed(count, OURS)


class Outage:
    def __init__(self, start_bridge, provider, host):
        self.provider, self.host = provider, host
        self.signer = Signer().publish(host)
        self.unknown_signer = Signer().publish(host)
        self.bridge = start_bridge({"endpoints": [
            {"path": ACTIVITY, "sender": "activity-push", "auth": {"oauth": provider.oauth("RS256", allowed_clients=[SENDER])}},
            {"path": OPAQUE, "sender": "activity-push", "auth": {"oauth": {**provider.oauth("opaque"), **provider.asks()}}},
            {"path": ADOBE, "sender": "adobe-io", "auth": {"signature": True, "key_base": host.base, "recipients": [OURS]}},
        ]})
        self.jwt, self.opaque = provider.token("RS256"), provider.token("opaque")
        self.unknown_opaque = provider.token("opaque")

    def known(self):
        """Senders with what the bridge has seen before."""
        return [
            Load(self.bridge, ACTIVITY, proof=lambda _: _bearer(self.jwt)),
            Load(self.bridge, OPAQUE, proof=lambda _: _bearer(self.opaque)),
            Load(self.bridge, ADOBE, proof=lambda body: signed(body, self.signer), bodies=_addressed),
        ]

    def unknown(self):
        """What the bridge has not seen: a key after a rotation, a token, a key's path."""
        body, _ = _addressed(1)
        return {
            "jwt": lambda: self.bridge.post(ACTIVITY, body, token=self.unknown_jwt),
            "opaque": lambda: self.bridge.post(OPAQUE, body, token=self.unknown_opaque),
            "signature": lambda: self.bridge.post(ADOBE, body, signed(body, self.unknown_signer), token=None),
        }

    def rotate(self):
        self.provider.rotate(keep=True)
        self.unknown_jwt = self.provider.token("RS256")


@pytest.fixture
def outage(start_bridge, own_provider, host):
    return Outage(start_bridge, own_provider, host)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_provider_and_key_host_away_under_load(outage, reader, how):
    loads = outage.known()
    for load in loads:
        load.__enter__()
    try:
        for load in loads:
            load.wait_good()
        outage.rotate()
        for part in (outage.provider, outage.host):
            part.pause() if how == "stopped" else part.kill()
        _strangers_while_away(outage)
        for load in loads:
            load.wait_good()
        if how == "killed":
            # It keeps tokens in its memory: what it does not know any more is refused, and rightly so.
            loads[1].stop()
        for part in (outage.provider, outage.host):
            part.resume() if how == "stopped" else part.start()
        back = time.monotonic()
        if how == "killed":
            outage.opaque, outage.unknown_opaque = outage.provider.token("opaque"), outage.provider.token("opaque")
            loads.append(outage.known()[1].__enter__())
        for ask in outage.unknown().values():
            finally_answered(ask, 200)
        print(f"{how}: all recovered within {time.monotonic() - back:.1f} s")
        for load in loads if how == "stopped" else (loads[0], *loads[2:]):
            load.wait_good()
    finally:
        for load in loads:
            load.stop()
    for load, deadline in zip(loads, (17, 17, 7, 17)):
        assert load.statuses() == {200}
        load.assert_promises_kept(reader, deadline)


def _strangers_while_away(outage):
    """What is unknown is asked for all the time: 503 each time, soon enough for the sender's own time-out."""
    end = time.monotonic() + AWAY
    wrong, counts = [], {name: 0 for name in outage.unknown()}

    def ask(name, post):
        while time.monotonic() < end:
            answer = post()
            counts[name] += 1
            if answer.status != 503 or answer.seconds > LOOKED_UP:
                wrong.append((name, answer.status, answer.seconds, answer.body))

    threads = [threading.Thread(target=ask, args=pair) for pair in outage.unknown().items() for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert min(counts.values()) > 0


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_started_while_they_are_away(start_bridge, own_provider, host, how):
    """A bridge that starts in the outage serves as soon as that ends; it is ready meanwhile."""
    jwt = own_provider.token("RS256")
    signer = Signer().publish(host)
    for part in (own_provider, host):
        part.pause() if how == "stopped" else part.kill()
    bridge = start_bridge({"endpoints": [
        {"path": ACTIVITY, "sender": "activity-push", "auth": {"oauth": own_provider.oauth("RS256")}},
        {"path": ADOBE, "sender": "adobe-io", "auth": {"signature": True, "key_base": host.base, "recipients": [OURS]}},
    ]})
    body, _ = _addressed(1)
    asks = [
        lambda: bridge.post(ACTIVITY, body, token=jwt), lambda: bridge.post(ADOBE, body, signed(body, signer), token=None),
    ]
    for ask in asks:
        answer = ask()
        assert answer.status == 503
        assert answer.json()["error"] == "auth_unavailable"
        assert answer.seconds < LOOKED_UP
    assert bridge.admin("/health/ready").status == 200
    for part in (own_provider, host):
        part.resume() if how == "stopped" else part.start()
    for ask in asks:
        finally_answered(ask, 200)


def test_ends_in_time_while_requests_wait(start_bridge, host):
    """SIGTERM with fetches under way: they are given up, and who waits is answered."""
    host.put("*", delay=30)
    bridge = start_bridge({"endpoints": [
        {"path": ADOBE, "sender": "adobe-io", "auth": {"signature": True, "key_base": host.base, "recipients": [OURS]}},
    ]})
    signer = Signer()
    with Load(bridge, ADOBE, senders=8, proof=lambda body: signed(body, signer), bodies=_addressed) as load:
        eventually(lambda: host.count() > 0, 10, "they wait")
        begun = time.monotonic()
        bridge.stop()
        assert time.monotonic() - begun < 8
    assert 503 in load.statuses() or 0 in load.statuses()
    assert load.statuses() <= {503, 0}
