# SPDX-License-Identifier: Apache-2.0
"""Attackers beside a good sender: a process of their own that plays attacks for so long and says what came of it.

    attacks.py SETTINGS    (JSON: names of attacks, port, tls_port, path, token, body, seconds)"""

import collections
import json
import os
import pathlib
import resource
import subprocess
import sys
import threading
import time

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from harness import ENDS_WITH_US, attacks_http1, attacks_http2, attacks_tls  # noqa: E402
from harness.attack import ATTACKS, Target  # noqa: E402

__all__ = ["ATTACKS", "Storm", "attacks_http1", "attacks_http2", "attacks_tls"]


PROCESSES = 6


class Storm:
    """The attackers are there when `with` begins, and have ended when it ends. Several attacks share some processes."""

    def __init__(self, bridge, names, seconds, token, path, tls_port=0, body=4 << 20):
        settings = {"port": bridge.port, "tls_port": tls_port, "path": path, "token": token, "body": body,
                    "seconds": seconds}
        self._shares = [{**settings, "names": names[at::PROCESSES]} for at in range(min(PROCESSES, len(names)))]
        self.seconds = seconds

    def __enter__(self):
        self._processes = [subprocess.Popen(
            [*ENDS_WITH_US, sys.executable, __file__, json.dumps(share)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True) for share in self._shares]
        for process in self._processes:
            assert process.stdout.readline(), "they have ended"
        return self

    def __exit__(self, *_):
        found = [json.loads(process.communicate(timeout=self.seconds + 60)[0]) for process in self._processes]
        self.connections = sum(one["connections"] for one in found)
        self.cut = sum(one["cut"] for one in found)
        self.answers = sum((collections.Counter(one["answers"]) for one in found), collections.Counter())


def _play(act, target):
    while not target.over():
        try:
            act(target)
        except OSError:  # cut, or not let in
            target.cut += 1
            time.sleep(0.01)


def main():
    settings = json.loads(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    os.nice(10)  # they stand for other machines: that they take this one's time is not what is looked at
    print("all are there", flush=True)
    until = time.monotonic() + settings["seconds"]
    targets, threads = [], []
    for name in settings["names"]:
        attack = ATTACKS[name]
        target = Target(settings["port"], settings["path"], until, settings["tls_port"],
                        settings["token"] if attack.proof else None, settings["body"])
        targets.append(target)
        threads += [threading.Thread(target=_play, args=(attack.act, target)) for _ in range(attack.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({
        "connections": sum(target.connections for target in targets), "cut": sum(target.cut for target in targets),
        "answers": sum((target.answers for target in targets), collections.Counter()),
    }))


if __name__ == "__main__":
    main()
