# SPDX-License-Identifier: Apache-2.0
"""The command that plays Adobe, running beside the test until it is stopped; what it printed in the end."""

import json
import signal
import subprocess
import time

from harness import ENDS_WITH_US
from harness.bridge import binary


class Simulation:
    """options: as on the command line. The rate holds however slow the answers; a run counts what is not 200 as well."""

    def __init__(self, url, sender, *options, rate, batch=5):
        self.rate = rate
        self.report = None
        self._begun = time.monotonic()
        self._process = subprocess.Popen(
            [*ENDS_WITH_US, binary(), "simulate", "--url", url, "--sender", sender, "--batch", str(batch),
             "--rate", str(rate), "--json", *map(str, options)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def seconds(self):
        return time.monotonic() - self._begun

    def wait(self):
        """Until it ends by itself."""
        self._process.wait(60)

    def stop(self):
        """What is under way is still answered."""
        if self.report is not None:
            return self.report
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        printed, said = self._process.communicate(timeout=60)
        assert printed, said
        self.report = json.loads(printed.splitlines()[-1])
        self.report["said"] = said
        return self.report

    def assert_only_200(self, in_time=True):
        """Each batch was answered at the first attempt, and at least half as many were sent as the rate says."""
        report = self.stop()
        short = {name: report[name] for name in ("batches", "statuses", "refused", "unfinished", "retries", "said")}
        assert report["statuses"] == {"200": report["batches"]}, short
        assert report["refused"] == report["unfinished"] == report["retries"] == 0, short
        assert report["answers"]["delivered"] == report["events"], short
        assert not in_time or report["batches"] > self.rate * report["seconds"] / 2, short

    def figures(self):
        report, latency = self.report, self.report["latency_ms"]
        return (f"{report['batches']} batches in {report['seconds']:.1f} s, {report['statuses']}, "
                f"p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms, longest {latency['max']:.0f} ms")
