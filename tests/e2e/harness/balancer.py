# SPDX-License-Identifier: Apache-2.0
"""A load balancer as it stands before several bridges: TCP, a new connection goes to the one with the fewest of
those that say they are ready."""

from harness.http import Closed
from harness.ports import release_port, take_port
from harness.tcp_proxy import Loop, Proxy


class Balancer:
    def __init__(self):
        self.port = take_port()
        self._bridges = []
        self._ready = []
        self._loop = Loop()
        self._proxy = Proxy(self._loop, self.port, self._next)

    def add(self, bridge):
        self._bridges.append(bridge)
        self.probe()

    def remove(self, bridge):
        self._bridges.remove(bridge)
        self.probe()

    def probe(self):
        """Asks every bridge whether it takes work, as a balancer does a few times a second."""
        ready = []
        for bridge in list(self._bridges):
            try:
                if bridge.admin("/health/ready").status == 200:
                    ready.append(bridge.port)
            except TimeoutError:  # a busy machine is no reason to send everything elsewhere
                ready += [bridge.port] if bridge.port in self._ready else []
            except (OSError, Closed):
                pass
        self._ready = ready

    def _next(self):
        ready = self._ready
        return min(ready, key=self._proxy.connections) if ready else None

    def close(self):
        self._proxy.close()
        self._loop.close()
        release_port(self.port)
