# SPDX-License-Identifier: Apache-2.0
"""Health pages and metrics, and that what is counted adds up with what was sent."""

import pytest

from harness import events, http
from harness.bridge import ACTIVITY, ADOBE
from harness.http import Http1, Http2
from harness.waits import eventually

# Name -> type; those that exist from the first request on.
METRICS = {
    "build_info": "gauge", "http_requests_total": "counter", "http_request_duration_seconds": "histogram",
    "batches_total": "counter", "events_total": "counter", "events_bytes_total": "counter",
    "dead_letters_total": "counter", "delivery_duration_seconds": "histogram", "event_age_seconds": "histogram",
    "in_flight_events": "gauge", "in_flight_bytes": "gauge", "late_confirmations_total": "counter",
    "sender_attempts_total": "counter", "last_batch_timestamp_seconds": "gauge", "auth_failures_total": "counter",
    "guard_actions_total": "counter", "kafka_up": "gauge", "kafka_brokers_up": "gauge", "connections": "gauge",
    "producer_restarts_total": "counter",
}


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/kafka"])
def test_health_of_a_healthy_bridge(shared_bridge, path):
    answer = eventually(lambda: (a := shared_bridge.admin(path)).status == 200 and a, what="healthy")
    assert answer.header("content-type").split(";")[0] == "application/json"
    assert answer.json()["status"] == "ok"
    assert shared_bridge.admin(path, "HEAD").status == 200


def test_health_of_kafka_says_which_brokers(shared_bridge, broker):
    assert shared_bridge.admin("/health/kafka").json()["bootstrap"] == broker.bootstrap


@pytest.mark.parametrize("path", ["/health", "/nowhere", ACTIVITY])
def test_unknown_admin_pages_are_404(shared_bridge, path):
    assert shared_bridge.admin(path).status == 404


def test_endpoints_are_not_on_the_admin_listener_and_it_takes_no_post(shared_bridge):
    assert shared_bridge.admin("/metrics", "POST").status == 405


def test_metrics_are_prometheus_text(shared_bridge):
    answer = shared_bridge.admin("/metrics")
    assert answer.status == 200
    assert answer.header("content-type").startswith("text/plain; version=0.0.4")
    assert answer.body.endswith(b"\n")
    lines = answer.body.decode().splitlines()
    series = [line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series)), "a series stands twice"
    types = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    helps = [line.split()[2] for line in lines if line.startswith("# HELP")]
    assert len(types) == len(set(types)) and set(types) == set(helps)
    assert all(name.startswith("marketo_bridge_") for name in types)


def test_counters_add_up(start_bridge, http_version):
    bridge = start_bridge()
    for count in (1, 2, 20):
        assert bridge.post(ADOBE, events.activities(count)[0], http_version=http_version).status == 200
    bridge.post(ADOBE, f"[{events.audit_body()[1]},17]".encode(), [("x-adobe-retry-count", "1")], http_version)
    bridge.post(ADOBE, b"broken", [("x-adobe-retry-count", "9")], http_version)
    bridge.post(ACTIVITY, events.wrapper(events.activity()), http_version=http_version)
    bridge.post(ACTIVITY, b"[]", token=None, http_version=http_version)
    bridge.post(ACTIVITY, b"[]", token="wrong-token", http_version=http_version)
    bridge.request("DELETE", ACTIVITY, http_version=http_version)
    bridge.request("GET", "/nowhere", http_version=http_version)

    found = eventually(
        lambda: (m := bridge.metrics()).sum("http_requests_total") == 10 and m, what="ten requests are counted")
    assert {name: found.types.get(name) for name in METRICS} == METRICS
    assert found.sum("http_requests_total", status="200") == 6
    assert found.sum("http_requests_total", status="401", endpoint=ACTIVITY) == 2
    assert found.sum("http_requests_total", status="405", endpoint=ACTIVITY) == 1
    assert found.sum("http_requests_total", status="404") == 1
    assert found.sum("http_requests_total", endpoint=ADOBE) == 5
    assert found.sum("http_request_duration_seconds_count", endpoint=ADOBE) == 5
    assert found.sum("http_request_duration_seconds_bucket", endpoint=ADOBE, le="+Inf") == 5

    assert found.sum("events_total", outcome="delivered") == 25
    assert found.sum("events_total", outcome="delivered", stream="activity") == 24
    assert found.sum("events_total", outcome="delivered", stream="audit") == 1
    assert found.sum("events_total", outcome="dead_lettered") == 2
    assert found.sum("events_total", outcome="failed") == 0
    assert found.sum("events_total", outcome="duplicate") == 0
    assert found.sum("events_bytes_total") > 25 * 100
    assert found.sum("dead_letters_total") == 2
    assert found.sum("dead_letters_total", reason="not_object") == 1
    assert found.sum("dead_letters_total", reason="not_json") == 1
    assert found.sum("batches_total") == found.sum("batches_total", endpoint=ADOBE) + found.sum(
        "batches_total", endpoint=ACTIVITY) >= 6
    assert found.sum("delivery_duration_seconds_count") >= 6
    assert found.sum("event_age_seconds_count", stream="activity") == 24
    assert found.sum("auth_failures_total", endpoint=ACTIVITY) == 2
    assert found.sum("sender_attempts_total", endpoint=ADOBE) == 5
    assert found.sum("sender_attempts_total", endpoint=ADOBE, attempt="1") == 1
    assert found.sum("last_batch_timestamp_seconds", endpoint=ADOBE) > 1_600_000_000
    assert found.sum("in_flight_events") == 0
    assert found.sum("in_flight_bytes") == 0
    assert found.sum("kafka_up") == 1
    assert found.sum("kafka_brokers_up") == 1
    assert found.sum("build_info") == 1


def test_labels_are_bounded(start_bridge):
    """What strangers send never becomes a label."""
    bridge = start_bridge()
    before = None
    for step in range(2):
        for number in range(20):
            bridge.request("GET", f"/p-{step}-{number}")
            bridge.request(f"M{step}{number}", ACTIVITY)
            bridge.post(ADOBE, events.cloud_event(
                type_=f"com.adobe.platform.marketo.activity.standard.t{step}x{number}",
                data='{"munchkinId":"m%d%d","leadId":"%d"}' % (step, number, number)).encode(),
                [("x-adobe-retry-count", f"{step}{number}")])
        series = len(bridge.metrics().series)
        assert before is None or series <= before
        before = series


def _connections(bridge):
    found = bridge.metrics().series
    return {labels["protocol"]: value for name, labels, value in found if name == "connections" and value}


def test_connections_are_counted_by_protocol(start_bridge):
    bridge = start_bridge()
    with Http1(bridge.port) as one, Http2(bridge.port) as two:
        one.request("GET", ACTIVITY)
        two.request("GET", ACTIVITY)
        eventually(lambda: _connections(bridge) == {"http1": 1, "http2": 1}, what="one of each")
    eventually(lambda: _connections(bridge) == {}, what="both are gone")


def test_admin_token(start_bridge):
    bridge = start_bridge({"admin": {"token": "admin-token-1"}})
    assert bridge.admin("/metrics").status == 401
    for value in ("Bearer admin-token-1", "admin-token-1"):
        answer = http.request(bridge.admin_port, "GET", "/metrics", [("Authorization", value)])
        assert answer.status == 200
    assert http.request(bridge.admin_port, "GET", "/metrics", [("Authorization", "admin-token-2")]).status == 401
    assert "admin-token-1" not in bridge.log_text()
