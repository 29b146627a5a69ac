# SPDX-License-Identifier: Apache-2.0
"""Three real Kafka brokers, each a process with a data folder of its own, combined with the controllers.

Clients under test come in by EXTERNAL, through a proxy for each broker, as user `bridge`; the tests themselves and
the brokers among each other use INTERNAL, so that a cut network or a right that was taken away does not blind them."""

import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading

from confluent_kafka.admin import AdminClient

from harness import spawn, stop, wire
from harness.broker import kafka_libs, kafka_version
from harness.ports import release_port, take_port
from harness.tcp_proxy import Loop, Proxy
from harness.waits import eventually

NODES = (1, 2, 3)
USER, PASSWORD = "bridge", "secret-of-the-bridge"
_CLUSTER_ID = "Q0xVU1RFUjNOT0RFUzEyMw"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


class Disk:
    """A small disk that can be filled: a tmpfs in a mount namespace of its own, held by a process."""

    def __init__(self, folder, mebibytes):
        folder.mkdir(exist_ok=True)
        script = 'mount -t tmpfs -o "size=$1m" none "$2" && echo mounted && exec sleep infinity'
        self._holder = spawn(
            ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", script, "-",
             str(mebibytes), str(folder)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        )
        if self._holder.stdout.readline() != b"mounted\n":
            self.close()
            raise RuntimeError("no mount namespace with a tmpfs: only root may make one")
        self.prefix = ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "--"]
        self.path = pathlib.Path(f"/proc/{self._holder.pid}/root{folder}")
        self._filler = self.path / "filler"

    def fill(self):
        """To the last page, however busily somebody else writes there."""
        with open(self._filler, "wb") as filler:
            size = 0
            for piece in (1 << 24, 1 << 20, 1 << 16, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        os.posix_fallocate(filler.fileno(), size, piece)
                        size += piece

    def empty(self):
        self._filler.unlink(missing_ok=True)

    def used_share(self):
        usage = shutil.disk_usage(self.path)
        return usage.used / usage.total

    def close(self):
        self._holder.kill()
        self._holder.wait()
        self._holder.stdout.close()


class Archive:
    """The classes of a broker as the JVM has loaded them once: with it a broker starts in half the time.

    Written by the first broker that ends cleanly, used from then on; a JVM that it does not fit ignores it."""

    def __init__(self, libs):
        java = pathlib.Path(shutil.which("java")).resolve()
        self._path = pathlib.Path(libs).parent / f"classes-{java.stat().st_mtime_ns:x}.jsa"
        self._fresh = None

    def options(self, folder):
        if self._path.exists():
            return [f"-XX:SharedArchiveFile={self._path}"]
        if self._fresh is None:
            self._fresh = folder / "classes.jsa"
            return [f"-XX:ArchiveClassesAtExit={self._fresh}"]
        return []

    def keep(self):
        """When the broker that had to write it has ended."""
        if self._fresh is not None and self._fresh.exists():
            part = self._path.with_suffix(f".{os.getpid()}")
            shutil.copyfile(self._fresh, part)
            part.rename(self._path)

    def writer(self):
        """The folder of the broker that is to write it, or None."""
        return self._fresh.parent if self._fresh is not None and not self._path.exists() else None


class Node:
    def __init__(self, number, folder, libs, archive):
        self.number = number
        self.folder = folder / str(number)
        self.folder.mkdir()
        self.internal, self.external, self.controller, self.outside = (take_port() for _ in range(4))
        self.stopped = False
        self.disk = None
        self._libs = libs
        self._archive = archive
        self._process = None
        self._lock = threading.RLock()  # a rolling restart, a fault and who looks after brokers may meet here

    def data(self):
        return self.folder / "data" if self.disk is None else self.disk.path

    def java(self, main, *arguments, options=()):
        return [
            *(self.disk.prefix if self.disk else ()), "java", *options, "-Xmx320m", "-Xms96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
            "-XX:-UsePerfData", f"-Dlog4j.configuration=file:{self.folder}/log4j.properties",
            "-cp", f"{self._libs}/*", main, *arguments,
        ]

    def running(self):
        return self._process is not None and self._process.poll() is None

    def answers(self):
        return self.running() and not self.stopped

    def start(self):
        """Unless it runs."""
        with self._lock:
            if self.running():
                return
            options = self._archive.options(self.folder)
            with open(self.folder / "broker.log", "ab") as log:
                self._process = spawn(
                    self.java("kafka.Kafka", str(self.folder / "server.properties"), options=options),
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )
            self.stopped = False

    def look_after(self):
        """Starts it again when it has ended by itself, not when somebody has killed it."""
        with self._lock:
            if self._process is not None and self._process.poll() is not None:
                self.start()

    def pause(self):
        stop(self._process)
        self.stopped = True

    def resume(self):
        if self.running():
            self._process.send_signal(signal.SIGCONT)
        self.stopped = False

    def kill(self):
        """kill -9: nothing is flushed, the data folder stays."""
        with self._lock:
            if self._process is not None:
                self.resume()
                self._process.kill()
                self._process.wait()
                self._process = None

    def terminate(self, timeout=40):
        """A clean end: the leaders move away first."""
        with self._lock:
            self.resume()
            self._process.terminate()
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def pid(self):
        return self._process.pid

    def log(self):
        return (self.folder / "broker.log").read_text(errors="replace")

    def release(self):
        for port in (self.internal, self.external, self.controller, self.outside):
            release_port(port)


class Cluster:
    def __init__(self, version=None, properties=None, disk_mebibytes=0):
        """disk_mebibytes: the last broker's data folder is a disk of that size; needs root."""
        self.version = version or kafka_version()
        libs = kafka_libs(self.version)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kafka-cluster-"))
        self._archive = Archive(libs)
        self.nodes = [Node(number, self.folder, libs, self._archive) for number in NODES]
        if disk_mebibytes:
            self.nodes[-1].disk = Disk(self.nodes[-1].folder / "data", disk_mebibytes)
        self.internal = ",".join(f"127.0.0.1:{node.internal}" for node in self.nodes)
        self.outside = ",".join(f"127.0.0.1:{node.outside}" for node in self.nodes)
        self._loop = Loop()
        self.proxies = [Proxy(self._loop, node.outside, node.external) for node in self.nodes]
        self._admin = None
        self._turn = 0
        for node in self.nodes:
            self._write_properties(node, properties or {})

    def _write_properties(self, node, extra):
        properties = {
            "process.roles": "broker,controller",
            "node.id": node.number,
            "listeners": f"INTERNAL://127.0.0.1:{node.internal},EXTERNAL://127.0.0.1:{node.external},"
                         f"CONTROLLER://127.0.0.1:{node.controller}",
            "advertised.listeners": f"INTERNAL://127.0.0.1:{node.internal},EXTERNAL://127.0.0.1:{node.outside}",
            "inter.broker.listener.name": "INTERNAL",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": ",".join(f"{n.number}@127.0.0.1:{n.controller}" for n in self.nodes),
            "listener.security.protocol.map": "INTERNAL:PLAINTEXT,EXTERNAL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "listener.name.external.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.external.plain.sasl.jaas.config": f'{_PLAIN} required user_{USER}="{PASSWORD}";',
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "log.dirs": node.folder / "data",
            "default.replication.factor": 3,
            "min.insync.replicas": 2,
            "auto.create.topics.enable": "false",
            # A broker that is gone is out after 3 s, and may come back as soon as its old session is over.
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            "replica.lag.time.max.ms": 6000,
            "controlled.shutdown.retry.backoff.ms": 200,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.num.partitions": 1,
            # Little of everything: three of them share the machine with what they are there for.
            "log.index.size.max.bytes": 262144,
            "log.cleaner.dedupe.buffer.size": 2097152,
            "log.segment.delete.delay.ms": 1000,
            "num.network.threads": 1,
            "num.io.threads": 2,
            "background.threads": 2,
            "num.recovery.threads.per.data.dir": 1,
        }
        properties.update(extra)
        text = "".join(f"{name}={value}\n" for name, value in properties.items())
        (node.folder / "server.properties").write_text(text)
        (node.folder / "log4j.properties").write_text(
            "log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
            "log4j.appender.out.layout.ConversionPattern=%d %p %c %m%n\n"
        )

    def _format(self, node):
        done = subprocess.run(
            node.java("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID,
                      "-c", str(node.folder / "server.properties")),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"StorageTool failed:\n{done.stdout}")

    def start(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(self._format, self.nodes))
        for node in self.nodes:
            node.start()
        self.wait_up()
        return self

    # --- who is there

    def node(self, number):
        return self.nodes[number - 1]

    def admin(self):
        """One for the life of the cluster: clients whose brokers went away can take for ever to destroy."""
        if self._admin is None:
            self._admin = AdminClient({
                "bootstrap.servers": self.internal, "log_level": 0, "reconnect.backoff.max.ms": 500,
                "topic.metadata.refresh.interval.ms": -1,
            })
        return self._admin

    def any_port(self):
        """The internal port of a broker that answers; another one each time."""
        self._turn += 1
        for i in range(3):
            node = self.nodes[(self._turn + i) % 3]
            if node.answers():
                return node.internal
        raise RuntimeError("no broker answers")

    def call(self, request, *arguments):
        """A request of wire.py to whichever broker answers, until one has taken it."""
        return eventually(lambda: (request(self.any_port(), *arguments), True), 60, f"{request.__name__} is taken", 0.2)

    def look_after(self):
        for node in self.nodes:
            node.look_after()

    def wait_up(self, timeout=60):
        """Each broker lists all the others: else topics with three replicas are refused at first. Those that have ended
        are started again, as whoever runs them would: Kafka's controller sometimes fails a registration for good. And
        those whose end has got stuck are killed."""
        try:
            self._wait_listed(timeout)
        except AssertionError:
            for node in self.nodes:
                node.kill()
            self._wait_listed(timeout)

    def is_broken_by_itself(self):
        """Seen with Kafka 4.3.1: after topics were deleted and a broker was killed, every controller fails on that broker's
        registration, also when all are started again."""
        return any("existed in isrMembers, but not in the topics map" in node.log() for node in self.nodes)

    def _wait_listed(self, timeout):
        eventually(self._all_list_all, timeout, "each broker lists all brokers", 0.1)

    def _all_list_all(self):
        ended = [node for node in self.nodes if not node.running()]
        for node in ended:
            node.start()
        if ended:
            raise RuntimeError("".join(f"broker {node.number} had ended:\n{node.log()[-4000:]}" for node in ended))
        return all(wire.brokers(node.internal) == set(NODES) for node in self.nodes)

    def controller(self):
        """Number of the active controller, as the nodes themselves have noted it."""
        found = []
        for node in self.nodes:
            state = node.data() / "__cluster_metadata-0/quorum-state"
            try:
                told = json.loads(state.read_text())
            except (OSError, ValueError):
                continue
            found.append((told.get("leaderEpoch", -1), told.get("leaderId", -1)))
        leaders = collections.Counter(leader for epoch, leader in found if epoch == max(found)[0] and leader > 0)
        return leaders.most_common(1)[0][0] if leaders else None

    def partitions(self, prefix):
        """(topic, partition) -> metadata, of the topics under the prefix."""
        found = self.admin().list_topics(timeout=10).topics
        return {
            (name, number): partition
            for name, topic in found.items() if name.startswith(prefix + ".")
            for number, partition in topic.partitions.items()
        }

    def behind(self, prefix):
        """Partitions that have no leader or not all replicas in sync."""
        return [place for place, one in self.partitions(prefix).items()
                if one.leader < 0 or len(one.isrs) < len(one.replicas)]

    def wait_in_sync(self, prefix, timeout=90):
        def in_sync():
            left = self.behind(prefix)
            if left:
                raise RuntimeError(f"{len(left)} partitions are not in sync, {left[0]} is one")
            return True

        eventually(in_sync, timeout, "all replicas are in sync", 0.2)

    # --- rights of the client under test

    def allow(self, prefix):
        """What README asks for: topics of the prefix, and to make them."""
        self.call(wire.allow, f"User:{USER}", [
            *((wire.TOPIC, prefix, wire.PREFIXED, one)
              for one in (wire.WRITE, wire.DESCRIBE, wire.CREATE, wire.DESCRIBE_CONFIGS)),
            (wire.CLUSTER, "kafka-cluster", wire.LITERAL, wire.IDEMPOTENT_WRITE),
            (wire.CLUSTER, "kafka-cluster", wire.LITERAL, wire.DESCRIBE_CONFIGS),
        ])

    def client_properties(self):
        """For librdkafka, through the proxies."""
        return {
            "bootstrap.servers": self.outside, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "PLAIN",
            "sasl.username": USER, "sasl.password": PASSWORD,
        }

    # --- the end

    def heal(self):
        """Everything that was done to processes and network is undone; brokers that are gone are started."""
        for proxy in self.proxies:
            proxy.heal()
        for node in self.nodes:
            node.resume()
            if not node.running():
                node.start()

    def memory_kib(self):
        total = 0
        for node in self.nodes:
            if node.running():
                text = pathlib.Path(f"/proc/{node.pid()}/status").read_text()
                total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))
        return total

    def close(self):
        for node in self.nodes:
            if node.running() and node.folder == self._archive.writer():
                node.terminate()
                self._archive.keep()
            node.kill()
            if node.disk:
                node.disk.close()
        for proxy in self.proxies:
            proxy.close()
        self._loop.close()
        for node in self.nodes:
            node.release()
        shutil.rmtree(self.folder, ignore_errors=True)
