# SPDX-License-Identifier: Apache-2.0
"""An hour's worth of strangers in a minute: good senders are served as ever, memory returns, budgets hold."""

import os

import pytest

from harness.bridge import SANITIZED
from harness.strangers import Scenario, Strangers
from harness.waits import eventually

pytestmark = [pytest.mark.fault, pytest.mark.timeout(400)]

# How long they come; longer for figures.
SECONDS = float(os.environ.get("STRANGERS_SECONDS", "10"))
# How much latency grows is for tests/bench/strangers; what must hold here does not depend on the machine.
ROOM_KIB = 16 * 1024


def test_strangers_beside_good_senders(start_bridge, host, tmp_path):
    scenario = Scenario(host, tmp_path, rate=5 if SANITIZED else 30)
    bridge = start_bridge({**scenario.settings(), "log": {"level": "info"}})
    scenario.use(bridge)
    quiet = scenario.run_good(4)
    resident = scenario.resident_kib()
    with Strangers(scenario, rate=5 if SANITIZED else 40, bodies=2 if SANITIZED else 5, connections=2000) as strangers:
        assert bridge.metrics().sum("connections") > 1000
        senders = scenario.run_good(SECONDS)
        busiest = scenario.resident_kib()

    for name, sender in senders.items():
        sender.assert_only_200()
        before, now = quiet[name].report["latency_ms"], sender.report["latency_ms"]
        print(f"{name}: before: {quiet[name].figures()}\n    beside strangers: {sender.figures()}; "
              f"p99 is {now['p99'] / before['p99']:.1f} times what it was")

    for kind, statuses in strangers.answers.items():
        print(f"{kind}: {statuses}")
        assert set(statuses) <= {"401", "503"}, kind
    print(f"connections: {strangers.connections}")
    for what, (count, most) in scenario.fetches().items():
        print(f"{what}: fetched {count} times of at most {most:.0f}")
        assert count <= most, what

    eventually(lambda: bridge.metrics().sum("connections") < 50, 20, "they have left")
    if not SANITIZED:
        eventually(lambda: scenario.resident_kib() < resident * 1.1 + ROOM_KIB, 60,
                   f"memory returns; KiB before, beside strangers: {resident}, {busiest}")
    print(f"resident KiB: {resident} before, {busiest} beside strangers, {scenario.resident_kib()} after")
    assert bridge.metrics().sum("in_flight_bytes") == 0
