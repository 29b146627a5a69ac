# SPDX-License-Identifier: Apache-2.0
"""The commands, as a person or a script calls them."""

import json
import re
import subprocess

import pytest

from harness import certificates, events, http
from harness.bridge import ADOBE, TOKEN, binary, configuration, run_command
from harness.ports import release_port, take_port

FULL = """\
listen:
  - address: 127.0.0.1:8443
    tls: { certificate: cert.pem, key: key.pem }
  - address: "[::1]:8080"
http2: true
admin: { address: 127.0.0.1:9464, token: null }
endpoints:
  - path: /marketo/activity
    sender: activity-push
    deadline: 17s
    auth:
      tokens: [ "${BRIDGE_TEST_TOKEN}" ]
  - path: /adobe/events
    sender: adobe-io
    deadline: 7s
    auth: none
kafka:
  bootstrap.servers: localhost:9092
  compression.type: lz4
instances: {}
topics: { prefix: marketo, route: type, create: true, partitions: 1, replication: -1, retention: 30d, \
override: { activity.openemail: { partitions: 6 } }, custom: [], dead_letter: null }
durability: strict
record: { format: structured, headers: [] }
dedupe: false
limits: { body: 4MiB, events: 10000, in_flight: 256MiB, connections: 2048, body_time: 4s, idle_time: 75s }
shutdown: { delay: 5s, grace: 20s }
log:    { level: info, format: auto }
"""

BROKEN = """\
listen:
  - address: nonsense
    colour: blue
endpoints:
  - path: no-slash
    sender: somebody
    auth: none
kafka:
  bootstrap.servers: localhost:9092
  acks: 1
  no.such.property: 1
topics: { partitions: -3, colour: red }
limits: { body: lots }
log: { level: loud }
admin: { token: "${BRIDGE_TEST_UNSET}" }
"""

WRONG_AT = [2, 3, 5, 6, 10, 11, 12, 12, 13, 14, 15]


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "bridge.yaml"
        path.write_text(text)
        return path

    return write


def test_version():
    done = run_command("version")
    assert done.returncode == 0
    assert re.search(r"\d+\.\d+", done.stdout)
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [
    (), ("nonsense",), ("serve",), ("serve", "--config"), ("serve", "--nonsense"), ("check",), ("topics",),
    ("version", "--nonsense"), ("health", "--nonsense"), ("simulate",), ("simulate", "--sender", "nobody"),
])
def test_bad_usage_is_exit_2_with_words(arguments):
    done = run_command(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip()


@pytest.mark.parametrize("arguments", [
    ("--help",), ("serve", "--help"), ("check", "--help"), ("topics", "--help"), ("simulate", "--help"),
    ("health", "--help"),
])
def test_help_is_exit_0_on_standard_output(arguments):
    done = run_command(*arguments)
    assert done.returncode == 0
    assert "usage" in done.stdout.lower()


def test_check_of_the_whole_configuration(config, monkeypatch, tmp_path):
    monkeypatch.setenv("BRIDGE_TEST_TOKEN", TOKEN)
    certificates.make(tmp_path)
    done = run_command("check", "--config", config(FULL), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_check_lists_everything_that_is_wrong(config):
    path = config(BROKEN)
    done = run_command("check", "--config", path)
    assert done.returncode == 1
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(f"{path}:")]
    places = [re.match(r"(\d+):(\d+): \S", line[len(str(path)) + 1:]) for line in lines]
    assert all(places), lines
    assert [int(place.group(1)) for place in places] == WRONG_AT, lines


def test_serve_with_a_bad_configuration_is_exit_2_with_line_and_column(config):
    path = config(BROKEN)
    done = run_command("serve", "--config", path)
    assert done.returncode == 2
    assert f"{path}:2:" in done.stderr
    assert f"{path}:14:" in done.stderr


@pytest.mark.parametrize("text, line", [
    ("listen: [\n", None), ("a: b: c\n", 1), ("", None), ("- a\n", 1), ("listen: x\nlisten: y\n", 2),
])
def test_configuration_that_is_no_yaml_mapping(config, text, line):
    path = config(text)
    done = run_command("check", "--config", path)
    assert done.returncode == 1
    if line:
        assert f"{path}:{line}:" in done.stdout + done.stderr
    else:
        assert str(path) in done.stdout + done.stderr


def test_configuration_that_is_not_there(tmp_path):
    done = run_command("serve", "--config", tmp_path / "none.yaml")
    assert done.returncode == 2
    assert "none.yaml" in done.stderr
    assert run_command("check", "--config", tmp_path / "none.yaml").returncode in (1, 2)


OWNED = [
    "acks", "request.required.acks", "enable.idempotence", "max.in.flight.requests.per.connection", "max.in.flight",
    "retries", "message.send.max.retries", "message.timeout.ms", "delivery.timeout.ms", "transactional.id",
    "enable.gapless.guarantee", "partitioner", "allow.auto.create.topics", "batch.size", "message.max.bytes",
    "reconnect.backoff.max.ms", "socket.timeout.ms", "queue.buffering.max.messages", "queue.buffering.max.kbytes",
    "queue.buffering.max.ms", "linger.ms", "plugin.library.paths",
]


def test_properties_that_the_promises_rest_on_are_refused_with_the_reason(config):
    kafka = "".join(f"  {name}: 1\n" for name in OWNED)
    path = config(FULL.replace("  compression.type: lz4\n", kafka).replace("${BRIDGE_TEST_TOKEN}", TOKEN))
    done = run_command("check", "--config", path)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    for number, name in enumerate(OWNED, FULL.splitlines().index("  compression.type: lz4") + 1):
        line = [line for line in said.splitlines() if f"bridge.yaml:{number}:" in line]
        assert len(line) == 1 and name in line[0], (name, line)
        assert len(line[0].split(": ", 1)[1]) > len(name) + 20, "it says why"


@pytest.mark.parametrize("line", [
    "    auth: { signature: true }", "    auth: { oauth: { issuer: x } }", "    auth: { tokens: [] }",
    "    auth: {}", "    auth: nobody",
])
def test_endpoint_without_a_way_to_authenticate_is_refused(config, line):
    path = config(FULL.replace("    auth: none", line).replace("${BRIDGE_TEST_TOKEN}", TOKEN))
    done = run_command("check", "--config", path)
    assert done.returncode == 1
    number = FULL.splitlines().index("    auth: none") + 1
    assert f"{path}:{number}:" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["UNSET", "file"])
def test_substitution_that_cannot_be_made(config, name, tmp_path):
    text = "${BRIDGE_TEST_UNSET}" if name == "UNSET" else "${file:%s/none}" % tmp_path
    path = config(FULL.replace("${BRIDGE_TEST_TOKEN}", text))
    done = run_command("check", "--config", path)
    assert done.returncode == 1
    number = FULL.splitlines().index('      tokens: [ "${BRIDGE_TEST_TOKEN}" ]') + 1
    assert f"{path}:{number}:" in done.stdout + done.stderr


@pytest.mark.short
def test_topics_are_shown_and_created(broker, reader, prefix, tmp_path):
    settings = {"topics": {"route": "type", "partitions": 2, "custom": [100001], "retention": "7d"}}
    path = tmp_path / "bridge.yaml"
    path.write_text(json.dumps(configuration(broker.bootstrap, prefix, 8080, 8081, settings)))
    shown = run_command("topics", "--config", path)
    assert shown.returncode in (0, 1)
    assert reader.topics(prefix) == {}
    created = run_command("topics", "--config", path, "--create")
    assert created.returncode == 0, created.stderr
    topics = reader.topics(prefix)
    assert len(topics) > 100
    assert topics[prefix + ".activity.custom-100001"] == 2
    assert reader.settings(prefix + ".activity.openemail")["retention.ms"] == str(7 * 86_400_000)
    again = run_command("topics", "--config", path)
    assert again.returncode == 0
    for name in topics:
        for done in (shown, again):
            assert re.search(rf"^{re.escape(name)}\b", done.stdout, re.MULTILINE), name
    reader.forget(prefix)


def test_topics_without_kafka_is_exit_1(prefix, tmp_path):
    port = take_port()
    path = tmp_path / "bridge.yaml"
    path.write_text(json.dumps(configuration(f"127.0.0.1:{port}", prefix, 8080, 8081)))
    assert run_command("topics", "--config", path, "--create").returncode == 1
    release_port(port)


def test_health_asks_a_running_bridge(start_bridge):
    bridge = start_bridge()
    url = f"http://127.0.0.1:{bridge.admin_port}"
    assert run_command("health", "--url", url).returncode == 0
    assert run_command("health", "--url", url + "/health/ready").returncode == 0
    bridge.stop()
    assert run_command("health", "--url", url).returncode == 1


@pytest.mark.short
def test_embedded_kafka(start_bridge):
    """Needs no broker: it brings its own, with a loud warning, and tells where it is."""
    bridge = start_bridge({"kafka": {"bootstrap.servers": ...}}, bootstrap="unused",
                          arguments=("--embedded-kafka",), prefix="embedded")
    assert bridge.logged("embedded", level="warning")
    body, ids = events.activities(20)
    assert bridge.post(ADOBE, body).json()["delivered"] == 20
    bootstrap = bridge.admin("/health/kafka").json()["bootstrap"]
    assert bootstrap.startswith("127.0.0.1:")
    done = subprocess.run(
        ["kcat", "-C", "-q", "-b", bootstrap, "-t", "embedded.activity", "-o", "beginning", "-e", "-f", "%h\\n"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    found = [re.search(r"ce_id=([^,]+)", line).group(1) for line in done.stdout.splitlines()]
    assert found == ids


def test_log_is_logfmt_when_asked_and_has_no_color(start_bridge):
    bridge = start_bridge({"log": {"format": "logfmt", "level": "info"}})
    lines = bridge.log_text().splitlines()
    assert lines
    assert all(re.match(r"time=\S+ level=\w+ msg=", line) for line in lines), lines[:3]


def test_program_needs_no_home_and_no_terminal(tmp_path):
    done = subprocess.run([binary(), "version"], env={}, cwd="/", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, timeout=30, check=True)
    assert done.stdout


def test_port_0_is_told_in_the_log(start_bridge):
    bridge = start_bridge({"listen": [{"address": "127.0.0.1:0"}]})
    port = bridge.logged("listening")[0]["port"]
    assert port not in (0, bridge.admin_port)
    assert http.request(port, "GET", ADOBE).status == 200
