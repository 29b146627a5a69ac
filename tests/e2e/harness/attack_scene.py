# SPDX-License-Identifier: Apache-2.0
"""A bridge with a good sender, and what an attack costs both."""

import dataclasses
import json
import os
import pathlib
import re
import time

from harness.attacks import ATTACKS, Storm
from harness.bridge import ACTIVITY, TOKEN
from harness.simulation import Simulation
from harness.waits import eventually

REASON = re.compile(r'reason="(\w+)"')


@dataclasses.dataclass
class Cost:
    """Memory in KiB, latency in ms."""

    name: str
    before: int
    peak: int
    after: int
    back: float  # seconds until memory was back, or given up on
    descriptors: tuple
    report: dict  # of the good sender
    guard: dict   # reason -> how often
    stray: int    # lines on standard error that are none of the log's
    connections: int
    answers: dict
    attacks: list

    @property
    def counted(self):
        """By one of its reasons. Many at once get in each other's way, and need not all come so far."""
        wanted = set(self.attacks[0].counted)
        return not wanted or len(self.attacks) > 1 or bool(wanted & set(self.guard))

    def wrong(self, peak_mib):
        allowed = {"200", "503"} if any(one.spoils for one in self.attacks) else {"200"}
        if not set(self.report["statuses"]) <= allowed:
            yield f"the good sender got {self.report['statuses']}"
        if self.peak > peak_mib * 1024:
            yield f"{self.peak // 1024} MiB"
        if self.after > back_at(self.before):
            yield f"memory stays at {self.after // 1024} MiB, it was {self.before // 1024}"
        if self.descriptors[1] > self.descriptors[0]:
            yield f"descriptors {self.descriptors}"
        if self.stray:
            yield f"{self.stray} lines on standard error"
        if not self.counted:
            yield f"the guard counted {self.guard}"
        if self.name == "smuggling":
            yield from (f"answered: {one}" for one in self.answers if "," in one.rpartition(":")[2] or one.endswith("kept"))
        if "renegotiated" in self.answers:
            yield "TLS was renegotiated"


def back_at(before):
    """KiB that count as what it was before: a tenth more, or 8 MiB."""
    return before + max(before // 10, 8 * 1024)


class Scene:
    def __init__(self, bridge, tls_port=0, rate=50):
        self.bridge = bridge
        self._tls_port = tls_port
        self._rate = rate

    def good(self, crowd=False):
        """Beside a crowd he has the connection that he needs: there may be no other."""
        url = f"http://127.0.0.1:{self.bridge.port}{ACTIVITY}"
        one = ("--http", "2", "--connections", "1") if crowd else ()
        return Simulation(url, "activity-push", "--token", TOKEN, "--no-retry", *one, rate=self._rate)

    def _process(self):
        return pathlib.Path(f"/proc/{self.bridge.process.pid}")

    def resident(self, name="VmRSS"):
        return int(re.search(name + r":\s+(\d+)", (self._process() / "status").read_text()).group(1))

    def descriptors(self):
        return len(os.listdir(self._process() / "fd"))

    def actions(self):
        return {labels["reason"]: int(value) for name, labels, value in self.bridge.metrics().series
                if name == "guard_actions_total"}

    def stray_lines(self):
        """What is no line of the log, or came into it because a library had printed it."""
        def is_ours(line):
            try:
                return json.loads(line)["msg"] != "printed by a library"
            except (ValueError, KeyError, TypeError):
                return False
        return sum(not is_ours(line) for line in self.bridge.log_text().splitlines())

    def quiet(self, seconds):
        with self.good() as sender:
            time.sleep(seconds)
        return sender.report

    def play(self, names, seconds, title=None, wait=20):
        """The attacks of these names at the same time."""
        before, descriptors, actions, stray = self.resident(), self.descriptors(), self.actions(), self.stray_lines()
        (self._process() / "clear_refs").write_text("5")  # VmHWM begins anew
        with self.good(any(ATTACKS[name].crowd for name in names)) as sender:
            served = self.bridge.metrics().sum("batches_total", outcome="delivered")
            eventually(lambda: self.bridge.metrics().sum("batches_total", outcome="delivered") > served + 5)
            with Storm(self.bridge, names, seconds, TOKEN, ACTIVITY, self._tls_port) as storm:
                pass
        peak, ended = self.resident("VmHWM"), time.monotonic()
        try:
            eventually(lambda: self.resident() <= back_at(before) and self.descriptors() <= descriptors, wait, every=0.2)
        except AssertionError:
            pass
        return Cost(
            title or "+".join(names), before, peak, self.resident(), time.monotonic() - ended,
            (descriptors, self.descriptors()), sender.report,
            {reason: count - actions[reason] for reason, count in self.actions().items() if count > actions[reason]},
            self.stray_lines() - stray, storm.connections, storm.answers, [ATTACKS[name] for name in names],
        )
