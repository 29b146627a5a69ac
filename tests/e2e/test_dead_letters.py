# SPDX-License-Identifier: Apache-2.0
"""Dead letters: in parts that can be put together again, and events too large for their topic."""

import hashlib

import pytest

from harness import events
from harness.bridge import ACTIVITY, ADOBE
from harness.events import INSTANCE
from harness.records import Reader
from harness.waits import eventually


def assert_whole(letters, value, parts):
    """The parts are all there, in order, small enough, and give the bytes as received."""
    assert [letter.header("dl_part") for letter in letters] == [str(n + 1) for n in range(parts)]
    assert {letter.header("dl_parts") for letter in letters} == {str(parts)}
    assert {letter.header("dl_sha256") for letter in letters} == {hashlib.sha256(value).hexdigest()}
    assert all(len(letter.value) <= 900_000 for letter in letters)
    assert b"".join(letter.value for letter in letters) == value


@pytest.mark.short
def test_broken_body_of_3_mb_is_kept_in_parts(start_bridge, reader, http_version):
    bridge = start_bridge()
    body = b'{"broken": "' + bytes(range(32, 127)).replace(b'"', b"").replace(b"\\", b"") * 32000
    body = body[:3_000_000]
    answer = bridge.post(ADOBE, body, [("x-request-id", "parts")], http_version)
    assert answer.json() == {"events": 1, "delivered": 0, "duplicates": 0, "dead_lettered": 1}
    letters = reader.read_count(bridge.prefix, 4)
    assert_whole(letters, body, 4)
    for letter in letters:
        assert letter.topic == bridge.prefix + ".deadletter"
        assert letter.key == b"parts"
        assert letter.header("dl_reason") == "not_json"
        assert letter.header("x-request-id") == "parts"
        assert letter.header("dl_path") == ""


def test_parts_are_smaller_when_the_topic_wants_it(start_bridge, reader, prefix):
    reader.create(prefix + ".deadletter", max_message_bytes=20_000)
    bridge = start_bridge()
    body = b"x" * 100_000
    assert bridge.post(ADOBE, body).json()["dead_lettered"] == 1
    letters = reader.read(prefix)
    assert 6 <= len(letters) <= 8
    assert_whole(letters, body, len(letters))


def _large(size, event_id="large"):
    return events.cloud_event(
        events.activity_data(extra=events.ODD + ',"pad":"' + "p" * size + '"'), event_id)


def test_event_too_large_for_its_topic_among_19_small_ones(start_bridge, reader, prefix):
    """The topic takes 100 kB, one event has 150 kB: the others are delivered, it is kept, 200."""
    reader.create(prefix + ".activity", max_message_bytes=100_000)
    bridge = start_bridge()
    small = [events.cloud_event(event_id=f"small-{n}") for n in range(19)]
    large = _large(150_000)
    body = ("[" + ",".join(small[:10] + [large] + small[10:]) + "]").encode()
    answer = bridge.post(ADOBE, body)
    assert answer.status == 200
    assert answer.json() == {"events": 20, "delivered": 19, "duplicates": 0, "dead_lettered": 1}
    *good, letter = reader.read_count(prefix, 20)
    assert [record.header("ce_id") for record in good] == [f"small-{n}" for n in range(19)]
    assert letter.topic == prefix + ".deadletter"
    assert letter.value == large.encode()
    assert letter.key == INSTANCE.encode()
    assert letter.header("dl_reason") == "too_large"
    assert letter.header("dl_topic") == prefix + ".activity"
    assert letter.header("dl_path") == "/10"
    assert letter.header("dl_part") is None


def test_neighbours_of_a_large_event_are_never_dead_lettered(start_bridge, reader, prefix):
    """Events that fit one by one are delivered, though together they are far over the topic's limit."""
    reader.create(prefix + ".activity", max_message_bytes=30_000)
    bridge = start_bridge()
    body = ("[" + ",".join(_large(25_000, f"l-{n}") for n in range(60)) + "]").encode()
    for _ in range(3):
        assert bridge.post(ACTIVITY, body).json() == {
            "events": 60, "delivered": 60, "duplicates": 0, "dead_lettered": 0}
    assert len(reader.read_count(prefix, 180)) == 180


def test_limit_that_became_smaller_while_running(start_bridge, reader, prefix):
    """The broker's refusal is believed: limits are read again, and the same batch succeeds."""
    bridge = start_bridge()
    body = ("[" + ",".join([events.cloud_event(event_id="small"), _large(150_000)]) + "]").encode()
    assert bridge.post(ADOBE, body).json()["delivered"] == 2
    reader.alter(prefix + ".activity", max_message_bytes=100_000)
    answers = []

    def kept():
        answers.append(bridge.post(ADOBE, body))
        return answers[-1].status == 200 and answers[-1].json()["dead_lettered"] == 1

    eventually(kept, 20, "the large event is a dead letter")
    assert {answer.status for answer in answers} <= {200, 503}
    letter = [record for record in reader.read(prefix) if record.topic.endswith(".deadletter")][0]
    assert letter.header("dl_reason") == "too_large"


def test_edge_of_the_limit_is_never_503(start_bridge, reader, prefix):
    """Around the limit every event is either delivered or kept; a wrong count of bytes would be a refusal."""
    reader.create(prefix + ".activity", max_message_bytes=20_000)
    bridge = start_bridge()
    shell = len(_large(0))
    sizes = range(20_000 - shell - 400, 20_000 - shell + 60, 4)
    delivered = 0
    for size in sizes:
        answer = bridge.post(ADOBE, _large(size, f"s-{size}").encode())
        assert answer.status == 200, (size, answer.body)
        delivered += answer.json()["delivered"]
    assert 0 < delivered < len(sizes)


def test_unlisted_instance_is_a_dead_letter(start_bridge, reader):
    bridge = start_bridge({"instances": {"999-XYZ-999": "main"}})
    event = events.cloud_event()
    other = event.replace(INSTANCE, "999-XYZ-999")
    answer = bridge.post(ADOBE, f"[{event},{other}]".encode())
    assert answer.json() == {"events": 2, "delivered": 1, "duplicates": 0, "dead_lettered": 1}
    good, letter = reader.read_count(bridge.prefix, 2)
    assert good.key == b"999-XYZ-999:12345"
    assert letter.header("dl_reason") == "unknown_instance"
    assert letter.value == event.encode()
    assert letter.key == INSTANCE.encode()


def test_topic_for_dead_letters_by_another_name(start_bridge, reader, prefix):
    bridge = start_bridge({"topics": {"dead_letter": f"{prefix}.lost-and-found"}})
    bridge.post(ADOBE, b"x")
    assert reader.read_count(prefix, 1)[0].topic == f"{prefix}.lost-and-found"
    assert prefix + ".deadletter" not in reader.topics(prefix)


@pytest.fixture
def closed_broker(own_broker):
    """A broker that lets nobody read the settings of topics, once close() was called."""
    broker = own_broker(
        authorizer_class_name="org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        allow_everyone_if_no_acl_found="true",
    )

    def close():
        for rule, operation in ("allow", "All"), ("deny", "DescribeConfigs"):
            broker.tool("org.apache.kafka.tools.AclCommand", "--add", f"--{rule}-principal", "User:ANONYMOUS",
                        "--operation", operation, "--topic", "*")

    broker.close_settings = close
    return broker


def test_large_event_where_the_limit_may_not_be_read(start_bridge, closed_broker, prefix):
    """Without the right DescribeConfigs only the broker's refusals tell the topic's limit."""
    broker = closed_broker
    reader = Reader(broker)
    reader.create(prefix + ".activity", max_message_bytes=100_000)
    broker.close_settings()
    # The broker measures what is on the wire.
    bridge = start_bridge({"kafka": {"compression.type": "none"}}, broker=broker)
    small = [_large(20_000, f"small-{n}") for n in range(19)]
    large = _large(150_000)
    body = ("[" + ",".join([*small, large]) + "]").encode()
    answer = bridge.post(ADOBE, body)
    assert answer.status == 200, answer.body
    assert answer.json() == {"events": 20, "delivered": 19, "duplicates": 0, "dead_lettered": 1}
    *good, letter = reader.read_count(prefix, 20)
    assert sorted(record.header("ce_id") for record in good) == sorted(f"small-{n}" for n in range(19))
    assert letter.value == large.encode()
    assert letter.header("dl_reason") == "too_large"
    assert bridge.logged("DescribeConfigs", level="warning")


def test_dead_letter_topic_whose_small_limit_may_not_be_read(start_bridge, closed_broker, prefix):
    """The parts get smaller with each refusal, so that the sender's retries come through in the end."""
    reader = Reader(closed_broker)
    reader.create(prefix + ".deadletter", max_message_bytes=200_000)
    closed_broker.close_settings()
    bridge = start_bridge({"kafka": {"compression.type": "none"}}, broker=closed_broker)
    body = b"x" * 1_000_000
    answers = []
    while not answers or (answers[-1].status == 503 and len(answers) < 8):
        answers.append(bridge.post(ADOBE, body))
    assert answers[-1].status == 200, [answer.status for answer in answers]
    letters = reader.read(prefix)
    last = letters[-int(letters[-1].header("dl_parts")):]
    assert_whole(last, body, len(last))
