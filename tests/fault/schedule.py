# SPDX-License-Identifier: Apache-2.0
"""One seed is one schedule: which load, which faults, when, for how long. Nothing here is left to chance."""

import random
from dataclasses import dataclass

# Style of the bridge: its route and its deadlines. The short ones let a fault of seconds cross them; the default
# ones show what is survived without anybody noticing.
STYLES = {
    "type": {"topics": {"route": "type"}},
    "stream": {"topics": {"route": "stream", "partitions": 6}},
    "default": {"topics": {"route": "type"}},
}
# What needs root: a mount namespace, packet filter rules.
FOR_ROOT = {"disk_full", "net_loss"}
DEADLINES = {
    "type": {"activity-push": 6, "adobe-io": 5},
    "stream": {"activity-push": 6, "adobe-io": 5},
    "default": {"activity-push": 17, "adobe-io": 7},
}
BATCHES = {"activity-push": 50, "adobe-io": 20}

# Faults of one family would undo each other; a pair is of two families. Name: family, weight, shortest, longest.
FAULTS = {
    "stop1": ("nodes", 4, 1, 7),  # SIGSTOP of one broker, of two, of all
    "stop2": ("nodes", 3, 1, 7),
    "stop3": ("nodes", 3, 1, 7),
    "stop_controller": ("nodes", 3, 1, 7),
    "kill1": ("nodes", 4, 0.5, 4),  # SIGKILL, and started again
    "kill2": ("nodes", 2, 0.5, 3),
    "kill_controller": ("nodes", 3, 0.5, 4),
    "rolling": ("nodes", 1, 1, 1),  # clean restart of one after the other
    "disk_full": ("nodes", 2, 1, 3),
    "isr3": ("nodes", 2, 2, 5),  # min.insync.replicas 3 and one broker stopped
    "elections": ("leaders", 4, 2, 5),  # every leader moves, again and again
    "net_hold": ("net", 3, 0.5, 7),  # nothing passes, nobody is told
    "net_deaf": ("net", 3, 0.5, 7),  # requests pass, answers do not
    "net_refuse": ("net", 2, 0.5, 4),
    "net_break": ("net", 3, 1, 4),  # connections break again and again
    "net_delay": ("net", 3, 1, 5),
    "net_throttle": ("net", 2, 1, 4),
    "net_loss": ("net", 3, 1, 5),  # packets are lost, and TCP sends them again, ever later
    "topic_deleted": ("topics", 2, 0.5, 1),
    "partitions_added": ("topics", 1, 0.5, 1),
    "max_bytes": ("topics", 2, 1, 4),  # max.message.bytes below what some events are
    "isr1": ("topics", 2, 1, 4),  # min.insync.replicas 1: weaker than durability: strict allows
    "rights": ("rights", 3, 0.5, 4),  # the right to write taken away and given back
    # The bridge's wall clock is stepped by one or two hours, and back. Two are more than a broker takes a record from
    # the future by (message.timestamp.after.max.ms).
    "clock": ("clock", 4, 0.5, 5),
    "keys_gone": ("keys", 4, 0.5, 7),  # whoever has the keys to check proofs with, just as they change
    "bridge_killed": ("bridge", 4, 0.1, 1),  # kill -9 of the bridge, in the middle of batches
    "bridge_ended": ("bridge", 3, 0.1, 1),  # SIGTERM under load; started again
}

# What comes at once, and how often of a hundred.
COUNTS = [(1, 50), (2, 40), (3, 10)]
# Before the first fault and behind the last.
HEAD, TAIL = 0.7, 1.0


@dataclass(frozen=True)
class Fault:
    name: str
    start: float  # seconds after the load began
    length: float
    seed: int  # for what else is to be chosen

    @property
    def end(self):
        return self.start + self.length


@dataclass(frozen=True)
class Schedule:
    seed: int
    style: str
    sender: str
    http: str
    faults: tuple
    length: float  # seconds of load

    @property
    def names(self):
        return "+".join(fault.name for fault in self.faults)


def make(seed, only=()):
    """only: names of faults to choose from; else all."""
    rng = random.Random(seed)
    names = [name for name in FAULTS if not only or name in only]
    count = rng.choices([count for count, _ in COUNTS], [share for _, share in COUNTS])[0]
    faults, families = [], set()
    while len(faults) < count:
        left = [name for name in names if FAULTS[name][0] not in families]
        if not left:
            break
        name = rng.choices(left, [FAULTS[one][1] for one in left])[0]
        families.add(FAULTS[name][0])
        _, _, shortest, longest = FAULTS[name]
        start = HEAD if not faults else HEAD + rng.uniform(0, faults[0].length + 0.5)
        faults.append(Fault(name, round(start, 2), round(rng.uniform(shortest, longest), 2), rng.getrandbits(32)))
    style = rng.choices(list(STYLES), [45, 35, 20])[0]
    if any(fault.name == "topic_deleted" for fault in faults):
        style = "type"  # one topic of many goes, not the whole stream
    return Schedule(
        seed=seed, style=style, sender=rng.choice(list(BATCHES)), http=rng.choice(["1.1", "2"]),
        faults=tuple(sorted(faults, key=lambda fault: fault.start)),
        length=round(max(fault.end for fault in faults) + TAIL, 2),
    )


# What a soak leaves out: the process must stay the same, and so must what it keeps for topics (a producer for those
# that take only small records is one of these things).
NOT_IN_A_SOAK = {
    "bridge_killed", "bridge_ended", "clock", "topic_deleted", "partitions_added", "max_bytes", "disk_full",
}
ROLLING_TAKES = 40


def make_soak(seed, sender, minutes, every):
    """One fault after the other, `every` so many seconds, on a bridge with the default deadlines."""
    rng = random.Random(seed)
    names = [name for name in FAULTS if name not in NOT_IN_A_SOAK]
    faults, start = [], float(every)
    while start < minutes * 60 - every:
        name = rng.choices(names, [FAULTS[one][1] for one in names])[0]
        _, _, shortest, longest = FAULTS[name]
        faults.append(Fault(name, start, round(rng.uniform(shortest, longest), 2), rng.getrandbits(32)))
        start += max(every, ROLLING_TAKES) if name == "rolling" else every
    return Schedule(seed=seed, style="default", sender=sender, http="1.1", faults=tuple(faults), length=minutes * 60.0)
