# SPDX-License-Identifier: Apache-2.0
"""What schedules are played on: one cluster, bridges that serve many schedules in a row, the load, the verdict."""

import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import threading
import time
from dataclasses import asdict, dataclass, field

from faults import KINDS, NOBODY_THERE, Acting
from proofs import Proofs
from schedule import BATCHES, DEADLINES, STYLES

from harness import http, spawn
from harness.bridge import ACTIVITY, ADOBE, SLOW, Bridge, binary, merge, run_command
from harness.cluster import Cluster
from harness.waits import eventually

PATHS = {"activity-push": ACTIVITY, "adobe-io": ADOBE}
# An answer this long after the endpoint's deadline is late. The senders wait 3 s longer than the default deadlines;
# what is measured here has two cores for brokers, bridge and sender together.
MARGIN = 2.0
# The sender's minutes become halves of seconds.
TIME_SCALE = 0.01
PATIENCE = 90
CONNECTIONS = 32
# What was written to a deleted topic is gone by somebody's will, even if its batch was answered long after, when its
# other topics had confirmed; brokers learn of the deletion one after the other.
DELETION_SHOWS = 2.0
# Faults are what is tested here; with more than that the load goes on after them.
EVENTS_PER_SECOND_MAX = 3000
DISK_MEBIBYTES = 1536
TOPICS_LIVE = 40  # schedules, then new topics: the disk of one broker is small


class Serving(Bridge):
    """A bridge that may be killed and started again on the same port, each time with a log of its own."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.runs = 0
        self.bad_ends = []
        self._wanted = False  # it is to run
        self._lock = threading.RLock()

    def start(self, wait=True):
        if self.log_path.exists():
            self.log_path.rename(self.log_path.with_suffix(f".{self.runs}.log"))
        self.runs += 1
        self.exit_status = None
        self._wanted = True
        return super().start(wait)

    def kill(self):
        with self._lock:
            self._wanted = False
        self.process.kill()
        self.process.wait()

    def end(self):
        """SIGTERM; True when it ended as it should."""
        with self._lock:
            self._wanted = False
        if not self.ended():
            self.signal(signal.SIGTERM)
            try:
                self.wait(40)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode == 0

    def supervise(self):
        """Starts it again when it has ended by itself, as whoever runs it would."""
        with self._lock:
            if self._wanted and self.ended():
                self.bad_ends.append(self.process.returncode)
                self.start()

    def start_again(self):
        with self._lock:
            if self.process.returncode not in (0, -signal.SIGKILL):
                self.bad_ends.append(self.process.returncode)
            self.start()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def rss_kib(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))


@dataclass
class Verdict:
    seed: int
    faults: str
    style: str
    sender: str
    http: str
    sent: int = 0
    acknowledged: int = 0
    lost: int = 0
    late: int = 0
    refused: int = 0
    unfinished: int = 0
    repeated: int = 0
    copies_after: dict = field(default_factory=dict)
    dead_lettered: int = 0
    deleted: int = 0  # acknowledged, and gone with their topic
    no_answer: int = 0
    statuses: dict = field(default_factory=dict)
    slowest_ms: float = 0
    rss_kib: int = 0
    descriptors: int = 0
    seconds: float = 0
    wrong: list = field(default_factory=list)

    def as_json(self):
        return json.dumps(asdict(self))

    def line(self):
        copies = " ".join(f"{cause}:{n}" for cause, n in self.copies_after.items() if n)
        other = "".join(f" {name} {value}" for name, value in (
            ("dead_lettered", self.dead_lettered), ("deleted", self.deleted), ("no_answer", self.no_answer),
            ("unfinished", self.unfinished)) if value)
        statuses = " ".join(f"{status}:{count}" for status, count in self.statuses.items())
        return (
            f"seed {self.seed:<5} {self.faults:<40} {self.sender}/{self.http} {self.style}: sent {self.sent} "
            f"acknowledged {self.acknowledged} lost {self.lost} late {self.late} refused {self.refused} "
            f"twice {self.repeated}{' (' + copies + ')' if copies else ''}{other} answers {statuses} "
            f"slowest {self.slowest_ms / 1000:.1f} s; {self.seconds:.0f} s "
            + ("ok" if not self.wrong else "BROKEN: " + "; ".join(self.wrong))
        )


class Ground:
    def __init__(self, folder, log=print, small_disk=True):
        """small_disk: one that the fault `disk_full` can fill, as far as we may make one."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = log
        self.deleted = {}  # topic -> when
        self._report = None
        self._bridges = {}
        self._clock = self.folder / "clock"
        self._generation = 0
        self._played = 0
        self.serving = None
        self.cluster = Cluster(disk_mebibytes=DISK_MEBIBYTES if small_disk and os.geteuid() == 0 else 0)
        self.proofs = Proofs(self.folder)

    def start(self):
        self.cluster.start()
        return self

    # --- topics and bridges

    @property
    def prefix(self):
        return self.serving.prefix

    def topics(self):
        return sorted({topic for topic, _ in self.cluster.partitions(self.prefix)})

    def _make_bridge(self, style, steppable):
        prefix = f"g{self._generation}-{style}" + ("-clock" if steppable else "")
        self.cluster.allow(prefix)
        endpoints = [
            {"path": PATHS[sender], "sender": sender, "deadline": f"{seconds}s", "auth": self.proofs.asked_of(sender)}
            for sender, seconds in DEADLINES[style].items()
        ]
        settings = merge({
            "endpoints": endpoints, "kafka": self.cluster.client_properties(), "log": {"level": "info"},
            "limits": {"body_time": "3s"}, "shutdown": {"delay": "0s", "grace": "20s"},
        }, STYLES[style])
        folder = self.folder / prefix
        folder.mkdir()
        environment = self._steppable() if steppable else None
        bridge = Serving(folder, self.cluster.outside, prefix, settings, environment=environment)
        bridge.allow_errors = True
        bridge.start()
        eventually(lambda: bridge.admin("/health/kafka").status == 200, 90, "Kafka is ready for the bridge", 0.2)
        self.cluster.wait_in_sync(prefix)
        # The first seconds on new topics are slow for reasons of their own.
        url = f"http://127.0.0.1:{bridge.port}{ADOBE}"
        run_command("simulate", "--url", url, "--sender", "adobe-io", *self.proofs.shown_by("adobe-io"),
                    "--events", 2000, "--time-scale", TIME_SCALE, "--connections", 4, "--patience", "30s", timeout=120)
        return bridge

    def use(self, plan):
        """Its bridge is up. Only schedules that step the clock have a bridge whose clock can be stepped."""
        if self._played and self._played % TOPICS_LIVE == 0:
            self._renew()
        self._played += 1
        kind = plan.style, any(fault.name == "clock" for fault in plan.faults)
        if kind not in self._bridges:
            self._bridges[kind] = self._make_bridge(*kind)
        self.serving = self._bridges[kind]

    def step_clock(self, seconds):
        """The bridge's wall clock is the machine's plus so many seconds from now on."""
        with open(self._clock, "r+b") as offset:
            offset.write(struct.pack("=q", seconds * 10**9))

    def _steppable(self):
        """Environment of a bridge whose clock is ours; see clock.c."""
        library = self.folder / "clock.so"
        if not library.exists():
            subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, pathlib.Path(__file__).with_name("clock.c"),
                            "-ldl"], check=True)
        if not self._clock.exists():  # never made shorter: whoever has mapped it would get a SIGBUS
            self._clock.write_bytes(bytes(8))
        return {"LD_PRELOAD": str(library), "FAULT_CLOCK": str(self._clock)}

    def _renew(self):
        """New topics and bridges: the old ones' data would fill the small disk."""
        for bridge in self._bridges.values():
            self._end_bridge(bridge)
            names = sorted({topic for topic, _ in self.cluster.partitions(bridge.prefix)})
            for future in self.cluster.admin().delete_topics(names, operation_timeout=30).values():
                future.result(60)
        self._bridges = {}
        self._generation += 1

    def _end_bridge(self, bridge):
        wrong = [] if bridge.end() else [f"exit status {bridge.process.returncode} after SIGTERM"]
        bridge.release()
        if wrong:
            self.log(f"bridge {bridge.prefix}: {wrong[0]}")
        return wrong

    # --- one schedule

    def play(self, plan, events, rate_max=EVENTS_PER_SECOND_MAX):
        """The schedule's verdict. Whatever happens, all faults are undone in the end."""
        began = time.monotonic()
        verdict = Verdict(plan.seed, plan.names, plan.style, plan.sender, plan.http)
        self.deleted, self._report = {}, None
        self.use(plan)
        self.serving.bad_ends.clear()
        try:
            report = self._run(plan, min(events / plan.length, rate_max), events, verdict)
            if report is not None:
                self._judge(plan, report, verdict)
            self._judge_bridge(verdict)
        finally:
            self._heal(verdict)
            verdict.seconds = round(time.monotonic() - began, 1)
        if verdict.wrong:
            self._keep(plan, verdict)
        return verdict

    def give_up(self, plan, error):
        """The verdict on a schedule that could not be played to its end."""
        verdict = Verdict(plan.seed, plan.names, plan.style, plan.sender, plan.http)
        verdict.wrong.append(f"it could not be played: {error!r}")
        if self.cluster.is_broken_by_itself():
            verdict.wrong.append("Kafka's controller takes no broker any more, by a fault of its own: play it again")
        self._keep(plan, verdict)
        return verdict

    def _sending(self, plan, connections=CONNECTIONS):
        url = f"http://127.0.0.1:{self.serving.port}{PATHS[plan.sender]}"
        return ["simulate", "--url", url, "--sender", plan.sender, *self.proofs.shown_by(plan.sender),
                "--http", plan.http, "--batch", BATCHES[plan.sender], "--connections", connections, "--seed", plan.seed,
                "--time-scale", TIME_SCALE, "--json"]

    def load(self, plan, seconds, rate=None, connections=CONNECTIONS):
        """What becomes of so many events a second, each sent once; without a rate each batch waits for the one before."""
        more = [] if rate is None else ["--rate", round(rate / BATCHES[plan.sender], 3)]
        done = run_command(*self._sending(plan, connections), *more, "--no-retry", "--duration", f"{seconds}s",
                           timeout=seconds + 90)
        report = json.loads(done.stdout.splitlines()[-1])
        return {"statuses": report["statuses"], "offered_per_second": report["events"] / seconds,
                "delivered_per_second": report["answers"]["delivered"] / max(report["seconds"], seconds)}

    def _load(self, plan, rate, events):
        arguments = [
            *self._sending(plan), "--events", events, "--rate", round(max(rate / BATCHES[plan.sender], 1), 3),
            "--patience", f"{PATIENCE}s",
            "--verify", self.cluster.internal, "--verify-prefix", self.prefix,
            "--deadline", f"{DEADLINES[plan.style][plan.sender] + MARGIN * SLOW}s",
            "--ledger", self._ledger(plan.seed),
        ]
        self._ledger(plan.seed).unlink(missing_ok=True)
        return spawn(
            [binary(), *map(str, arguments)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )

    def _run(self, plan, rate, events, verdict):
        load, supervisor = self._load(plan, rate, events), None
        try:
            eventually(lambda: load.poll() is not None or
                       (self._ledger(plan.seed).exists() and self._ledger(plan.seed).stat().st_size > 32),
                       60, "the load has begun")
            supervisor = Acting(self.serving.supervise, 0.2)
            self._act(plan, verdict)
            stdout, stderr = load.communicate(timeout=PATIENCE * 2 + 120)
        except (subprocess.TimeoutExpired, AssertionError) as error:
            verdict.wrong.append(f"the load did not end: {error}")
            return None
        finally:
            if load.poll() is None:
                load.kill()
                load.communicate()
            if supervisor:
                supervisor.end()
        if load.returncode not in (0, 1) or not stdout.strip():
            verdict.wrong.append(f"the load failed with {load.returncode}: {stderr.strip()[-500:]}")
            return None
        report = json.loads(stdout.splitlines()[-1])
        self._report = report
        if "verified" not in report:
            verdict.wrong.append(f"nothing was verified: {stderr.strip()[-500:]}")
            return None
        return report

    def _act(self, plan, verdict):
        """Begins and ends each fault in time, whatever the others are waiting for."""
        zero = time.monotonic()

        def last(fault):
            made, doing = KINDS[fault.name](self, fault), "begun"
            try:
                time.sleep(fault.start)
                made.begin()
                time.sleep(max(0.0, zero + fault.end - time.monotonic()))
                doing = "ended"
                made.end()
            except Exception as error:  # a fault that cannot be made is no verdict on the bridge, but must be seen
                verdict.wrong.append(f"{fault.name} could not be {doing}: {error!r}")

        threads = [threading.Thread(target=last, args=(fault,), daemon=True) for fault in plan.faults]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # --- what came of it

    def _judge(self, plan, report, verdict):
        verified = report["verified"]
        for name in ("sent", "acknowledged", "late", "refused", "repeated", "copies_after", "dead_lettered"):
            setattr(verdict, name, verified[name])
        verdict.unfinished = verified["unfinished"] + max(0, report["events"] - verified["sent"])
        verdict.no_answer = verified["no_answer"]
        verdict.statuses = report["statuses"]
        verdict.slowest_ms = verified["latency_ms"]["max"]
        verdict.deleted = sum(self._went_with_its_topic(event) for event in verified["missing_events"])
        verdict.lost = verified["missing"] - verdict.deleted
        wrong = verdict.wrong
        if verdict.lost:
            wrong.append(f"{verdict.lost} acknowledged events are lost")
        if verdict.late:
            wrong.append(f"{verdict.late} answers were late")
        if verdict.refused:
            wrong.append(f"{verdict.refused} valid events were refused for good")
        if verdict.unfinished:
            wrong.append(f"{verdict.unfinished} events were not delivered in the end")
        nobody_there = self.serving.bad_ends or NOBODY_THERE & {fault.name for fault in plan.faults}
        if verdict.no_answer and not nobody_there:
            wrong.append(f"{verdict.no_answer} requests had no answer ({report.get('no_answer')})")
        if not set(report["statuses"]) <= {"200", "503", "504", "none"}:
            wrong.append(f"answers {report['statuses']}")

    def _went_with_its_topic(self, event):
        when = self.deleted.get(f"{self.prefix}.{event['type']}")
        return when is not None and event["sent_ms"] <= (when + DELETION_SHOWS) * 1000

    def _judge_bridge(self, verdict):
        bridge, wrong = self.serving, verdict.wrong
        if bridge.bad_ends:
            wrong.append(f"the bridge ended by itself with {bridge.bad_ends}")
        if bridge.ended():
            wrong.append(f"the bridge ended by itself with {bridge.process.returncode}")
            return
        try:
            eventually(lambda: bridge.metrics().sum("in_flight_events") == 0, 40, "nothing is in flight any more")
            if bridge.admin("/health/live").status != 200:
                wrong.append("not live")
        except (AssertionError, OSError, http.Closed) as error:
            wrong.append(str(error))
        verdict.rss_kib, verdict.descriptors = bridge.rss_kib(), bridge.descriptors()
        try:
            bridge.check_log()
        except AssertionError as error:
            wrong.append(str(error)[:500])

    def _heal(self, verdict):
        self.cluster.heal()
        self.proofs.heal()
        if self._clock.exists():
            self.step_clock(0)
        if self.serving.ended():
            self.serving.start()
        self.cluster.wait_up()
        self.cluster.wait_in_sync(self.prefix)
        try:
            eventually(lambda: self.serving.admin("/health/kafka").status == 200, 60, "Kafka is ready for the bridge")
        except AssertionError as error:
            verdict.wrong.append(str(error))
        if not verdict.wrong:
            self._ledger(verdict.seed).unlink(missing_ok=True)

    def _ledger(self, seed):
        return self.folder / f"ledger-{seed}"

    def _keep(self, plan, verdict):
        """What is needed to find the cause."""
        kept = self.folder / f"broken-{plan.seed}"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        told = {"plan": repr(plan), **asdict(verdict), "report": self._report, "deleted_topics": self.deleted}
        (kept / "verdict.json").write_text(json.dumps(told, indent=2))
        for log in self.serving.folder.glob("bridge*.log") if self.serving else ():
            shutil.copy(log, kept)
        for node in self.cluster.nodes:
            shutil.copy(node.folder / "broker.log", kept / f"broker-{node.number}.log")

    def close(self):
        wrong = []
        try:
            for bridge in self._bridges.values():
                wrong += self._end_bridge(bridge)
        finally:
            self.proofs.close()
            self.cluster.close()
        return wrong
