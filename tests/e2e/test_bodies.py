# SPDX-License-Identifier: Apache-2.0
"""Bad bodies, each with its status, topic, headers and bytes; and odd ones that are good."""

import json
import pathlib

import pytest

from harness import events
from harness.bridge import ACTIVITY, ADOBE, ROOT
from harness.events import INSTANCE
from test_dead_letters import assert_whole

GOOD = events.cloud_event
OPEN = "com.adobe.platform.marketo.activity.standard.openemail"


@pytest.fixture
def send(shared_bridge, reader, http_version):
    """send(body) posts it and gives (answer, its records: the delivered, the dead letters)."""
    def post(body, path=ADOBE, headers=()):
        body = body.encode() if isinstance(body, str) else body
        before = reader.ends(shared_bridge.prefix)
        answer = shared_bridge.post(path, body, [("x-request-id", "req-1"), *headers], http_version)
        assert answer.status == 200, answer.body
        counts = answer.json()
        assert counts["events"] == counts["delivered"] + counts["dead_lettered"]
        assert counts["duplicates"] == 0
        records = reader.read_count(shared_bridge.prefix, counts["events"], before)
        letters = [record for record in records if record.topic == shared_bridge.prefix + ".deadletter"]
        good = [record for record in records if record not in letters]
        assert (len(good), len(letters)) == (counts["delivered"], counts["dead_lettered"])
        assert all(record.header("dl_reason") is None for record in good)
        return good, letters

    return post


def assert_letter(letter, reason, value, path="", key=b"req-1", sender="adobe-io"):
    assert letter.header("dl_reason") == reason
    assert letter.header("dl_detail")
    assert letter.header("dl_path") == path
    assert letter.header("dl_sender") == sender
    assert letter.header("x-request-id") == "req-1"
    assert letter.header("ce_id") is None and letter.header("ce_type") is None
    assert letter.header("dl_part") is None and letter.header("dl_parts") is None
    assert letter.key == key
    assert letter.value == (value.encode() if isinstance(value, str) else value)


def _deep(levels):
    """An event whose deepest array stands at this level, the event itself being the first."""
    inside = levels - 1
    return GOOD(data="[" * inside + "]" * inside)


WHOLE = {
    "truncated": GOOD()[:-7],
    "truncated array": "[" + GOOD() + "," + GOOD()[:-1],
    "empty": "",
    "blanks only": " \r\n\t",
    "not utf-8": b"\xff\xfe[]",
    "trailing garbage": GOOD() + "x",
    "two documents": GOOD() + GOOD(),
    "trailing comma": "[" + GOOD() + ",]",
    "missing comma": "[" + GOOD() + " " + GOOD() + "]",
    "single quotes": "{'type':'x'}",
    "NaN": "[NaN]",
    "two byte order marks": b"\xef\xbb\xbf\xef\xbb\xbf[]",
    "utf-16": "[]".encode("utf-16"),
    "form data": "payload=%7B%7D",
    "raw NUL": b'{"type":"x\x00"}',
    "leading zero": '{"a":01}',
}


@pytest.mark.parametrize("body", WHOLE.values(), ids=WHOLE.keys())
def test_body_that_is_not_json_is_one_dead_letter(send, body):
    good, letters = send(body)
    assert good == []
    assert_letter(letters[0], "not_json", body)


def test_published_notification_sample_that_is_not_json(send):
    """The sample of Adobe's Data Streams page has a trailing comma and lacks one."""
    body = (ROOT / "schemas/samples/notification-single-data-streams.invalid.json").read_bytes()
    good, letters = send(body)
    assert good == []
    assert_letter(letters[0], "not_json", body)


def test_wrapper_endpoint_is_named_as_sender(send):
    _, letters = send("nonsense", ACTIVITY)
    assert_letter(letters[0], "not_json", "nonsense", sender="activity-push")


def test_byte_order_mark_is_skipped(send):
    good, letters = send(b"\xef\xbb\xbf" + GOOD(event_id="bom").encode())
    assert letters == []
    assert good[0].header("ce_id") == "bom"


ELEMENTS = {
    "stray byte": ('{"type":"%s","data":{"a":"\xff"}}' % OPEN, "not_json"),
    "overlong utf-8": ('{"type":"%s","data":{"a":"\xc0\xaf"}}' % OPEN, "not_json"),
    "surrogate in utf-8": ('{"type":"%s","data":{"a":"\xed\xa0\x80"}}' % OPEN, "not_json"),
    "type twice": ('{"type":"%s","type":"%s","data":{}}' % (OPEN, OPEN), "duplicate_member"),
    "id twice": ('{"type":"%s","id":"1","id":"2","data":{}}' % OPEN, "duplicate_member"),
    "data twice": ('{"type":"%s","data":{},"data":{}}' % OPEN, "duplicate_member"),
    "lead twice": ('{"type":"%s","data":{"leadId":"1","leadId":"2"}}' % OPEN, "duplicate_member"),
    "number": ("17", "not_object"),
    "text": ('"text"', "not_object"),
    "null": ("null", "not_object"),
    "empty array": ("[]", "not_object"),
    "array": ('[{"type":"%s"}]' % OPEN, "not_object"),
    "activities an object": ('{"activities":{}}', "not_object"),
    "activities null": ('{"munchkinId":"1","activities":null}', "not_object"),
    "empty": ("{}", "no_type"),
    "no type": ('{"data":{"a":1}}', "no_type"),
    "type a number": ('{"type":17,"data":{}}', "no_type"),
    "type not Marketo's": ('{"type":"com.example.other","data":{}}', "no_type"),
    "type empty": ('{"type":"","data":{}}', "no_type"),
}


@pytest.mark.parametrize("element, reason", ELEMENTS.values(), ids=ELEMENTS.keys())
def test_bad_element_is_dead_lettered_and_its_neighbours_are_not(send, element, reason):
    element = element.encode("latin-1")
    first, last = GOOD(event_id="first").encode(), GOOD(event_id="last").encode()
    good, letters = send(b"[" + first + b" , " + element + b" ," + last + b"]")
    assert [record.header("ce_id") for record in good] == ["first", "last"]
    assert len(letters) == 1
    munchkin = b"1" if b'"munchkinId":"1"' in element else b"req-1"
    assert_letter(letters[0], reason, element, "/1", key=munchkin)


@pytest.mark.parametrize("element", ["17", '"text"', "null", "true"])
def test_body_that_is_no_object(send, element):
    good, letters = send(element)
    assert good == []
    assert_letter(letters[0], "not_object", element)


def test_64_levels_are_taken_and_65_are_a_dead_letter(send):
    fits, over = _deep(64), _deep(65)
    good, letters = send(f"[{fits},{over}]")
    assert len(good) == 1
    assert_letter(letters[0], "not_json", over, "/1")


def test_array_around_does_not_count_as_a_level(send):
    good, letters = send(_deep(64))
    assert (len(good), letters) == (1, [])


def test_bad_activity_in_a_wrapper(send):
    bad = ['{"marketoGUID":"g","leadId":1}', "5", '{"activityTypeId":1,"activityTypeId":2}']
    body = events.wrapper(events.activity(guid="a"), *bad, events.activity(guid="b"))
    good, letters = send(body, ACTIVITY)
    assert [record.header("ce_id") for record in good] == ["a", "b"]
    for letter, value, place, reason in zip(letters, bad, (1, 2, 3), ("no_type", "not_object", "duplicate_member")):
        assert_letter(letter, reason, value, f"/activities/{place}", INSTANCE.encode(), "activity-push")


def test_path_of_an_activity_of_a_wrapper_in_an_array(send):
    body = b"[" + GOOD().encode() + b"," + events.wrapper(events.activity(), "5") + b"]"
    good, letters = send(body)
    assert len(good) == 2
    assert_letter(letters[0], "not_object", "5", "/1/activities/1", INSTANCE.encode())


def test_4_mib_array_of_numbers_is_one_dead_letter(shared_bridge, reader, http_version):
    """Two million numbers are too many events, not two million dead letters."""
    body = b"[" + b",".join([b"1"] * ((4 << 20) // 2 - 1)) + b"]"
    assert len(body) <= 4 << 20
    before = reader.ends(shared_bridge.prefix)
    answer = shared_bridge.post(ADOBE, body, http_version=http_version)
    assert answer.json() == {"events": 1, "delivered": 0, "duplicates": 0, "dead_lettered": 1}
    letters = [r for r in reader.read(shared_bridge.prefix, before) if r.topic.endswith(".deadletter")]
    assert {letter.header("dl_reason") for letter in letters} == {"too_many_events"}
    assert b"".join(letter.value for letter in letters) == body


def _numbered(count):
    return ("[" + ",".join('{"type":"%s","id":"%d"}' % (OPEN, n) for n in range(count)) + "]").encode()


def test_10000_events_are_taken_and_10001_are_one_dead_letter(shared_bridge, reader):
    before = reader.ends(shared_bridge.prefix)
    assert shared_bridge.post(ADOBE, _numbered(10000)).json()["delivered"] == 10000
    records = reader.read_count(shared_bridge.prefix, 10000, before)
    assert [record.header("ce_id") for record in records] == [str(n) for n in range(10000)]
    before = reader.ends(shared_bridge.prefix)
    answer = shared_bridge.post(ADOBE, _numbered(10001), [("x-request-id", "req-1")])
    assert answer.json() == {"events": 1, "delivered": 0, "duplicates": 0, "dead_lettered": 1}
    letter, = reader.read_count(shared_bridge.prefix, 1, before)
    assert_letter(letter, "too_many_events", _numbered(10001))


def test_members_that_cannot_be_decoded_count_as_absent(send):
    """NUL and lone surrogates in members that are read; the same bytes in `data` travel on (see ODD)."""
    data = '{"munchkinId":"a\\u0000b","leadId":"\\ud800","other":"\\u0000\\udfff"}'
    text = GOOD(data, event_id="\\ud800x")
    good, letters = send(text)
    assert letters == []
    eventid = json.loads(text)["eventid"]
    assert good[0].key is None
    assert good[0].header("ce_id") == eventid
    members = events.members(good[0].value.decode())
    assert members["data"] == data
    assert "munchkinid" not in members and "leadid" not in members and "subject" not in members


def test_type_that_cannot_be_decoded_is_no_type(send):
    element = '{"type":"%s\\u0000","data":{}}' % OPEN
    _, letters = send(element)
    assert_letter(letters[0], "no_type", element)


def test_event_of_1_5_mb_is_a_dead_letter_in_parts(shared_bridge, reader, http_version):
    large = events.cloud_event(events.activity_data(extra=events.ODD + ',"pad":"' + "p" * 1_500_000 + '"'))
    body = f"[{GOOD()},{large},{GOOD()}]".encode()
    before = reader.ends(shared_bridge.prefix)
    answer = shared_bridge.post(ADOBE, body, http_version=http_version)
    assert answer.json() == {"events": 3, "delivered": 2, "duplicates": 0, "dead_lettered": 1}
    letters = [r for r in reader.read(shared_bridge.prefix, before) if r.topic.endswith(".deadletter")]
    assert_whole(letters, large.encode(), 2)
    for letter in letters:
        assert letter.header("dl_reason") == "too_large"
        assert letter.header("dl_topic") == shared_bridge.prefix + ".activity"
        assert letter.header("dl_path") == "/1"
        assert letter.key == INSTANCE.encode()


SAMPLES = sorted((ROOT / "schemas/samples").rglob("*.json"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_delivered_or_kept(send, path: pathlib.Path):
    body = path.read_bytes()
    good, letters = send(body)
    if ".invalid." in path.name:
        assert_letter(letters[0], "not_json", body)
    else:
        assert letters == [] and good
        stream = path.name.split("-")[0]
        assert {record.topic.rsplit(".", 1)[1] for record in good} == {stream}
