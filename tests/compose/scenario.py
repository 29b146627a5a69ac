#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is tested of docker-compose.yml, in this order, against an engine that runs; tests/compose/run calls it.

    scenario.py RESULT      the counts go to the file RESULT

Every step builds on the ones before, so the first that fails ends it."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from confluent_kafka.admin import AdminClient  # noqa: E402

from harness import http  # noqa: E402
from harness.bridge import ACTIVITY, binary, run_command  # noqa: E402
from harness.ports import take_port  # noqa: E402
from harness.records import Reader  # noqa: E402
from harness.waits import eventually  # noqa: E402


def free_port(default):
    """The compose file's own port, or another when something else listens there."""
    with socket.socket() as probe:
        return take_port() if probe.connect_ex(("127.0.0.1", default)) == 0 else default


PORTS = {
    name: free_port(default)
    for name, default in {"BRIDGE_PORT": 8080, "ADMIN_PORT": 9464, "KAFKA_PORT": 29092, "BALANCER_PORT": 8090}.items()
}
ENVIRONMENT = {**os.environ, **{name: str(port) for name, port in PORTS.items()}}
BOOTSTRAP = f"localhost:{PORTS['KAFKA_PORT']}"
PREFIX = "marketo"
# Adobe's endpoint for those who cannot sign as Adobe does, and its own.
ADOBE, SIGNED = "/try/adobe", "/adobe/events"
# A minute before a retry becomes 0.6 s.
HASTE = ("--time-scale", "0.01")
UP_SECONDS = 120
# Service and the volume that it has to keep.
VOLUMES = {"kafka": "/var/lib/kafka/data", "token": "/var/lib/marketo-bridge"}


class Host:
    """Kafka as consumers on the host see it, for the reader of the end-to-end tests."""

    bootstrap = BOOTSTRAP

    @staticmethod
    def admin():
        return AdminClient({"bootstrap.servers": BOOTSTRAP, "log_level": 0})


def run(*command, fails=False, timeout=180):
    """Standard output of a command; an error with all it said when it ends otherwise than expected."""
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
    )
    assert (done.returncode != 0) == fails, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def compose(*arguments, **options):
    return run("docker-compose", *arguments, **options)


def inside(*command, service="bridge", **options):
    return compose("exec", "-T", service, *command, **options)


def container(service):
    """What the engine knows of the service's container."""
    return json.loads(run("docker", "inspect", compose("ps", "-q", service).strip()))[0]


def archive_volume(service, path, *words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
    subprocess.run(
        ["docker-compose", "run", "--rm", "--no-deps", "-T", "--entrypoint", "tar", service, "-C", path, *words],
        cwd=ROOT, env=ENVIRONMENT, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, timeout=120, check=True,
    )


def show_token():
    return compose("run", "--rm", "-T", "token", "show").strip()


def get(path, port="ADMIN_PORT"):
    return http.request(PORTS[port], "GET", path, timeout=10)


def kafka_is_well():
    answer = get("/health/kafka")
    assert answer.status == 200, answer.body
    return True


def post(path, body, token, port="BRIDGE_PORT"):
    headers = [("Authorization", f"Bearer {token}"), ("Content-Type", "application/json")]
    return http.request(PORTS[port], "POST", path, headers, body)


def simulate(sender, munchkin, token, *options, port="BRIDGE_PORT"):
    path = ACTIVITY if sender == "activity-push" else ADOBE
    return ("simulate", "--url", f"http://127.0.0.1:{PORTS[port]}{path}", "--sender", sender, "--token", token,
            "--munchkin-id", munchkin, "--json", *map(str, options))


class Load:
    """A sender that keeps posting while something happens to the receiver."""

    def __init__(self, reader, munchkin, token, seconds, port="BRIDGE_PORT"):
        """Returns when its first records are in Kafka."""
        self._reader = reader
        self._munchkin = munchkin
        self._before = reader.ends(PREFIX)
        self._process = subprocess.Popen(
            [binary(), *simulate("adobe-io", munchkin, token, "--rate", 40, "--duration", f"{seconds}s",
                                 "--patience", "90s", *HASTE, port=port)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        eventually(lambda: reader.ends(PREFIX) != self._before, 20, "a record of the load")

    def disturb(self, *command):
        """Runs docker-compose and gives how long it took."""
        assert self._process.poll() is None, "the load ended before it was disturbed"
        since = time.monotonic()
        compose(*command)
        return time.monotonic() - since

    def ends(self):
        """Its report, after holding it against what Kafka has."""
        out, errors = self._process.communicate(timeout=180)
        assert self._process.returncode == 0, f"{out}{errors}"
        report = json.loads(out.splitlines()[-1])
        assert report["refused"] == report["unfinished"] == 0, report
        assert report["delivered_events"] == report["events"] > 0, report
        records = self._reader.read(PREFIX, self._before, timeout=60)
        ids = {(record.topic, record.header("ce_id")) for record in records if owner(record) == self._munchkin}
        assert len(ids) == report["events"], f"{len(ids)} different records of {report['events']} events"
        return report


def owner(record):
    """The subscription that a record's key begins with."""
    return record.key.split(b":")[0].decode() if record.key else None


class Scenario:
    def __init__(self):
        self.token = None
        self.reader = None
        self.events = 0

    def count(self):
        return sum(self.reader.counts(PREFIX).values())

    def step_configuration(self):
        """docker-compose takes the file, with and without its profiles"""
        compose("config", "-q")
        compose("--profile", "replicas", "--profile", "observability", "config", "-q")

    def step_up(self):
        """up with no preparation: all topics there, everything healthy"""
        since = time.monotonic()
        compose("up", "-d", "--no-build")
        eventually(lambda: get("/health/ready").status == 200, UP_SECONDS, "the bridge is ready", every=0.2)
        eventually(kafka_is_well, UP_SECONDS, "every topic is there", every=0.2)
        seconds = time.monotonic() - since
        for service in ("kafka", "bridge"):
            eventually(lambda: container(service)["State"]["Health"]["Status"] == "healthy", 30, service, every=0.5)
        self.reader = Reader(Host)
        return f"{seconds:.1f} s to ready with {len(self.reader.topics(PREFIX))} topics"

    def step_token(self):
        """a random token, shown on request, not in any log, asked for"""
        self.token = show_token()
        assert re.fullmatch("[0-9a-f]{64}", self.token), self.token
        compose("up", "-d", "--no-build")
        assert show_token() == self.token, "a second start made another token"
        assert self.token not in compose("logs", "--no-color")
        assert "docker compose run --rm token show" in compose("logs", "--no-color", "token")
        for path in (ACTIVITY, ADOBE):
            assert post(path, b"[]", "another-token").status == 401
            assert post(path, b"[]", self.token).status == 200
        assert post(SIGNED, b"[]", self.token).status == 401, "no signature"

    def step_locked(self):
        """user 65532, no capability, no new privileges, nothing writable but /tmp"""
        status = dict(line.split(":\t", 1) for line in inside("cat", "/proc/1/status").splitlines() if ":\t" in line)
        assert status["Name"] == "marketo-bridge", status["Name"]
        assert set(status["Uid"].split() + status["Gid"].split()) == {"65532"}, status["Uid"]
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0, status
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        # By the mounts: as this user a touch would fail on a writable root too.
        mounts = dict(line.split()[1:4:2] for line in inside("cat", "/proc/1/mounts").splitlines())
        for folder in ("/", "/etc/marketo-bridge", "/var/lib/marketo-bridge"):
            assert mounts[folder].split(",")[0] == "ro", f"{folder} is {mounts[folder]}"
        inside("touch", "/var/lib/marketo-bridge/written", fails=True)
        inside("touch", "/tmp/written")
        assert inside("stat", "-c", "%a %u", "/var/lib/marketo-bridge/token") == "600 65532\n"
        inside("marketo-bridge", "check", "--config", "bridge.yaml")
        known = container("bridge")
        assert known["Config"]["StopTimeout"] == 35
        assert known["HostConfig"]["Memory"] == 768 << 20
        assert known["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"

    def step_loopback(self):
        """whatever is published, is on loopback"""
        published = []
        for name in run("docker", "ps", "-q").split():
            ports = json.loads(run("docker", "inspect", name))[0]["NetworkSettings"]["Ports"]
            published += [binding["HostIp"] for bindings in ports.values() for binding in bindings or ()]
        assert published and set(published) == {"127.0.0.1"}, published

    def step_samples(self):
        """Adobe's published samples, all streams, posted from the host"""
        for sample in sorted((ROOT / "schemas" / "samples").rglob("*.json")):
            answer = post(ACTIVITY if "wrapper" in sample.name else ADOBE, sample.read_bytes(), self.token)
            assert answer.status == 200, f"{sample.name}: {answer.body}"
            self.events += answer.json()["events"]
        assert self.count() == self.events, f"{self.count()} records of {self.events} events"
        return f"{self.events} events"

    def step_senders(self):
        """both senders, all streams; read back on the host: no record more, none less"""
        for sender, munchkin in (("activity-push", "111-AAA-111"), ("adobe-io", "222-BBB-222")):
            done = run_command(*simulate(sender, munchkin, self.token, "--events", 20000), timeout=120)
            assert done.returncode == 0, f"{done.stdout}{done.stderr}"
            report = json.loads(done.stdout.splitlines()[-1])
            assert report["answers"]["delivered"] == report["delivered_events"] == 20000, report
            self.events += 20000
        records = self.reader.read(PREFIX, timeout=60)
        assert len(records) == self.events, f"{len(records)} records of {self.events} events"
        streams = {record.topic.split(".")[1] for record in records}
        assert streams == {"activity", "audit", "notification", "observability", "deadletter"}, streams
        ids = {(record.topic, record.header("ce_id")) for record in records if owner(record) == "222-BBB-222"}
        assert len(ids) == 20000, len(ids)
        line = run("kcat", "-C", "-q", "-b", BOOTSTRAP, "-t", f"{PREFIX}.activity.openemail", "-o", "beginning",
                   "-c", "1", "-e", "-f", "%k %h %s")
        assert "ce_type=" in line and '"specversion":"1.0"' in line, line
        return f"{len(records)} records in {len({record.topic for record in records})} topics"

    def step_other_container(self):
        """the same records, read by Kafka's own consumer in another container"""
        topic = f"{PREFIX}.activity.openemail"
        wanted = [record.value.decode() for record in self.reader.read(topic)]
        (network,) = container("kafka")["NetworkSettings"]["Networks"]
        read = run("docker", "run", "--rm", "--network", network, "apache/kafka:4.3.1",
                   "/opt/kafka/bin/kafka-console-consumer.sh", "--bootstrap-server", "kafka:9092", "--topic", topic,
                   "--partition", "0", "--offset", "earliest", "--max-messages", len(wanted), "--timeout-ms", "30000")
        assert read == "".join(f"{value}\n" for value in wanted)
        return f"{len(wanted)} records"

    def step_idle(self):
        """memory at rest"""
        return run("docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}").strip().replace("\n", ", ")

    def step_restart(self):
        """the bridge is restarted under load: every event arrives"""
        load = Load(self.reader, "333-CCC-333", self.token, 15)
        seconds = load.disturb("restart", "bridge")
        report = load.ends()
        assert seconds < 35, f"the restart took {seconds} s, so the bridge was killed"
        assert report["retries"] > 0, report
        return f"{report['events']} events, {report['retries']} retries, restarted in {seconds:.1f} s"

    def step_kafka_away(self):
        """Kafka is stopped and started under load: 503 or 504 meanwhile, every event arrives"""
        load = Load(self.reader, "444-DDD-444", self.token, 25)
        load.disturb("stop", "kafka")
        since = time.monotonic()
        answer = post(ADOBE, (ROOT / "schemas" / "samples" / "activity-batch.json").read_bytes(), self.token)
        assert answer.status in (503, 504), answer
        assert answer.header("retry-after") == "5" and answer.header("x-request-id"), answer
        assert time.monotonic() - since < 8, answer.seconds
        assert get("/health/ready").status == 200
        assert get("/health/kafka").status == 503
        inside("marketo-bridge", "health")
        compose("start", "kafka")
        started = time.monotonic()
        eventually(kafka_is_well, 60, "Kafka is back", every=0.2)
        back = time.monotonic() - started
        report = load.ends()
        assert report["retries"] > 0 and {"503", "504"} & set(report["statuses"]), report
        return f"{report['events']} events, {report['retries']} retries, answered {report['statuses']}, back in {back:.1f} s"

    def step_down_up(self):
        """down and up again: every record, the topics and the token are still there"""
        before = self.reader.counts(PREFIX)
        since = time.monotonic()
        compose("down")
        down = time.monotonic() - since
        assert run("docker", "ps", "-aq") == ""
        since = time.monotonic()
        compose("up", "-d", "--no-build")
        eventually(kafka_is_well, UP_SECONDS, "every topic is there", every=0.2)
        up = time.monotonic() - since
        self.reader = Reader(Host)
        assert self.reader.counts(PREFIX) == before
        assert show_token() == self.token
        since = self.reader.ends(PREFIX)
        sample = (ROOT / "schemas" / "samples" / "activity-batch.json").read_bytes()
        assert post(ADOBE, sample, self.token).json()["delivered"] == 2
        assert len(self.reader.read(PREFIX, since)) == 2
        return f"{sum(before.values())} records; down {down:.1f} s, up {up:.1f} s"

    def step_backup(self):
        """the README's backup, put back after everything was deleted"""
        before = self.reader.counts(PREFIX)
        compose("stop")
        with tempfile.TemporaryDirectory() as folder:
            for service, path in VOLUMES.items():
                with open(f"{folder}/{service}.tar", "wb") as archive:
                    archive_volume(service, path, "-c", ".", stdout=archive)
            compose("down", "-v")
            assert run("docker", "volume", "ls", "-q", "--filter", "label=com.docker.compose.project") == ""
            for service, path in VOLUMES.items():
                with open(f"{folder}/{service}.tar", "rb") as archive:
                    archive_volume(service, path, "-x", stdin=archive)
        compose("up", "-d", "--no-build")
        eventually(kafka_is_well, UP_SECONDS, "every topic is there", every=0.2)
        self.reader = Reader(Host)
        assert self.reader.counts(PREFIX) == before
        assert show_token() == self.token
        return f"{sum(before.values())} records"

    def step_replicas(self):
        """profile replicas: each bridge in turn is restarted under load behind the balancer"""
        compose("--profile", "replicas", "up", "-d", "--no-build")
        eventually(lambda: post(ADOBE, b"[]", self.token, "BALANCER_PORT").status == 200, 30, "the balancer", every=0.2)
        eventually(lambda: container("bridge-2")["State"]["Health"]["Status"] == "healthy", 40, "bridge-2", every=0.5)
        load = Load(self.reader, "555-EEE-555", self.token, 30, "BALANCER_PORT")
        load.disturb("restart", "bridge")
        eventually(lambda: get("/health/ready").status == 200, 30, "the bridge is ready", every=0.1)
        load.disturb("--profile", "replicas", "restart", "bridge-2")
        report = load.ends()
        return f"{report['events']} events, {report['retries']} retries"

    def step_logs(self):
        """no token and no payload in any log"""
        said = compose("--profile", "replicas", "logs", "--no-color")
        assert self.token not in said
        assert "specversion" not in said and "leadId" not in said


def main():
    scenario = Scenario()
    passed = failed = 0
    for name in [name for name in vars(Scenario) if name.startswith("step_")]:
        step = getattr(scenario, name)
        since = time.monotonic()
        try:
            words = step()
        except Exception:  # any: it is shown, and counts
            failed += 1
            print(f"FAIL  {step.__doc__}")
            traceback.print_exc(file=sys.stdout)
            subprocess.run("docker-compose --profile replicas ps; docker-compose --profile replicas logs --no-color --tail 15",
                           shell=True, env=ENVIRONMENT, cwd=ROOT, stderr=subprocess.STDOUT, check=False)
            break
        passed += 1
        print(f"ok    {step.__doc__} ({time.monotonic() - since:.1f} s){': ' + words if words else ''}", flush=True)
    pathlib.Path(sys.argv[1]).write_text(f"{passed} passed, {failed} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
