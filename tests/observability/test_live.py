# SPDX-License-Identifier: Apache-2.0
"""A bridge on a real Kafka under load, scraped by Prometheus while one after the other fails.

The tests tell one story and run in the order in which they stand."""

import math
import signal
import subprocess
import time

import files
import pytest
from harness import http
from harness.bridge import ACTIVITY, ADOBE, TOKEN, Bridge, binary
from harness.broker import Broker
from harness.waits import eventually
from prometheus import Prometheus

SENDERS = {ACTIVITY: ("activity-push", "20"), ADOBE: ("adobe-io", "10")}
# Panels whose curve is flat at zero in this story.
ZERO = {"Confirmed after the deadline", "Producers replaced"}


class Scene:
    """Whatever was begun is ended in close(), even when the rest could not be."""

    def __init__(self, folder):
        self.begun = time.time()
        self.broker = Broker()
        auth = {"tokens": [TOKEN]}
        endpoints = [
            {"path": path, "sender": sender, "deadline": "2s", "auth": auth} for path, (sender, _) in SENDERS.items()
        ]
        limits = {"body_time": "500ms"}
        (folder / "bridge").mkdir()
        self.bridge = Bridge(folder / "bridge", self.broker.bootstrap, "watched",
                             {"endpoints": endpoints, "limits": limits})
        self.bridge.allow_errors = True  # Kafka is taken away
        self.instance = f"127.0.0.1:{self.bridge.admin_port}"
        self.prometheus = Prometheus(folder, self.instance)
        self._players = []

    def start(self):
        self.broker.start()
        self.bridge.start()
        self.prometheus.start()
        for path, (sender, batch) in SENDERS.items():
            self._players.append(subprocess.Popen(
                [
                    binary(), "simulate", "--sender", sender, "--url", f"http://127.0.0.1:{self.bridge.port}{path}",
                    "--token", TOKEN, "--rate", "10", "--batch", batch, "--no-retry",
                ],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            ))

    def stop_players(self):
        for player in self._players:
            if player.poll() is None:
                player.send_signal(signal.SIGINT)
            player.wait(30)

    def close(self):
        try:
            self.stop_players()
        finally:
            self.bridge.release()
            self.prometheus.close()
            self.broker.close()

    def value(self, expression):
        result = self.prometheus.query(expression)
        return float(result[0]["value"][1]) if result else None

    def wait_firing(self, *wanted, timeout=40):
        """Every alert fires, with words in which no template failed."""
        def all_firing():
            firing = self.prometheus.firing()
            assert set(wanted) <= set(firing), firing.keys()
            return firing

        firing = eventually(all_firing, timeout, f"{wanted} firing", every=0.2)
        for alert in wanted:
            for words in firing[alert].values():
                assert "<error" not in words and "<no value>" not in words, words

    def wait_resolved(self, *names, timeout=60):
        def none_firing():
            left = [alert for alert in self.prometheus.firing() if alert[0] in names]
            assert not left, left
            return True

        eventually(none_firing, timeout, f"{names} resolved", every=0.2)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    scene = Scene(tmp_path_factory.mktemp("scene"))
    try:
        scene.start()
        yield scene
    finally:
        scene.close()


def test_bridge_is_scraped(scene):
    def scraped():
        (target,) = scene.prometheus.targets()
        assert target["health"] == "up" and target["lastError"] == "", target
        assert target["labels"]["job"] == "marketo-bridge"
        return True

    eventually(scraped, 20, "scraped")


def test_every_metric_that_is_read_exists(scene):
    page = scene.bridge.metrics()
    # These get a series with their first count, or with a certificate, only.
    have = {f"marketo_bridge_{name}" for name in page.types} | {
        "marketo_bridge_auth_failures_total", "marketo_bridge_kafka_errors_total",
        "marketo_bridge_certificate_expiry_timestamp_seconds",
    }
    read = set()
    for expression in [rule["expr"] for rule in files.rules()] + [query for _, _, query in files.queries()]:
        read |= files.metrics_named(expression)
    assert read - have == set()


def test_nothing_fires_while_all_is_well(scene):
    delivered = 'sum(increase(marketo_bridge_events_total{outcome="delivered"}[10s]))'
    eventually(lambda: (scene.value(delivered) or 0) > 500, 60, "events are delivered")
    for record in files.records():
        eventually(lambda: scene.prometheus.query(record), 20, record)
    assert scene.prometheus.firing() == {}
    assert scene.value("max(endpoint:marketo_bridge_http_requests_failed:ratio24h)") == 0
    assert scene.value("max(endpoint:marketo_bridge_silence:seconds)") < 10


def test_dead_letter_fires_and_resolves(scene):
    assert scene.bridge.post(ADOBE, b"not JSON").status == 200
    scene.wait_firing(("MarketoBridgeDeadLetters", "not_json"))
    scene.wait_resolved("MarketoBridgeDeadLetters")


def test_odd_requests_are_seen(scene):
    """What the panels on retries, proofs and the guard show."""
    def refuse():
        answer = scene.bridge.post(ADOBE, b"[]", token="a-wrong-token")
        assert answer.status == 401
        # rate() cannot see a series' first count, so it goes on until one is seen.
        return (scene.value("sum(rate(marketo_bridge_auth_failures_total[5s]))") or 0) > 0

    retry = [("x-adobe-retry-count", "3")]
    assert scene.bridge.post(ADOBE, b"[]", headers=retry).status == 200
    with http.Http1(scene.bridge.port) as client:
        client.sock.sendall(b"POST /adobe/events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]")
        client.sock.recv(1000)
    eventually(refuse, 20, "refusals are seen", every=0.5)
    seen = 'sum(rate(marketo_bridge_guard_actions_total{reason="framing"}[20s]))'
    eventually(lambda: (scene.value(seen) or 0) > 0, 20, "the guard is seen")


def test_kafka_away_fires_and_resolves(scene):
    away = [
        ("MarketoBridgeKafkaDown", scene.instance),
        *(("MarketoBridgeUnavailable", path) for path in SENDERS),
        *(("MarketoBridgeMostlyUnavailable", path) for path in SENDERS),
    ]
    scene.broker.kill()
    begun = time.monotonic()
    scene.wait_firing(*away, timeout=60)
    print(f"Kafka away: {len(away)} alerts fire after {time.monotonic() - begun:.1f} s")
    failed = "min(endpoint:marketo_bridge_http_requests_failed:ratio24h)"
    eventually(lambda: scene.value(failed) > 0, 20, "failures of 24 h are counted")
    # Adobe's own rule would see it coming: the longer Kafka is away, the larger the share.
    scene.wait_firing(*(("MarketoBridgeFailures24h", path) for path in SENDERS), timeout=120)

    scene.broker.start()
    begun = time.monotonic()
    scene.wait_resolved(*(name for name, _ in away), timeout=90)
    print(f"Kafka back: resolved after {time.monotonic() - begun:.1f} s")


@pytest.mark.parametrize("title, letter, expression", files.queries(), ids=lambda value: str(value)[:40])
def test_panel_has_data(scene, title, letter, expression):
    scene.prometheus.query(expression)
    series = scene.prometheus.query_range(expression, scene.begun, time.time())
    values = [float(value) for one in series for _, value in one["values"]]
    assert any(not math.isnan(value) for value in values), f"{title} {letter} has no data"
    if title not in ZERO:
        assert any(value > 0 for value in values), f"{title} {letter} is zero throughout"


def test_bridge_away_fires_and_resolves(scene):
    scene.stop_players()
    scene.bridge.stop()
    scene.wait_firing(("MarketoBridgeDown", scene.instance))
    scene.bridge.exit_status = None
    scene.bridge.start()
    scene.wait_resolved("MarketoBridgeDown")
    # The batches before the restart are not forgotten.
    silence = "min(endpoint:marketo_bridge_silence:seconds)"
    assert 0 < eventually(lambda: scene.value(silence), 20, "silence") < 300
    scene.bridge.stop()
