# SPDX-License-Identifier: Apache-2.0
"""A server of the tests in a process of its own, so that it can be stopped, killed and brought back."""

import contextlib
import pathlib
import shutil
import signal
import subprocess
import tempfile

from harness import spawn, stop
from harness.ports import release_port, take_port
from harness.waits import eventually


class Process:
    def __init__(self, name):
        self.port = take_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self._process = None

    def command(self):
        raise NotImplementedError

    def answers(self):
        raise NotImplementedError

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self._process = spawn(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(lambda: self._process.poll() is not None or self.answers(), 20, f"{self.folder.name} answers")
        assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")
        return self

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
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def revive(self):
        """It answers again, whatever was done to it."""
        if self._process is None:
            self.start()
        else:
            self.resume()

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        release_port(self.port)
