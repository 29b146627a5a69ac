# SPDX-License-Identifier: Apache-2.0
"""Free ports that no other test process takes, below the kernel's ephemeral range.

Below, since a client that connects to a broker which is down could else be given
the broker's own port as its local one."""

import fcntl
import os
import pathlib
import random
import socket
import tempfile

_LOCKS = pathlib.Path(tempfile.gettempdir()) / f"marketo-bridge-ports-{os.getuid()}"
_held = {}


def _range():
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return (max(1024, low - 12000), low) if low > 2048 else (10000, 20000)


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def take_port():
    _LOCKS.mkdir(mode=0o700, exist_ok=True)
    low, high = _range()
    ports = list(range(low, high))
    random.shuffle(ports)
    for port in ports:
        if port in _held:
            continue
        lock = os.open(_LOCKS / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        if _is_free(port):
            _held[port] = lock
            return port
        os.close(lock)
    raise RuntimeError("no free port")


def release_port(port):
    os.close(_held.pop(port))
