# SPDX-License-Identifier: Apache-2.0
"""The command that plays Adobe, against the real program: what it says is what Kafka holds."""

import json
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from harness import spawn
from harness.bridge import ACTIVITY, ADOBE, ROOT, TOKEN, binary, run_command
from harness.holding import Holding
from harness.ports import release_port, take_port

SENDERS = {"activity-push": ACTIVITY, "adobe-io": ADOBE}


def simulate(bridge, sender, *arguments, token=TOKEN, port=None):
    url = f"http://127.0.0.1:{port or bridge.port}{SENDERS[sender]}"
    done = run_command("simulate", "--url", url, "--sender", sender, "--token", token, "--json", *arguments)
    return done, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.short
@pytest.mark.parametrize("sender", SENDERS)
def test_sums_of_a_simulation_are_the_records(start_bridge, reader, sender, http_version):
    bridge = start_bridge()
    done, report = simulate(bridge, sender, "--events", 2000, "--http", http_version)
    assert done.returncode == 0, done.stderr
    assert report["sender"] == sender
    assert report["http"] == http_version
    assert report["statuses"].pop("200") == report["batches"] == report["delivered"]
    assert not any(report["statuses"].values())
    assert report["answers"] == {"events": 2000, "delivered": 2000, "duplicates": 0, "dead_lettered": 0}
    latency = report["latency_ms"]
    assert 0 < latency["p50"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]
    records = reader.read_count(bridge.prefix, 2000)
    ids = [record.header("ce_id") for record in records]
    assert len(set(ids)) == 2000
    types = {record.header("ce_type") for record in records}
    assert len(types) >= 30
    assert {record.key.split(b":")[0] for record in records if record.key} != set()


def test_events_reach_topics_of_at_least_30_types(start_bridge, reader):
    bridge = start_bridge({"topics": {"route": "type"}})
    assert simulate(bridge, "adobe-io", "--events", 1000)[0].returncode == 0
    counts = reader.counts(bridge.prefix)
    assert sum(counts.values()) == 1000
    assert len(counts) >= 30
    assert not any(topic.endswith((".other", ".deadletter")) for topic in counts)


def test_refusal_is_exit_1(start_bridge):
    bridge = start_bridge()
    done, report = simulate(bridge, "adobe-io", "--events", 20, token="wrong-token")
    assert done.returncode == 1
    assert report["refused"] == report["batches"]
    assert report["statuses"]["401"] == report["batches"]
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.fault
@pytest.mark.parametrize("sender", SENDERS)
def test_retries_follow_the_sender_until_kafka_is_back(broker, start_bridge, reader, sender):
    """Minutes of the sender's schedule pass in seconds; nothing is lost in the end."""
    endpoints = [{"path": path, "sender": name, "deadline": "2s", "auth": {"tokens": [TOKEN]}}
                 for name, path in SENDERS.items()]
    bridge = start_bridge({"endpoints": endpoints, "limits": {"body_time": "500ms"}})
    bridge.allow_errors = True
    assert simulate(bridge, sender, "--events", 20)[0].returncode == 0
    before = reader.ends(bridge.prefix)
    broker.pause()
    threading.Timer(5, broker.resume).start()
    started = time.monotonic()
    done, report = simulate(bridge, sender, "--events", 100, "--batch", 10, "--time-scale", "0.01")
    assert time.monotonic() - started > 4
    assert done.returncode == 0, report
    assert report["retries"] > 0
    assert report["statuses"].get("503", 0) + report["statuses"].get("504", 0) > 0
    assert report["answers"]["delivered"] == 100
    ids = {record.header("ce_id") for record in reader.read(bridge.prefix, before)}
    assert len(ids) == 100


@pytest.mark.parametrize("name", ["activity-wrapper.json", "audit-batch.json"])
def test_body_from_a_file(start_bridge, reader, name):
    bridge = start_bridge()
    path = pathlib.Path(ROOT) / "schemas/samples" / name
    done, _ = simulate(bridge, "adobe-io", "--body", path)
    assert done.returncode == 0
    assert len(reader.read(bridge.prefix)) >= 1


def test_result_for_people(start_bridge):
    bridge = start_bridge()
    url = f"http://127.0.0.1:{bridge.port}{ADOBE}"
    done = run_command("simulate", "--url", url, "--sender", "adobe-io", "--token", TOKEN, "--events", 40)
    assert done.returncode == 0
    for word in ("200", "p50", "p99", "p99.9"):
        assert word in done.stdout
    assert "\r" not in done.stdout + done.stderr and "\x1b" not in done.stdout + done.stderr


def test_no_request_waits_for_the_answer_to_another():
    """As many are under way as were asked for, also when the sender is held up while it opens connections, and has
    much to catch up with."""
    def hold_up():
        simulation.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        simulation.send_signal(signal.SIGCONT)

    begun = threading.Event()
    with Holding(128, on_connection=lambda: begun.wait() and hold_up()) as receiver:
        arguments = ["--url", f"http://127.0.0.1:{receiver.port}/", "--sender", "adobe-io", "--http", "2", "--json",
                     "--connections", "16", "--concurrency", "128", "--events", "128", "--batch", "1", "--rate", "400",
                     "--no-retry"]
        simulation = spawn([binary(), "simulate", *arguments], stdout=subprocess.PIPE, text=True)
        begun.set()
        report = json.loads(simulation.communicate(timeout=60)[0].splitlines()[-1])
        assert report["statuses"] == {"200": 128}
        assert receiver.connections <= 16


def test_more_streams_than_the_receiver_takes_wait_for_a_place():
    """100 on each connection, which is what it allows; those without a place are no reason to open more."""
    with Holding(200) as receiver:
        done = run_command("simulate", "--url", f"http://127.0.0.1:{receiver.port}/", "--sender", "adobe-io", "--json",
                           "--http", "2", "--connections", 2, "--concurrency", 300, "--events", 300, "--batch", 1)
        assert json.loads(done.stdout.splitlines()[-1])["statuses"] == {"200": 300}
        assert receiver.connections == 2


def test_nobody_there_is_exit_1():
    port = take_port()
    done, report = simulate(None, "adobe-io", "--events", 20, "--no-retry", port=port)
    release_port(port)
    assert done.returncode == 1
    assert report["delivered"] == 0
