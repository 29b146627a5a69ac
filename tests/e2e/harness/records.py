# SPDX-License-Identifier: Apache-2.0
"""Reads topics back with a Kafka client library that is not the bridge's."""

import ctypes
import time
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import ConfigResource, NewTopic

from harness.waits import eventually


@dataclass
class Record:
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: list = field(default_factory=list)

    def header(self, name):
        """The header's text, or None; a header that stands there twice is an error."""
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1, f"{name} stands twice in {self.headers}"
        return found[0].decode() if found else None

    def header_names(self):
        return [name for name, _ in self.headers]


class Reader:
    """One consumer without a group; every read begins where the caller says."""

    def __init__(self, broker):
        self._broker = broker
        self._admin = broker.admin()
        self._consumer = Consumer({
            "bootstrap.servers": broker.bootstrap,
            "group.id": "tests",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": False,
            "fetch.wait.max.ms": 20,
            "check.crcs": True,
            "log_level": 0,
        })
        # Never destroyed: after a broker was away that can wait for ever. They end with the process.
        for client in (self._admin, self._consumer):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))

    def topics(self, prefix):
        """Name -> number of partitions, of the topics that are there now."""
        found = self._admin.list_topics(timeout=10).topics
        return {
            name: len(topic.partitions)
            for name, topic in found.items()
            if (name == prefix or name.startswith(prefix + ".")) and topic.error is None
        }

    def ends(self, prefix):
        """(topic, partition) -> high-water mark, of every topic of the prefix."""
        marks = {}
        for topic, partitions in self.topics(prefix).items():
            for partition in range(partitions):
                marks[topic, partition] = self._end(topic, partition)
        return marks

    def _end(self, topic, partition):
        """The high-water mark; asked again while a fresh topic has no leader yet."""
        place = TopicPartition(topic, partition)

        def ask():
            try:
                return self._consumer.get_watermark_offsets(place, timeout=10)
            except KafkaException:
                # What the client remembers of the topic can be older than the topic.
                self._consumer.list_topics(topic, timeout=10)
                raise

        return eventually(ask, what="a leader")[1]

    def counts(self, prefix):
        """Topic -> records in it; topics without any are left out."""
        counts = {}
        for (topic, _), high in self.ends(prefix).items():
            if high > 0:
                counts[topic] = counts.get(topic, 0) + high
        return counts

    def each(self, prefix, since=None, timeout=30):
        """Everything that stands in the prefix's topics now, behind the marks of `since`, as it comes."""
        since = since or {}
        ends = self.ends(prefix)
        missing = {place: end for place, end in ends.items() if end > since.get(place, 0)}
        if not missing:
            return
        self._consumer.assign([
            TopicPartition(topic, partition, since.get((topic, partition), OFFSET_BEGINNING))
            for topic, partition in missing
        ])
        deadline = time.monotonic() + timeout
        while missing:
            assert time.monotonic() < deadline, f"not read to the end: {missing}"
            for message in self._consumer.consume(num_messages=1000, timeout=0.02):
                assert message.error() is None, message.error()
                place = message.topic(), message.partition()
                if message.offset() < ends[place]:
                    yield _record(message)
                if message.offset() >= ends[place] - 1:
                    missing.pop(place, None)
        self._consumer.unassign()

    def read(self, prefix, since=None, timeout=30):
        records = self.each(prefix, since, timeout)
        return sorted(records, key=lambda record: (record.topic, record.partition, record.offset))

    def read_count(self, prefix, count, since=None, timeout=15):
        """Waits until exactly `count` records are there and gives them."""
        before = sum((since or {}).values())
        deadline = time.monotonic() + timeout
        while (found := sum(self.ends(prefix).values()) - before) < count:
            assert time.monotonic() < deadline, f"{found} of {count} records: {self.ends(prefix)}"
            time.sleep(0.02)
        records = self.read(prefix, since)
        assert len(records) == count, [record.topic for record in records]
        return records

    def create(self, topic, partitions=1, **config):
        settings = {name.replace("_", "."): str(value) for name, value in config.items()}
        self._admin.create_topics([NewTopic(topic, partitions, 1, config=settings)])[topic].result(15)
        eventually(lambda: topic in self.topics(topic), what=f"{topic} is there")

    def alter(self, topic, **config):
        settings = {name.replace("_", "."): str(value) for name, value in config.items()}
        resource = ConfigResource("topic", topic, set_config=settings)
        self._admin.alter_configs([resource])[resource].result(15)
        eventually(lambda: settings.items() <= self.settings(topic).items(), what=f"{topic} is altered")

    def delete(self, *topics):
        if topics:
            for future in self._admin.delete_topics(list(topics), operation_timeout=15).values():
                future.result(20)

    def forget(self, prefix):
        """Deletes the prefix's topics."""
        self.delete(*self.topics(prefix))

    def settings(self, topic):
        resource = ConfigResource("topic", topic)
        entries = self._admin.describe_configs([resource])[resource].result(15)
        return {name: entry.value for name, entry in entries.items()}


def _record(message):
    return Record(
        message.topic(), message.partition(), message.offset(), message.timestamp()[1],
        message.key(), message.value(), list(message.headers() or []),
    )
