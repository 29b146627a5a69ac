# SPDX-License-Identifier: Apache-2.0
"""What the black-box tests stand on: brokers, the bridge, HTTP clients, consumers."""

import concurrent.futures
import contextlib
import os
import signal
import subprocess

# In front of a command: what a test starts ends with the test run, even when that is killed.
ENDS_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]
# "Us" is the thread that started it: one that lives as long as the test run.
_starter = concurrent.futures.ThreadPoolExecutor(max_workers=1)


def spawn(command, **options):
    """Popen of something that ends with the test run, from whichever thread."""
    return _starter.submit(subprocess.Popen, [*ENDS_WITH_US, *command], **options).result()


def stop(process):
    """SIGSTOP, and back when all its threads stand: on a busy machine it goes on answering for a while."""
    process.send_signal(signal.SIGSTOP)
    with contextlib.suppress(ChildProcessError):  # it has ended
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
