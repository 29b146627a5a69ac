# SPDX-License-Identifier: Apache-2.0
"""What each fault does. A fault is begun, lasts, and is ended; ending undoes it, whatever has become of it."""

import random
import subprocess
import threading
import time

from harness import wire
from harness.cluster import USER
from harness.waits import eventually


class Acting:
    """Something that goes on while the fault lasts, on a thread of its own."""

    def __init__(self, act, every):
        self._act, self._every = act, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            try:
                self._act()
            except Exception:  # whoever was asked may be down because of another fault
                pass
            if self._over.wait(self._every):
                return

    def end(self):
        self._over.set()
        self._thread.join(60)


class Fault:
    def __init__(self, ground, plan):
        self.ground = ground
        self.cluster = ground.cluster
        self.rng = random.Random(plan.seed)
        self.plan = plan

    def begin(self):
        raise NotImplementedError

    def end(self):
        pass


# --- brokers


class Stopped(Fault):
    count = 1

    def nodes(self):
        return self.rng.sample(self.cluster.nodes, self.count)

    def begin(self):
        self._stopped = self.nodes()
        for node in self._stopped:
            node.pause()

    def end(self):
        for node in self._stopped:
            node.resume()


class Stopped2(Stopped):
    count = 2


class Stopped3(Stopped):
    count = 3


class StoppedController(Stopped):
    def nodes(self):
        return [self.cluster.node(self.cluster.controller() or 1)]


class Killed(Fault):
    count = 1

    def nodes(self):
        return self.rng.sample(self.cluster.nodes, self.count)

    def begin(self):
        self._killed = self.nodes()
        for node in self._killed:
            node.kill()

    def end(self):
        for node in self._killed:
            node.start()


class Killed2(Killed):
    count = 2


class KilledController(Killed):
    def nodes(self):
        return [self.cluster.node(self.cluster.controller() or 1)]


class Rolling(Fault):
    def begin(self):
        self._thread = threading.Thread(target=self._roll, daemon=True)
        self._thread.start()

    def _roll(self):
        for node in self.rng.sample(self.cluster.nodes, 3):
            node.terminate()
            node.start()
            self.cluster.wait_up()
            self.cluster.wait_in_sync(self.ground.prefix)

    def end(self):
        self._thread.join(180)


class DiskFull(Fault):
    """Kafka's answer to a full disk is to end the broker, whose log may end in half a record."""

    def begin(self):
        self._node = self.cluster.nodes[-1]
        self._node.disk.fill()

    def end(self):
        self._node.disk.empty()
        try:
            eventually(lambda: not self._node.running(), 5, "the broker has ended")
        except AssertionError:
            return  # nothing was written to it
        self._node.kill()
        self._node.start()


class TooFewInSync(Stopped):
    def begin(self):
        self.cluster.call(wire.set_topics, self.ground.topics(), {"min.insync.replicas": 3})
        super().begin()

    def end(self):
        super().end()
        self.cluster.call(wire.set_topics, self.ground.topics(), {"min.insync.replicas": 2})


class Elections(Fault):
    def begin(self):
        self._acting = Acting(self._move_all, 0.7)

    def _move_all(self):
        now = self.cluster.partitions(self.ground.prefix)
        wire.reassign(self.cluster.any_port(), {
            place: one.replicas[1:] + one.replicas[:1] for place, one in now.items()})
        wire.elect_preferred(self.cluster.any_port())

    def end(self):
        self._acting.end()


# --- network between bridge and brokers


class Net(Fault):
    def begin(self):
        proxies = self.cluster.proxies
        self._proxies = proxies if self.rng.random() < 0.5 else self.rng.sample(proxies, self.rng.choice([1, 2]))
        for proxy in self._proxies:
            self.touch(proxy)

    def touch(self, proxy):
        raise NotImplementedError

    def end(self):
        for proxy in self._proxies:
            proxy.heal()


class Held(Net):
    def touch(self, proxy):
        proxy.hold("up", "down")


class Deaf(Net):
    def touch(self, proxy):
        proxy.hold("down")


class Refusing(Net):
    def touch(self, proxy):
        proxy.refuse()


class Breaking(Net):
    def begin(self):
        self._acting = Acting(lambda: super(Breaking, self).begin(), self.rng.uniform(0.2, 0.8))

    def touch(self, proxy):
        proxy.break_all()

    def end(self):
        self._acting.end()


class Delayed(Net):
    def touch(self, proxy):
        proxy.slow(delay=self.rng.choice([0.05, 0.2, 0.6, 1.5]))


class Throttled(Net):
    def touch(self, proxy):
        proxy.slow(rate=self.rng.choice([20_000, 100_000, 400_000]))


class Lossy(Net):
    """The kernel throws packets away, in both directions; run has a network namespace of its own for it."""

    TABLE = "inet loss"

    def begin(self):
        self._ports = []
        super().begin()
        ports = ",".join(map(str, self._ports))
        lost = f"{{ {ports} }} numgen random mod 100 < {self.rng.choice([1, 5, 20, 50])} drop"
        self._rules(f"add table {self.TABLE}\n"
                    f"add chain {self.TABLE} input {{ type filter hook input priority 0; }}\n"
                    f"add rule {self.TABLE} input tcp dport {lost}\n"
                    f"add rule {self.TABLE} input tcp sport {lost}\n")

    def touch(self, proxy):
        self._ports.append(proxy.port)

    def end(self):
        self._rules(f"delete table {self.TABLE}")

    @staticmethod
    def _rules(text):
        subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True, timeout=20)


# --- topics and rights


class TopicDeleted(Fault):
    """Somebody deletes a topic. What stood in it is gone by his will: see Ground.judge."""

    def begin(self):
        name = self.rng.choice([topic for topic in self.ground.topics() if ".activity." in topic])
        future = self.cluster.admin().delete_topics([name], operation_timeout=15)[name]
        future.result(30)
        self.ground.deleted[name] = time.time()


class PartitionsAdded(Fault):
    def begin(self):
        from confluent_kafka.admin import NewPartitions

        counts = {}
        for topic, _ in self.cluster.partitions(self.ground.prefix):
            counts[topic] = counts.get(topic, 0) + 1
        chosen = self.rng.sample(sorted(counts), 3)
        futures = self.cluster.admin().create_partitions([NewPartitions(name, counts[name] + 2) for name in chosen])
        for future in futures.values():
            future.result(30)


class Setting(Fault):
    """A setting of some topics is another for a while."""

    def change(self):
        raise NotImplementedError

    def begin(self):
        topics = self.ground.topics()
        self._topics = self.rng.sample(topics, max(1, len(topics) // self.rng.choice([1, 4])))
        self._name, value = self.change()
        self.cluster.call(wire.set_topics, self._topics, {self._name: value})

    def end(self):
        before = {"max.message.bytes": None, "min.insync.replicas": 2}
        self.cluster.call(wire.set_topics, self._topics, {self._name: before[self._name]})


class MaxBytes(Setting):
    def change(self):
        return "max.message.bytes", self.rng.choice([1100, 1500, 5000, 50000])


class Isr1(Setting):
    def change(self):
        return "min.insync.replicas", 1


class Rights(Fault):
    def begin(self):
        self._lost = (wire.TOPIC, self.ground.prefix, wire.PREFIXED, wire.WRITE)
        self.cluster.call(wire.disallow, f"User:{USER}", *self._lost)

    def end(self):
        self.cluster.call(wire.allow, f"User:{USER}", [self._lost])


# --- keys and provider

class KeysGone(Fault):
    """Nobody can be asked for keys, silently or not, and the senders begin to use new ones."""

    def begin(self):
        proofs = self.ground.proofs
        self.rng.choice([proofs.host.pause, proofs.host.kill])()
        proofs.change()

    def end(self):
        self.ground.proofs.heal()


# --- the bridge itself


class Clock(Fault):
    def begin(self):
        self.ground.step_clock(self.rng.choice([-2, -1, 1, 2]) * 3600)

    def end(self):
        self.ground.step_clock(0)


class BridgeKilled(Fault):
    def begin(self):
        self.ground.serving.kill()

    def end(self):
        self.ground.serving.start_again()


class BridgeEnded(Fault):
    """SIGTERM under load: exit status 0 once it has answered what was in flight."""

    def begin(self):
        self._thread = threading.Thread(target=self.ground.serving.end, daemon=True)
        self._thread.start()

    def end(self):
        self._thread.join(60)
        self.ground.serving.start_again()


KINDS = {
    "stop1": Stopped, "stop2": Stopped2, "stop3": Stopped3, "stop_controller": StoppedController,
    "kill1": Killed, "kill2": Killed2, "kill_controller": KilledController, "rolling": Rolling,
    "disk_full": DiskFull, "isr3": TooFewInSync, "elections": Elections,
    "net_hold": Held, "net_deaf": Deaf, "net_refuse": Refusing, "net_break": Breaking,
    "net_delay": Delayed, "net_throttle": Throttled, "net_loss": Lossy,
    "topic_deleted": TopicDeleted, "partitions_added": PartitionsAdded, "max_bytes": MaxBytes, "isr1": Isr1,
    "rights": Rights, "keys_gone": KeysGone, "clock": Clock, "bridge_killed": BridgeKilled, "bridge_ended": BridgeEnded,
}
# Faults after which a sender may rightly get no answer at all: nobody is there.
NOBODY_THERE = {"bridge_killed", "bridge_ended"}
