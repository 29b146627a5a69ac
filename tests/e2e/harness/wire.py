# SPDX-License-Identifier: Apache-2.0
"""The few requests of Kafka's protocol that Debian's Python client has no call for.

Numbers of requests, versions and fields: https://kafka.apache.org/protocol."""

import itertools
import socket
import struct

METADATA = 3
ELECT_LEADERS, ALTER_REASSIGNMENTS = 43, 45
INCREMENTAL_ALTER_CONFIGS = 44
CREATE_ACLS, DELETE_ACLS = 30, 31

UNKNOWN_TOPIC = 3

_numbers = itertools.count(1)


class Refused(Exception):
    """The broker's error code; 0 is none."""


def _string(text):
    if text is None:
        return struct.pack(">h", -1)
    raw = text.encode()
    return struct.pack(">h", len(raw)) + raw


def _array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


def _varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _compact_string(text):
    raw = text.encode()
    return _varint(len(raw) + 1) + raw


def _compact_array(items):
    return _varint(len(items) + 1) + b"".join(items)


NO_TAGS = b"\0"


def call(port, api, version, body, flexible=False, timeout=6):
    """One request on a connection of its own; the answer behind its header."""
    head = struct.pack(">hhi", api, version, next(_numbers)) + _string("tests") + (NO_TAGS if flexible else b"")
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        sock.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        answer = _read(sock, struct.unpack(">i", _read(sock, 4))[0])
    return answer[5 if flexible else 4:]


def _read(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError("the broker closed the connection")
        data += more
    return data


def _check(code, what):
    if code != 0:
        raise Refused(f"{what}: error {code}")


def brokers(port):
    """The numbers of the brokers that this one lists."""
    answer = call(port, METADATA, 1, _array([]), timeout=3)
    count, found, at = struct.unpack(">i", answer[:4])[0], set(), 4
    for _ in range(count):
        number, host = struct.unpack(">ih", answer[at:at + 6])
        at += 6 + host + 4
        rack = struct.unpack(">h", answer[at:at + 2])[0]
        at += 2 + max(rack, 0)
        found.add(number)
    return found


def elect_preferred(port, timeout_ms=10000):
    """Every partition's first replica becomes its leader where it can."""
    answer = call(port, ELECT_LEADERS, 1, struct.pack(">bii", 0, -1, timeout_ms))
    _check(struct.unpack(">h", answer[4:6])[0], "ElectLeaders")


def reassign(port, partitions, timeout_ms=10000):
    """partitions: {(topic, partition): [replica, ...]}; the same replicas in another order move the preferred
    leader and no data."""
    topics = {}
    for (topic, partition), replicas in partitions.items():
        topics.setdefault(topic, []).append(
            struct.pack(">i", partition) + _compact_array([struct.pack(">i", one) for one in replicas]) + NO_TAGS)
    body = struct.pack(">i", timeout_ms) + _compact_array([
        _compact_string(topic) + _compact_array(items) + NO_TAGS for topic, items in topics.items()]) + NO_TAGS
    answer = call(port, ALTER_REASSIGNMENTS, 0, body, flexible=True)
    _check(struct.unpack(">h", answer[4:6])[0], "AlterPartitionReassignments")


def set_topics(port, topics, settings):
    """Changes these settings of the topics and no others; None: back to the default."""
    configs = _array([_string(name) + struct.pack(">b", 0 if value is not None else 1) +
                      _string(None if value is None else str(value)) for name, value in settings.items()])
    body = _array([struct.pack(">b", 2) + _string(topic) + configs for topic in topics]) + b"\0"
    answer = call(port, INCREMENTAL_ALTER_CONFIGS, 0, body)
    count, at = struct.unpack(">i", answer[4:8])[0], 8
    for _ in range(count):
        code, length = struct.unpack(">hh", answer[at:at + 4])
        at += 4 + max(length, 0) + 1
        name = struct.unpack(">h", answer[at:at + 2])[0]
        at += 2 + name
        if code != UNKNOWN_TOPIC:  # it was deleted: nothing to set
            _check(code, "IncrementalAlterConfigs")


# Resource types, pattern types and operations of ACLs.
TOPIC, CLUSTER = 2, 4
LITERAL, PREFIXED = 3, 4
ANY = 1
READ, WRITE, CREATE, DESCRIBE, DESCRIBE_CONFIGS, IDEMPOTENT_WRITE = 3, 4, 5, 8, 10, 12
_ALLOW = 3


def allow(port, principal, rules):
    """rules: (resource type, name, pattern type, operation), each."""
    body = _array([
        struct.pack(">b", kind) + _string(name) + struct.pack(">b", pattern) + _string(principal) + _string("*") +
        struct.pack(">bb", operation, _ALLOW) for kind, name, pattern, operation in rules])
    answer = call(port, CREATE_ACLS, 1, body)
    _check(struct.unpack(">h", answer[8:10])[0], "CreateAcls")


def disallow(port, principal, kind, name, pattern, operation):
    body = _array([
        struct.pack(">b", kind) + _string(name) + struct.pack(">b", pattern) + _string(principal) + _string("*") +
        struct.pack(">bb", operation, _ALLOW)])
    answer = call(port, DELETE_ACLS, 1, body)
    _check(struct.unpack(">h", answer[8:10])[0], "DeleteAcls")
