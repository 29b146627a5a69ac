# SPDX-License-Identifier: Apache-2.0
"""A network of the runner's own, in which packets can be lost without anybody else noticing; as root only."""

import os
import subprocess
import sys

from harness.broker import kafka_libs, kafka_version


def enter():
    """Runs the program again in it. What comes from outside is fetched before."""
    if os.geteuid() != 0:
        return
    if os.environ.get("FAULT_NETWORK") == "own":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    kafka_libs(kafka_version())
    os.execvpe("unshare", ["unshare", "--net", "--", sys.executable, *sys.argv], {**os.environ, "FAULT_NETWORK": "own"})
