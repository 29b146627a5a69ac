# SPDX-License-Identifier: Apache-2.0
"""What the README shows works as it stands there: its commands for reading and replaying, its small configuration."""

import os
import re
import subprocess
import time

import pytest

from harness import events
from harness.bridge import ADOBE, ROOT, run_command
from harness.waits import eventually

README = (ROOT / "README.md").read_text()


def commands(word):
    """The shown commands that contain the word, continuation lines joined."""
    blocks = re.split(r"^```\w*\n", README, flags=re.MULTILINE)[1::2]
    return [block.replace("\\\n", " ") for block in blocks if word in block]


def run_shown(script, bridge, broker):
    script = script.replace("localhost:9092", broker.bootstrap)
    script = script.replace("marketo.activity.openemail", f"{bridge.prefix}.activity.openemail")
    done = subprocess.run(
        ["bash", "-euc", script], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def two_visits(start_bridge):
    """Twelve events, then a moment on the clock, then three."""
    bridge = start_bridge({"topics": {"route": "type"}})
    first, early = events.activities(12)
    assert bridge.post(ADOBE, first).status == 200
    moment = int(time.time() * 1000) + 1
    eventually(lambda: time.time() * 1000 > moment + 1)
    second, late = events.activities(3)
    assert bridge.post(ADOBE, second).status == 200
    return bridge, early, moment, late


def test_the_newest_ten_with_key_and_headers(two_visits, broker):
    bridge, early, _, late = two_visits
    (script,) = commands("-o -10")
    shown = run_shown(script, bridge, broker)
    assert re.findall(r"ce_id=([0-9a-f-]{36})", shown) == early[5:] + late
    assert f"{events.INSTANCE}:12 " in shown


def test_replay_by_offset(two_visits, broker):
    bridge, early, _, late = two_visits
    (script,) = commands("-o 1000")
    shown = run_shown(script.replace("-o 1000", "-o 7"), bridge, broker)
    assert re.findall(r'"id":"([0-9a-f-]{36})"', shown) == early[7:] + late


def test_replay_by_time(two_visits, broker):
    bridge, early, moment, late = two_visits
    (script,) = commands("-o s@$from")
    lines = script.splitlines()
    assert lines[0].startswith("from=$(date") and lines[1].startswith("to=$(date")
    assert subprocess.run(["bash", "-c", lines[0] + "; echo $from"], capture_output=True, text=True,
                          check=True).stdout.strip() == "1795428000000"
    replay = "\n".join(lines[2:])
    after = run_shown(f"from={moment} to={moment + 3_600_000}\n{replay}", bridge, broker)
    before = run_shown(f"from={moment - 3_600_000} to={moment}\n{replay}", bridge, broker)
    assert re.findall(r'"id":"([0-9a-f-]{36})"', after) == late
    assert re.findall(r'"id":"([0-9a-f-]{36})"', before) == early


def test_a_consumer_group_goes_back_in_time(two_visits, broker):
    bridge, early, moment, late = two_visits
    (script,) = commands("kafka-consumer-groups.sh")
    tool = f"java -cp '{broker._libs}/*' org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment / 1000)) + f".{moment % 1000:03d}"
    script = script.replace("kafka-consumer-groups.sh", tool).replace("2026-11-23T10:00:00.000", stamp)
    script = script.replace("--group analytics", f"--group {bridge.prefix}")
    shown = run_shown(script, bridge, broker)
    assert re.search(rf"{re.escape(bridge.prefix)}\.activity\.openemail\s+0\s+12\b", shown), shown


def test_the_small_configuration_is_good(tmp_path):
    (shown,) = commands("bootstrap.servers: localhost:9092")
    path = tmp_path / "bridge.yaml"
    path.write_text(shown)
    done = run_command("check", "--config", path, env={**os.environ, "ACTIVITY_TOKEN": "a-good-token"})
    assert done.returncode == 0, done.stderr
