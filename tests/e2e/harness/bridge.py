# SPDX-License-Identifier: Apache-2.0
"""Runs the real program, with a generated configuration, a log of its own and a look at it in the end."""

import json
import os
import pathlib
import re
import signal
import subprocess

from harness import http, secrets, spawn
from harness.ports import release_port, take_port
from harness.waits import eventually

ROOT = pathlib.Path(__file__).parents[3]
TOKEN = "tkn-5dQLkYr4mnr81kPKVCwcKvBbyM5aM"
# Every payload that the tests build holds this, so that a log that quotes one is found out.
MARKER = "payload-marker-81b3"
ACTIVITY = "/marketo/activity"
ADOBE = "/adobe/events"
SANITIZED = os.environ.get("BRIDGE_SANITIZED") == "1"
# What a wait for the program's own work is multiplied with under the sanitizers.
SLOW = 4 if SANITIZED else 1
_REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")


def binary():
    default = ROOT / ("build-asan" if SANITIZED else "build") / "marketo-bridge"
    return pathlib.Path(os.environ.get("BRIDGE_BINARY", default)).resolve()


def merge(base, extra):
    """extra over base, mappings member by member; a value of ... removes the member."""
    merged = dict(base)
    for name, value in extra.items():
        if value is ...:
            merged.pop(name, None)
        elif isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = merge(merged[name], value)
        else:
            merged[name] = value
    return merged


def configuration(bootstrap, prefix, port, admin_port, settings=None):
    auth = {"tokens": [TOKEN]}
    base = {
        "listen": [{"address": f"127.0.0.1:{port}"}],
        "admin": {"address": f"127.0.0.1:{admin_port}"},
        "endpoints": [
            {"path": ACTIVITY, "sender": "activity-push", "auth": auth},
            {"path": ADOBE, "sender": "adobe-io", "auth": auth},
        ],
        "kafka": {"bootstrap.servers": bootstrap},
        "topics": {"prefix": prefix, "route": "stream"},
        "shutdown": {"delay": "0s", "grace": "10s"},
        "log": {"level": "debug", "format": "json"},
    }
    return merge(base, settings or {})


def replace_text(path, text):
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    os.replace(fresh, path)


def run_command(*arguments, timeout=60, **options):
    """A command of the program that ends by itself."""
    return subprocess.run(
        [binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, timeout=timeout * SLOW, **options,
    )


class Bridge:
    def __init__(self, folder, bootstrap, prefix, settings=None, arguments=(), environment=None):
        self.folder = pathlib.Path(folder)
        self.prefix = prefix
        self.port = take_port()
        self.admin_port = take_port()
        self.config_path = self.folder / "bridge.yaml"
        self.log_path = self.folder / "bridge.log"
        self.allow_errors = False
        self.exit_status = None
        self._arguments = arguments
        suppressions = f"suppressions={ROOT}/tests/sanitizers/lsan.supp"
        self._environment = {**os.environ, "LSAN_OPTIONS": suppressions, **(environment or {})}
        self._bootstrap = bootstrap
        self.write_config(settings)
        self.process = None

    def write_config(self, settings=None):
        """At once or not at all: it may be watched."""
        config = configuration(self._bootstrap, self.prefix, self.port, self.admin_port, settings)
        # JSON is YAML too.
        replace_text(self.config_path, json.dumps(config, indent=2))

    def start(self, wait=True):
        with open(self.log_path, "wb") as log:
            self.process = spawn(
                [binary(), "serve", "--config", self.config_path, *self._arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment, cwd=self.folder,
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=30):
        eventually(lambda: self.ended() or self.admin("/health/ready").status == 200, timeout * SLOW, "ready")
        assert not self.ended(), "the bridge ended at its start:\n" + self.log_text()[-4000:]

    def ended(self):
        return self.process.poll() is not None

    # --- requests

    def request(self, method, path, headers=(), body=b"", http_version=http.HTTP1, timeout=30):
        return http.request(self.port, method, path, list(headers), body, http_version, timeout=timeout)

    def post(self, path, body, headers=(), http_version=http.HTTP1, timeout=30, token=TOKEN):
        fixed = [("Content-Type", "application/json")]
        if token is not None:
            fixed.append(("Authorization", f"Bearer {token}"))
        return self.request("POST", path, fixed + list(headers), body, http_version, timeout)

    def admin(self, path, method="GET"):
        return http.request(self.admin_port, method, path, timeout=5 * SLOW)

    def metrics(self):
        text = self.admin("/metrics").body.decode()
        assert secrets.found_in(text) == []
        return Metrics(text)

    # --- what it says of itself

    def log_text(self):
        return self.log_path.read_text(errors="replace")

    def log_lines(self):
        """The lines that are JSON objects; half-written last lines are left out."""
        lines = []
        for line in self.log_text().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                lines.append(entry)
        return lines

    def logged(self, *words, level=None):
        """The lines that hold all the words, in any member."""
        return [
            entry for entry in self.log_lines()
            if (level is None or entry.get("level") == level)
            and all(word in json.dumps(entry, ensure_ascii=False) for word in words)
        ]

    def reload(self, settings=None):
        """The new configuration is in force when it returns."""
        before = len(self.logged("configuration reloaded"))
        self.write_config(settings)
        self.signal(signal.SIGHUP)
        eventually(lambda: len(self.logged("configuration reloaded")) > before, 10 * SLOW, "reloaded")

    def peak_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1))

    # --- the end

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=30):
        self.exit_status = self.process.wait(timeout * SLOW)
        return self.exit_status

    def stop(self):
        """SIGTERM, and what must hold of every run."""
        if self.process is None:
            return
        if self.exit_status is None:
            if not self.ended():
                self.signal(signal.SIGTERM)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("no end after SIGTERM:\n" + self.log_text()[-4000:]) from None
            assert self.exit_status == 0, f"exit status {self.exit_status}:\n" + self.log_text()[-6000:]
        self.check_log()

    def check_log(self):
        text = self.log_text()
        report = _REPORT.search(text)
        assert not report, text[max(0, report.start() - 200):][:8000]
        assert TOKEN not in text, "a token in the log"
        assert MARKER not in text, "a payload in the log"
        assert secrets.found_in(text) == []
        if not self.allow_errors:
            assert self.logged(level="error") == []

    def release(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        release_port(self.port)
        release_port(self.admin_port)


class Metrics:
    """The page of /metrics, parsed; names are without the prefix."""

    _LINE = re.compile(r"marketo_bridge_(\w+?)(?:\{(.*)\})? (\S+)")
    _LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.text = text
        self.types = dict(re.findall(r"^# TYPE marketo_bridge_(\w+) (\w+)$", text, re.MULTILINE))
        self.series = []
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            match = self._LINE.fullmatch(line)
            assert match, f"not the text format: {line!r}"
            labels = dict(self._LABEL.findall(match.group(2) or ""))
            self.series.append((match.group(1), labels, float(match.group(3))))

    def sum(self, name, **labels):
        return sum(
            value for found, have, value in self.series
            if found == name and all(have.get(key) == wanted for key, wanted in labels.items())
        )
