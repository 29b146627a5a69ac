# SPDX-License-Identifier: Apache-2.0
"""`simulate --verify`: what it says of Kafka is what Kafka holds, and it notices what is gone."""

import json
import os
import signal
import subprocess
import threading
import time

import pytest

from harness import ENDS_WITH_US
from harness.bridge import ACTIVITY, ADOBE, TOKEN, binary, run_command
from harness.waits import eventually

SENDERS = {"activity-push": ACTIVITY, "adobe-io": ADOBE}


def arguments(bridge, broker, sender, *more):
    url = f"http://127.0.0.1:{bridge.port}{SENDERS[sender]}"
    return ["simulate", "--url", url, "--sender", sender, "--token", TOKEN, "--json",
            "--verify", broker.bootstrap, "--verify-prefix", bridge.prefix, *map(str, more)]


def verify(bridge, broker, sender, *more):
    environment = {**os.environ, "TMPDIR": str(bridge.folder)}  # where a ledger may be kept
    done = run_command(*arguments(bridge, broker, sender, *more), env=environment)
    return done, json.loads(done.stdout.splitlines()[-1])["verified"]


@pytest.mark.short
@pytest.mark.parametrize("sender", SENDERS)
def test_all_that_was_acknowledged_is_found(start_bridge, broker, reader, sender):
    bridge = start_bridge({"topics": {"route": "type"}})
    for _ in range(2):  # the second one finds the first one's records in the topics
        done, verified = verify(bridge, broker, sender, "--events", 3000)
        assert done.returncode == 0, done.stderr
        assert verified["kept"] is True
        assert verified["sent"] == verified["acknowledged"] == verified["records"] == 3000
        assert verified["missing"] == verified["repeated"] == verified["foreign"] == verified["late"] == 0
        assert verified["latency_ms"]["p99.9"] > 0


def test_a_lost_record_is_noticed_and_named(start_bridge, broker, reader):
    """Somebody deletes a topic behind the bridge's back: what stood there is missing, and nothing else."""
    bridge = start_bridge({"topics": {"route": "type"}})
    bridge.allow_errors = True
    topic = f"{bridge.prefix}.activity.openemail"
    ledger = bridge.folder / "ledger"
    done, verified = verify(bridge, broker, "activity-push", "--events", 2000, "--ledger", ledger)
    assert done.returncode == 0, done.stderr
    stood = reader.counts(bridge.prefix)[topic]
    reader.delete(topic)
    done = run_command("simulate", "--verify", broker.bootstrap, "--verify-prefix", bridge.prefix,
                       "--ledger", ledger, "--read-back", "--json")
    verified = json.loads(done.stdout)["verified"]
    assert done.returncode == 1
    assert verified["missing"] == stood > 0
    assert {event["type"] for event in verified["missing_events"]} == {"activity.openemail"}
    assert all(event["answered_ms"] > 1.6e12 for event in verified["missing_events"])


def test_copies_are_counted(start_bridge, broker, reader):
    """The same seed twice: the second run's records stand there twice, unless somebody suppresses them."""
    bridge = start_bridge()
    ledger = bridge.folder / "ledger"
    for _ in range(2):
        verify(bridge, broker, "adobe-io", "--events", 100, "--seed", 7)
    verify(bridge, broker, "adobe-io", "--events", 100, "--seed", 7, "--ledger", ledger)
    stand = sum(reader.counts(bridge.prefix).values())
    done = run_command("simulate", "--verify", broker.bootstrap, "--verify-prefix", bridge.prefix,
                       "--ledger", ledger, "--read-back", "--json")
    verified = json.loads(done.stdout)["verified"]
    assert done.returncode == 0
    assert verified["records"] == stand
    assert verified["copies_after"]["in_one_attempt"] == stand - 100


def test_a_refusal_is_a_broken_promise(start_bridge, broker):
    bridge = start_bridge()
    done, verified = verify(bridge, broker, "adobe-io", "--events", 40, "--token", "wrong-token")
    assert done.returncode == 1
    assert verified["refused"] == 40
    assert verified["refused_present"] == 0
    assert "the ledger is kept in" in done.stderr


@pytest.mark.fault
def test_a_late_answer_is_a_broken_promise(start_bridge, broker):
    bridge = start_bridge()
    ledger = bridge.folder / "ledger"

    def stumble():
        eventually(lambda: ledger.exists() and ledger.stat().st_size > 32 * 10, what="it has begun")
        with broker.paused():
            time.sleep(1.5)

    stumbling = threading.Thread(target=stumble)
    stumbling.start()
    done, verified = verify(bridge, broker, "adobe-io", "--rate", 20, "--duration", "4s",
                            "--deadline", "500ms", "--ledger", ledger)
    stumbling.join()
    assert done.returncode == 1
    assert 1 <= verified["late"] <= 8 * 4
    assert verified["missing"] == 0


def test_dead_letters_are_found_too(start_bridge, broker, reader):
    """What is too large for its topic is in the dead-letter topic, and that is kept."""
    bridge = start_bridge()
    bridge.allow_errors = True
    reader.alter(f"{bridge.prefix}.activity", max_message_bytes=900)
    started = time.monotonic()

    def dead():
        found = verify(bridge, broker, "activity-push", "--events", 500, "--patience", "20s")[1]
        assert found["kept"] and found["acknowledged"] == 500
        return found["dead_lettered"] > 0

    eventually(dead, 30, "some are too large")
    assert time.monotonic() - started < 30


def test_a_killed_run_can_be_verified(start_bridge, broker):
    bridge = start_bridge()
    ledger = bridge.folder / "ledger"
    run = subprocess.Popen(
        [*ENDS_WITH_US, binary(), *arguments(bridge, broker, "adobe-io", "--ledger", ledger)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: ledger.exists() and ledger.stat().st_size > 32 * 200, what="it has sent a while")
    run.send_signal(signal.SIGKILL)
    run.wait()
    eventually(lambda: bridge.metrics().sum("in_flight_events") == 0, what="all has been written")
    done = run_command("simulate", "--verify", broker.bootstrap, "--verify-prefix", bridge.prefix,
                       "--ledger", ledger, "--read-back", "--json")
    verified = json.loads(done.stdout)["verified"]
    assert done.returncode == 0, done.stderr
    assert verified["acknowledged"] >= 50 * 20
    assert verified["missing"] == verified["foreign"] == 0


@pytest.mark.parametrize("options,word", [
    (["--read-back"], "--verify"),
    (["--verify", "127.0.0.1:1", "--read-back"], "--ledger"),
    (["--verify", "127.0.0.1:1", "--ledger", "/dev/null", "--read-back"], "not a ledger"),
    (["--verify", "127.0.0.1:1", "--body", "/dev/null"], "--body"),
    (["--ledger", "x"], "--verify"),
    (["--verify", "127.0.0.1:1", "--verify-property", "=x"], "name=value"),
])
def test_bad_usage_is_exit_2(options, word):
    sender = ["--url", "http://127.0.0.1:1/", "--sender", "adobe-io"]
    done = run_command("simulate", *sender, *options)
    assert done.returncode == 2
    assert word in done.stderr


def test_a_property_that_is_none_is_said(start_bridge, broker):
    bridge = start_bridge()
    done = run_command(*arguments(bridge, broker, "adobe-io", "--events", 20,
                                  "--verify-property", "no.such.property=1"))
    assert done.returncode == 1
    assert "no.such.property" in done.stderr
