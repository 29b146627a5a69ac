# SPDX-License-Identifier: Apache-2.0
"""A real Apache Kafka, one node in KRaft mode, that tests can stop, kill and bring back."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from confluent_kafka.admin import AdminClient

from harness import ENDS_WITH_US, stop
from harness.ports import release_port, take_port
from harness.waits import eventually

DEFAULT_VERSION = "4.3.1"
_FETCH = pathlib.Path(__file__).parents[2] / "kafka" / "fetch"
_CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"


def kafka_version():
    return os.environ.get("KAFKA_VERSION", DEFAULT_VERSION)


def kafka_libs(version):
    """The folder with that version's jars; they are fetched when they are not there yet."""
    return subprocess.run([_FETCH, version], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Broker:
    def __init__(self, version=None, properties=None):
        self.version = version or kafka_version()
        self._libs = kafka_libs(self.version)
        self.port = take_port()
        self._controller_port = take_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kafka-"))
        self._process = None
        self._write_properties(properties or {})
        self._run_tool("format", "-t", _CLUSTER_ID)

    def _write_properties(self, extra):
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "log.index.size.max.bytes": "262144",
            # A killed broker may come back as soon as its old session has run out.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "num.network.threads": "2",
            "num.io.threads": "2",
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
        }
        properties.update(extra)
        text = "".join(f"{name}={value}\n" for name, value in properties.items())
        (self.folder / "server.properties").write_text(text)
        # Warnings are enough; the binding on the class path reads this form.
        (self.folder / "log4j.properties").write_text(
            "log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
            "log4j.appender.out.layout.ConversionPattern=%d %p %c %m%n\n"
        )

    def _command(self, main, *arguments):
        return [
            "java", "-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
            f"-Dlog4j.configuration=file:{self.folder}/log4j.properties",
            "-cp", f"{self._libs}/*", main, *arguments,
        ]

    def _run_tool(self, *arguments):
        config = ("-c", str(self.folder / "server.properties"))
        done = subprocess.run(
            self._command("kafka.tools.StorageTool", *arguments, *config),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"StorageTool failed:\n{done.stdout}")

    def tool(self, main, *arguments):
        """One of Kafka's own command-line tools, by its class; what it printed."""
        done = subprocess.run(
            self._command(main, "--bootstrap-server", self.bootstrap, *arguments),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start(self, wait=True):
        with open(self.folder / "broker.log", "ab") as log:
            self._process = subprocess.Popen(
                ENDS_WITH_US + self._command("kafka.Kafka", str(self.folder / "server.properties")),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        def answers():
            if self._process.poll() is not None:
                return True
            return len(self.admin().list_topics(timeout=1).brokers) == 1

        eventually(answers, timeout=60, what="Kafka answers", every=0.1)
        if self._process.poll() is not None:
            raise RuntimeError("Kafka ended:\n" + self.log()[-4000:])

    def log(self):
        return (self.folder / "broker.log").read_text(errors="replace")

    def admin(self):
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def pause(self):
        stop(self._process)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def paused(self):
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def kill(self):
        """kill -9: nothing is flushed, the data folder stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        release_port(self.port)
        release_port(self._controller_port)
