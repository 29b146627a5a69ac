# SPDX-License-Identifier: Apache-2.0
"""Topics: which event goes where, how they are created, and which partition a key chooses."""

import json

import pytest

from harness import events
from harness.bridge import ACTIVITY, ADOBE
from harness.events import INSTANCE

STANDARD = "com.adobe.platform.marketo.activity.standard."

# activityTypeId, activityType, type -> topic; None leaves a member out.
ROUTES = [
    (10, "Open Email", STANDARD + "openemail", "activity.openemail"),
    ('"10"', "Open Email", STANDARD + "openemail", "activity.openemail"),
    (1, "Visit Webpage", STANDARD + "openemail", "activity.visitwebpage"),
    (13, "whatever", None, "activity.changedatavalue"),
    (None, None, STANDARD + "newlead", "activity.newlead"),
    (None, "Visit Web Page", STANDARD + "unheardof", "activity.visitwebpage"),
    (42, "Add To Sales Campaign", STANDARD + "addtosalescampaign", "activity.addtosfdccampaign"),
    (111, "Sent Forward to Friend Email", STANDARD + "sentforwardtofriendemail", "activity.sendforwardtofriendemail"),
    (35, "Remove from Opportunity", None, "activity.removefromopportunity"),
    (None, "Change Program Data", STANDARD + "changeprogramdata", "activity.changeprogramdata"),
    (4711, "Unheard Of", STANDARD + "unheardof", "activity.other"),
    (4711, "Open Email", STANDARD + "openemail", "activity.openemail"),
    (100001, "Attend Conference", "com.adobe.platform.marketo.activity.custom", "activity.custom-100001"),
    (100002, "Other Custom", "com.adobe.platform.marketo.activity.custom", "activity.custom"),
    (None, None, "com.adobe.platform.marketo.activity.custom", "activity.custom"),
]
OTHERS = [
    ("com.adobe.platform.marketo.audit.user.landingpage", "audit.landingpage"),
    ("com.adobe.platform.marketo.audit.user.login", "audit.login"),
    ("com.adobe.platform.marketo.audit.user.unheardof", "audit.other"),
    ("com.adobe.platform.marketo.notification.campaign_abort", "notification.campaign-abort"),
    ("com.adobe.platform.marketo.notification.unheard_of", "notification.other"),
    ("com.adobe.platform.marketo.observability.metrics", "observability.metrics"),
    ("com.adobe.platform.marketo.observability.unheardof", "observability.other"),
]


def _event(number, type_id, name, type_):
    data = {"munchkinId": INSTANCE, "leadId": "1", "activityType": name}
    text = json.dumps({key: value for key, value in data.items() if value is not None})
    if type_id is not None:
        text = text[:-1] + f',"activityTypeId":{type_id}}}'
    return events.cloud_event(text, f"route-{number}", type_)


@pytest.mark.short
def test_each_type_has_its_topic(start_bridge, reader, prefix):
    bridge = start_bridge({
        "topics": {"route": "type", "custom": [100001], "override": {"activity.openemail": {"partitions": 3}}}})
    topics = reader.topics(prefix)
    assert len(topics) > 100
    assert topics[prefix + ".activity.openemail"] == 3
    assert topics[prefix + ".activity.visitwebpage"] == 1
    assert all(set(name[len(prefix):]) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for name in topics)

    texts = [_event(number, *route[:3]) for number, route in enumerate(ROUTES)]
    expected = [route[3] for route in ROUTES]
    for number, (type_, topic) in enumerate(OTHERS):
        texts.append(events.cloud_event('{"munchkinId":"x"}', f"other-{number}", type_))
        expected.append(topic)
    answer = bridge.post(ADOBE, ("[" + ",".join(texts) + "]").encode())
    assert answer.json()["delivered"] == len(texts)
    found = {record.header("ce_id"): record.topic for record in reader.read_count(prefix, len(texts))}
    assert {json.loads(text)["id"]: f"{prefix}.{topic}" for text, topic in zip(texts, expected)} == found
    assert bridge.logged("4711") or bridge.logged("unheardof"), "an unknown type is logged by name"
    # the set of topics is known at the start
    assert reader.topics(prefix) == topics


def test_wrapper_activities_by_id(start_bridge, reader, prefix):
    bridge = start_bridge({"topics": {"route": "type"}})
    ids = [1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 22, 24, 25, 37, 46, 104, 113, 123, 145, 300, 410]
    body = events.wrapper(*(events.activity(7, type_id, "ignored", f"g-{type_id}") for type_id in ids))
    assert bridge.post(ACTIVITY, body).json()["delivered"] == len(ids)
    records = reader.read_count(prefix, len(ids))
    assert len({record.topic for record in records}) == len(ids)
    for record in records:
        type_ = record.topic[len(prefix + ".activity."):]
        assert record.header("ce_type") == STANDARD + type_


def test_unknown_type_is_logged_once(start_bridge):
    bridge = start_bridge()
    for _ in range(3):
        bridge.post(ADOBE, _event(0, 4712, "Never Heard Of", STANDARD + "neverheardof").encode())
    lines = [line for line in bridge.log_lines() if "neverheardof" in str(line).lower() or "4712" in str(line)]
    assert len(lines) == 1, lines


def test_topics_are_created_with_their_settings(start_bridge, reader, prefix):
    start_bridge({"topics": {
        "partitions": 2, "retention": "7d", "override": {"audit": {"partitions": 5, "retention": "1d"}}}})
    topics = reader.topics(prefix)
    assert topics == {
        prefix + ".activity": 2, prefix + ".audit": 5, prefix + ".notification": 2, prefix + ".observability": 2,
        prefix + ".deadletter": topics[prefix + ".deadletter"]}
    assert reader.settings(prefix + ".activity")["retention.ms"] == str(7 * 86_400_000)
    assert reader.settings(prefix + ".audit")["retention.ms"] == str(86_400_000)
    assert reader.settings(prefix + ".activity")["min.insync.replicas"] == "1"


def test_existing_topics_are_never_altered(start_bridge, reader, prefix):
    reader.create(prefix + ".activity", 3, retention_ms=12345678)
    start_bridge()
    assert reader.topics(prefix)[prefix + ".activity"] == 3
    assert reader.settings(prefix + ".activity")["retention.ms"] == "12345678"


def test_topics_are_not_created_when_that_is_off(start_bridge, reader, prefix):
    bridge = start_bridge({"topics": {"create": False}})
    answer = bridge.post(ADOBE, events.cloud_event().encode())
    assert answer.status == 503
    assert answer.json()["error"] == "not_delivered"
    assert answer.header("retry-after") == "5"
    assert reader.topics(prefix) == {}


def test_prefix_with_the_instance(start_bridge, reader, prefix):
    bridge = start_bridge({
        "topics": {"prefix": prefix + ".{instance}"}, "instances": {INSTANCE: "main", "999-XYZ-999": "second"}})
    event = events.cloud_event()
    bridge.post(ADOBE, f"[{event},{event.replace(INSTANCE, '999-XYZ-999')}]".encode())
    found = {record.topic for record in reader.read_count(prefix, 2)}
    assert found == {prefix + ".main.activity", prefix + ".second.activity"}


# --- keys and partitions


def murmur2(data):
    """Kafka's Java client hashes keys so (seed 0x9747b28c, 32 bit)."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def test_murmur2_gives_the_values_of_the_java_client():
    """Published in Kafka's own test of its hash."""
    for text, expected in ((b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
                           (b"a-little-bit-longer-string", -1486304829), (b"abc", 479470107)):
        assert murmur2(text) == expected & 0xFFFFFFFF


@pytest.mark.short
def test_partition_is_the_one_a_java_client_would_choose(start_bridge, reader, prefix):
    bridge = start_bridge({"topics": {"override": {"activity": {"partitions": 6}}}})
    leads = list(range(1, 200)) + [2**53 + 1, 10**18]
    texts = [events.cloud_event(events.activity_data(f'"{lead}"'), f"p-{lead}") for lead in leads]
    assert bridge.post(ADOBE, ("[" + ",".join(texts) + "]").encode()).json()["delivered"] == len(leads)
    records = reader.read_count(prefix, len(leads))
    assert {record.partition for record in records} == set(range(6))
    for record in records:
        assert record.key == f"{INSTANCE}:{record.header('ce_id')[2:]}".encode()
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % 6


def test_lead_as_number_and_as_text_have_one_key(start_bridge, reader, prefix):
    """9007199254740993 is 2^53 + 1: a double would make another lead of it."""
    bridge = start_bridge()
    for lead in ("12345", "9007199254740993", "0"):
        before = reader.ends(prefix)
        bridge.post(ADOBE, events.cloud_event(events.activity_data(f'"{lead}"')).encode())
        bridge.post(ADOBE, events.cloud_event(events.activity_data(lead)).encode())
        bridge.post(ACTIVITY, events.wrapper(events.activity(lead)))
        records = reader.read_count(prefix, 3, before)
        assert {record.key for record in records} == {f"{INSTANCE}:{lead}".encode()}
        assert {json.loads(record.value)["leadid"] for record in records} == {lead}


@pytest.mark.parametrize("type_, data, key", [
    ("audit.user.email", '{"munchkinId":"m","componentType":"Landing Page","componentId":7}', b"m:Landing Page:7"),
    ("audit.user.email", '{"munchkinId":"m","componentType":"Email"}', b"m"),
    ("activity.standard.openemail", '{"munchkinId":"m"}', b"m"),
    ("activity.standard.openemail", '{"leadId":"1"}', None),
    ("notification.campaign_abort", '{"munchkinId":"m","leadId":"1"}', b"m"),
    ("observability.metrics", '{"munchkinId":"m"}', b"m"),
])
def test_key_of_each_stream(shared_bridge, reader, type_, data, key):
    before = reader.ends(shared_bridge.prefix)
    shared_bridge.post(ADOBE, events.cloud_event(data, type_="com.adobe.platform.marketo." + type_).encode())
    assert reader.read_count(shared_bridge.prefix, 1, before)[0].key == key


def test_order_of_one_lead_is_kept(start_bridge, reader, prefix):
    bridge = start_bridge({"topics": {"partitions": 3}})
    for batch in range(10):
        texts = [events.cloud_event(event_id=f"{batch:02}-{n:02}") for n in range(20)]
        assert bridge.post(ADOBE, ("[" + ",".join(texts) + "]").encode()).status == 200
    ids = [record.header("ce_id") for record in reader.read_count(prefix, 200)]
    assert ids == sorted(ids)
