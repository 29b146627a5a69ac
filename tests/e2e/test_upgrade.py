# SPDX-License-Identifier: Apache-2.0
"""Bridges behind a balancer are replaced one after the other under load, and no sender notices."""

import json
import signal
import subprocess
import threading

import pytest

from harness import spawn
from harness.balancer import Balancer
from harness.bridge import ADOBE, SLOW, TOKEN, binary
from harness.waits import eventually


@pytest.fixture
def balancer():
    one = Balancer()
    over = threading.Event()

    def probe():
        while not over.wait(0.1):
            one.probe()

    probing = threading.Thread(target=probe, daemon=True)
    probing.start()
    yield one
    over.set()
    probing.join()
    one.close()


def load(port, broker, prefix, http_version, *more):
    arguments = [
        "simulate", "--url", f"http://127.0.0.1:{port}{ADOBE}", "--sender", "adobe-io", "--token", TOKEN,
        "--http", http_version, "--rate", 20, "--connections", 1, "--duration", "600s", "--json",
        "--verify", broker.bootstrap, "--verify-prefix", prefix, *more]
    return spawn([binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                 stderr=subprocess.PIPE, text=True)


def finish(sender):
    """What came of it; what is under way is answered first."""
    stdout, stderr = sender.communicate(timeout=60 * SLOW)
    assert stdout, stderr
    return json.loads(stdout.splitlines()[-1])


def served(bridge):
    return bridge.metrics().sum("http_requests_total", status="200")


def wait_served(bridge, count=20):
    before = served(bridge)
    eventually(lambda: served(bridge) >= before + count, 30 * SLOW, "it serves")


@pytest.mark.fault
def test_two_bridges_are_replaced_under_load(start_bridge, broker, balancer, http_version):
    """Each batch is sent once, and answered 200: neither refused by the one that ends nor lost between the two."""
    settings = {"shutdown": {"delay": "1s", "grace": "10s"}}
    old = [start_bridge(settings), start_bridge(settings)]
    for bridge in old:
        balancer.add(bridge)
    # Of one connection each, so that the balancer spreads them over the bridges.
    senders = [load(balancer.port, broker, old[0].prefix, http_version, "--no-retry") for _ in range(6)]
    try:
        for bridge in old:
            wait_served(bridge)
        for bridge in old:
            new = start_bridge(settings)
            balancer.add(new)
            bridge.signal(signal.SIGTERM)
            assert bridge.wait() == 0
            balancer.remove(bridge)
            wait_served(new)
        for sender in senders:
            sender.send_signal(signal.SIGINT)
        reports = [finish(sender) for sender in senders]
    finally:
        for sender in senders:
            sender.kill()
            sender.wait()
    for report in reports:
        verified = report["verified"]
        assert set(report["statuses"]) == {"200"}, json.dumps(report)
        assert report["unfinished"] == report["refused"] == 0
        assert verified["missing"] == verified["repeated"] == verified["late"] == verified["no_answer"] == 0
        assert verified["acknowledged"] == verified["sent"] > 20 * 20
