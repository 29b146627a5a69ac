# SPDX-License-Identifier: Apache-2.0
"""Each body shape in each record format, read back: key, headers, timestamp, and `data` byte for byte."""

import hashlib
import json
import time
from dataclasses import dataclass

import pytest

from conftest import bridges_of, unique_prefix
from harness import events
from harness.bridge import ACTIVITY, ADOBE
from harness.events import INSTANCE

FORMATS = ("structured", "binary", "original")
# As an unknown scalar, an unknown object and both generations of the injected names.
EXTRA = (
    ',"recipientclientid":"client-1","recipient_client_id":"client-1","event_id":"older",'
    '"futurescalar":"fut\\u0075re","futuremember":{"x" : [1, 2.50, "\\u00e5"]}'
)
GUID = "12345678-9876-a191-4567-000000054321"


@dataclass
class Shape:
    path: str
    body: bytes
    topic: str  # without the prefix
    key: str
    event: str  # the event's bytes as received
    data: str
    attributes: dict  # what the envelope must hold, as text
    absent: tuple = ()


def _flat(lead='"12345"'):
    data = events.activity_data(lead)
    text = events.cloud_event(data, GUID, members=EXTRA)
    eventid = json.loads(text)["eventid"]
    attributes = {
        "specversion": "1.0", "type": "com.adobe.platform.marketo.activity.standard.openemail",
        "source": "urn:marketo_activity_stream", "id": GUID, "time": "2026-04-21T15:28:49Z", "subject": "12345",
        "datacontenttype": "application/json", "munchkinid": INSTANCE, "leadid": "12345", "eventid": eventid,
        "recipientclientid": "client-1",
    }
    return data, text, attributes


def flat_single():
    data, text, attributes = _flat()
    return Shape(ADOBE, text.encode(), "activity", f"{INSTANCE}:12345", text, data, attributes)


def flat_array():
    data, text, attributes = _flat()
    body = f" [\n{text} ,\t{events.cloud_event()}]\r\n".encode()
    return Shape(ADOBE, body, "activity", f"{INSTANCE}:12345", text, data, attributes)


def wrapped(path=ACTIVITY, array=False):
    text = events.activity(12345, 3, "Click Link", GUID)
    body = events.wrapper(text, events.activity())
    attributes = {
        "specversion": "1.0", "type": "com.adobe.platform.marketo.activity.standard.clicklink",
        "source": "urn:marketo_activity_stream", "id": GUID, "time": "2026-04-20T18:43:56Z", "subject": "12345",
        "munchkinid": INSTANCE, "leadid": "12345", "sourceapplication": "Marketo", "messageid": "12345",
        "messagecreateddate": "2026-04-21T15:28:49Z",
    }
    if array:
        body = b"[" + body + b"]"
    return Shape(path, body, "activity", f"{INSTANCE}:12345", text, text, attributes, ("eventid",))


def wrapped_in_array():
    return wrapped(ADOBE, array=True)


def nested_body():
    data, inner = events.audit_body()
    text = '{"eventid":"e-1","event":{"body":' + inner + '},"recipientclientid":"client-1"}'
    attributes = {
        "specversion": "1.0", "type": "com.adobe.platform.marketo.audit.user.landingpage", "source": "urn:mlm",
        "id": "e-1", "eventid": "e-1", "time": "2024-07-11T13:20:42.755Z", "subject": "123321",
        "datacontenttype": "application/json", "dataschema": "V2.0", "munchkinid": INSTANCE,
        "recipientclientid": "client-1", "eventaction": "approve",
    }
    key = f"{INSTANCE}:Landing Page:123321"
    return Shape(ADOBE, text.encode(), "audit", key, text, data, attributes, ("leadid", "originaltime"))


def nested_body_client_inside():
    """recipientclientid beside `body`, as the published single sample has it."""
    shape = nested_body()
    text = shape.event.replace('},"recipientclientid":"client-1"}', ',"recipientclientid":"client-1"}}')
    assert text != shape.event
    shape.event, shape.body = text, text.encode()
    return shape


def nested_body_array():
    shape = nested_body()
    shape.body = f"[{shape.event},{shape.event.replace('e-1', 'e-2')}]".encode()
    return shape


def nested_old():
    data, inner = events.notification_body()
    text = '{"event_id": "older-1", "recipient_client_id":"client-2", "event":' + inner + "}"
    attributes = {
        "specversion": "1.0", "type": "com.adobe.platform.marketo.notification.campaign_abort",
        "source": "urn:mlm", "id": "older-1", "eventid": "older-1", "time": "2021-05-27T15:22:37.489Z",
        "datacontenttype": "application/json", "munchkinid": INSTANCE, "recipientclientid": "client-2",
        "subtype": "user_campaign_abort",
    }
    return Shape(ADOBE, text.encode(), "notification", INSTANCE, text, data, attributes, ("dataschema", "leadid"))


def nested_old_on_the_other_endpoint():
    shape = nested_old()
    shape.path = ACTIVITY
    shape.body = b"[" + shape.body + b"]"
    return shape


def mixed_array():
    shape = nested_old()
    other = events.wrapper(events.activity()).decode()
    shape.body = f"[{other},{events.cloud_event()},{shape.event},{nested_body().event}]".encode()
    return shape


SHAPES = [
    flat_single, flat_array, wrapped, wrapped_in_array, nested_body, nested_body_client_inside, nested_body_array,
    nested_old, nested_old_on_the_other_endpoint, mixed_array,
]


@pytest.fixture(scope="module")
def bridges(tmp_path_factory, broker, request):
    """One bridge a format, made when it is asked for."""
    makers, running = [], {}

    def get(format_):
        if format_ not in running:
            maker = bridges_of(request, unique_prefix(format_), tmp_path_factory)
            makers.append(maker)
            running[format_] = next(maker)({"record": {"format": format_}})
        return running[format_]

    yield get
    for maker in makers:
        next(maker, None)


def check_structured(record, shape):
    assert record.header("content-type") == "application/cloudevents+json; charset=UTF-8"
    assert set(record.header_names()) == {"content-type", "ce_id", "ce_type"}
    found = events.members(record.value.decode())
    assert found["data"] == shape.data
    for name, value in shape.attributes.items():
        assert json.loads(found[name]) == value, name
        assert isinstance(json.loads(found[name]), str)
    for name in shape.absent:
        assert name not in found
    assert found.get("futuremember") == ('{"x" : [1, 2.50, "\\u00e5"]}' if "futuremember" in shape.event else None)
    assert found.get("futurescalar") == ('"fut\\u0075re"' if "futurescalar" in shape.event else None)


def check_binary(record, shape):
    assert record.value == shape.data.encode()
    assert record.header("content-type") == "application/json"
    for name, value in shape.attributes.items():
        if name == "datacontenttype":
            assert record.header("ce_datacontenttype") is None
        else:
            assert record.header("ce_" + name) == value, name
    for name in shape.absent:
        assert record.header("ce_" + name) is None
    assert record.header("ce_futurescalar") == ("future" if "futurescalar" in shape.event else None)
    assert record.header("ce_futuremember") is None
    assert record.header("ce_data") is None


def check_original(record, shape):
    assert record.value == shape.event.encode()
    assert record.header("content-type") == "application/json"
    assert set(record.header_names()) == {"content-type", "ce_id", "ce_type"}


CHECKS = {"structured": check_structured, "binary": check_binary, "original": check_original}


@pytest.mark.short
@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("make", SHAPES, ids=lambda make: make.__name__)
def test_record_of_each_shape_in_each_format(bridges, reader, http_version, make, format_):
    shape = make()
    bridge = bridges(format_)
    before = reader.ends(bridge.prefix)
    earliest = int(time.time() * 1000)
    answer = bridge.post(shape.path, shape.body, http_version=http_version)
    latest = int(time.time() * 1000)
    assert answer.status == 200
    counts = answer.json()
    assert counts["delivered"] == counts["events"] and counts["dead_lettered"] == 0

    records = reader.read_count(bridge.prefix, counts["events"], before)
    record, = [record for record in records if record.header("ce_id") == shape.attributes["id"]]
    assert record.topic == f"{bridge.prefix}.{shape.topic}"
    assert record.key == shape.key.encode()
    assert record.header("ce_type") == shape.attributes["type"]
    assert earliest <= record.timestamp <= latest
    CHECKS[format_](record, shape)


@pytest.mark.parametrize("sent, time_, original", [
    ("2024-12-17T18:39:33Z", "2024-12-17T18:39:33Z", None),
    ("2025-07-24T13:53:23.994109827Z", "2025-07-24T13:53:23.994109827Z", None),
    ("2025-07-24T13:53:23+02:00", "2025-07-24T13:53:23+02:00", None),
    ("2024-07-11 13:20:42.755", "2024-07-11T13:20:42.755Z", None),
    ("2021-05-27T10:22:37.489-5:00", "2021-05-27T15:22:37.489Z", None),
    ("2014-09-17T22:31:49+0000", "2014-09-17T22:31:49Z", None),
    ("2024-02-29T23:30:00-1:00", "2024-03-01T00:30:00Z", None),
    ("yesterday", None, "yesterday"), ("2023-02-29T00:00:00Z", None, "2023-02-29T00:00:00Z"),
])
def test_time_is_kept_or_turned_into_utc(bridges, reader, sent, time_, original):
    bridge = bridges("structured")
    before = reader.ends(bridge.prefix)
    assert bridge.post(ADOBE, events.cloud_event(time=sent).encode()).json()["delivered"] == 1
    value = json.loads(reader.read_count(bridge.prefix, 1, before)[0].value)
    assert value.get("time") == time_
    assert value.get("originaltime") == original


def _read_one(bridge, reader, before):
    record, = reader.read_count(bridge.prefix, 1, before)
    return record


def test_event_without_data_is_null_in_binary_never_a_tombstone(bridges, reader):
    bridge = bridges("binary")
    before = reader.ends(bridge.prefix)
    body = b'{"specversion":"1.0","type":"com.adobe.platform.marketo.activity.standard.openemail","id":"n-1"}'
    assert bridge.post(ADOBE, body).json()["delivered"] == 1
    record = _read_one(bridge, reader, before)
    assert record.value == b"null"
    assert record.key is None


def test_id_falls_back_to_the_event_id_header_and_then_to_a_digest(bridges, reader):
    bridge = bridges("structured")
    body = b'{"specversion":"1.0","type":"com.adobe.platform.marketo.activity.standard.openemail","data":{"a":1}}'
    before = reader.ends(bridge.prefix)
    bridge.post(ADOBE, body, [("x-adobe-event-id", "from-the-header")])
    assert _read_one(bridge, reader, before).header("ce_id") == "from-the-header"
    before = reader.ends(bridge.prefix)
    bridge.post(ADOBE, body)
    assert _read_one(bridge, reader, before).header("ce_id") == hashlib.sha256(body).hexdigest()
    before = reader.ends(bridge.prefix)
    bridge.post(ADOBE, b"[" + body + b"," + body + b"]", [("x-adobe-event-id", "from-the-header")])
    records = reader.read_count(bridge.prefix, 2, before)
    assert {record.header("ce_id") for record in records} == {hashlib.sha256(body).hexdigest()}


def test_source_defaults_by_stream(bridges, reader):
    bridge = bridges("structured")
    for type_, source in (("activity.standard.openemail", "urn:marketo_activity_stream"),
                          ("audit.user.email", "urn:marketo")):
        before = reader.ends(bridge.prefix)
        bridge.post(ADOBE, b'{"id":"s","type":"com.adobe.platform.marketo.%s","data":{}}' % type_.encode())
        value = json.loads(_read_one(bridge, reader, before).value)
        assert value["source"] == source
        assert value["specversion"] == "1.0"


def test_headers_that_are_asked_for_and_traceparent(start_bridge, reader):
    names = ["munchkinid", "leadid", "x-request-id"]
    bridge = start_bridge({"record": {"headers": names}})
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    bridge.post(ADOBE, events.cloud_event().encode(), [("x-request-id", "asked-1"), ("traceparent", trace)])
    record, = reader.read_count(bridge.prefix, 1)
    assert record.header("ce_munchkinid") == INSTANCE
    assert record.header("ce_leadid") == "12345"
    assert record.header("x-request-id") == "asked-1"
    assert record.header("traceparent") == trace
    assert len(record.headers) == 7
