# SPDX-License-Identifier: Apache-2.0
"""What each kind of request is answered, over both protocols."""

import gzip
import json
import re
import uuid

import pytest

from harness import events
from harness.answers import assert_error
from harness.bridge import ACTIVITY, ADOBE, TOKEN
from harness.waits import eventually

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture
def bridge(shared_bridge):
    return shared_bridge


@pytest.fixture
def nothing_in_kafka(bridge, reader):
    before = reader.ends(bridge.prefix)
    yield
    assert reader.ends(bridge.prefix) == before


@pytest.mark.short
@pytest.mark.parametrize("path", [ACTIVITY, ADOBE])
def test_batch_is_answered_200_with_its_counts(bridge, reader, http_version, path):
    before = reader.ends(bridge.prefix)
    body, ids = events.activities(20)
    answer = bridge.post(path, body, http_version=http_version)
    assert answer.status == 200
    assert answer.header("content-type").split(";")[0] == "application/json"
    assert answer.json() == {"events": 20, "delivered": 20, "duplicates": 0, "dead_lettered": 0}
    records = reader.read_count(bridge.prefix, 20, before)
    assert [record.header("ce_id") for record in records] == ids


def test_dead_letters_are_counted_beside_the_delivered(bridge, http_version):
    body = f'[{events.cloud_event()}, 17, {events.cloud_event()}, {{"no":"type"}}]'.encode()
    answer = bridge.post(ADOBE, body, http_version=http_version)
    assert answer.status == 200
    assert answer.json() == {"events": 4, "delivered": 2, "duplicates": 0, "dead_lettered": 2}


@pytest.mark.parametrize("body", [b"[]", b" [ ] ", events.wrapper()], ids=["array", "blanks", "activities"])
def test_no_events_are_answered_200_with_zeros(bridge, nothing_in_kafka, http_version, body):
    answer = bridge.post(ACTIVITY, body, http_version=http_version)
    assert answer.status == 200
    assert answer.json() == {"events": 0, "delivered": 0, "duplicates": 0, "dead_lettered": 0}


@pytest.mark.parametrize("path", [ACTIVITY, ADOBE, ACTIVITY + "?challenge=abc", ADOBE + "?other=1"])
def test_get_needs_no_credentials(bridge, http_version, path):
    answer = bridge.request("GET", path, http_version=http_version)
    assert answer.status == 200
    assert answer.json() == {"status": "ok"}


@pytest.mark.parametrize("path", [ACTIVITY, ADOBE])
def test_head_needs_no_credentials_and_has_no_body(bridge, http_version, path):
    answer = bridge.request("HEAD", path, http_version=http_version)
    assert answer.status == 200
    assert answer.body == b""
    assert answer.header("x-request-id")


@pytest.mark.parametrize("sent, value", [
    ("8ec8d794-e0ab-42df-9017-e3dada8e84f7", "8ec8d794-e0ab-42df-9017-e3dada8e84f7"),
    ("a" * 256, "a" * 256),
    ("%3Cb%3E", "<b>"),
    ("a~!$'()*", "a~!$'()*"),
])
def test_challenge_is_given_back_as_plain_text(bridge, http_version, sent, value):
    answer = bridge.request("GET", f"{ADOBE}?x=1&challenge={sent}&y=2", http_version=http_version)
    assert answer.status == 200
    assert answer.body == value.encode()
    assert answer.header("content-type").split(";")[0] == "text/plain"
    assert answer.header("x-content-type-options") == "nosniff"


@pytest.mark.parametrize("sent", ["", "a" * 257, "%0d%0aSet-Cookie:x", "%c3%a5", "a%00b", "%zz"])
def test_challenge_that_is_not_printable_ascii_is_refused(bridge, http_version, sent):
    answer = bridge.request("GET", f"{ADOBE}?challenge={sent}", http_version=http_version)
    assert_error(answer, 400, "bad_challenge")
    assert answer.header("set-cookie") is None


VALIDATION = "https://csm.adobe.io/csm/registrations/validate?id=11&challenge=22"


def test_validation_url_is_logged_and_not_sent_to_kafka(bridge, nothing_in_kafka, http_version):
    mark = uuid.uuid4().hex
    body = json.dumps({"validationUrl": VALIDATION + mark}).encode()
    answer = bridge.request("POST", ADOBE, body=body, http_version=http_version)
    assert answer.status == 200
    eventually(lambda: bridge.logged(VALIDATION + mark, level="warning"), what="the URL is logged")


@pytest.mark.parametrize("url", [
    "https://csm.adobe.io.example.com/csm/registrations/validate?id=", "http://csm.adobe.io/csm/registrations/validate?id=",
    "https://csm.adobe.io/csm/registrations/other?id=", "https://user@example.com/?https://csm.adobe.io/csm/registrations/validate",
])
def test_foreign_validation_url_is_answered_200_but_not_logged(bridge, nothing_in_kafka, url):
    mark = uuid.uuid4().hex
    answer = bridge.request("POST", ADOBE, body=json.dumps({"validationUrl": url + mark}).encode())
    assert answer.status == 200
    assert not [line for line in bridge.logged(mark) if line.get("level") in ("warning", "info")]


def test_validation_url_is_looked_for_on_adobe_io_only(bridge, nothing_in_kafka):
    body = json.dumps({"validationUrl": VALIDATION}).encode()
    assert_error(bridge.request("POST", ACTIVITY, body=body), 401, "unauthorized")


@pytest.mark.parametrize("body", [
    json.dumps({"validationUrl": VALIDATION, "more": 1}).encode(),
    json.dumps({"validationUrl": VALIDATION + "x" * 4096}).encode(),
    json.dumps([{"validationUrl": VALIDATION}]).encode(),
], ids=["second member", "over 4 KiB", "in an array"])
def test_what_only_resembles_a_validation_needs_credentials(bridge, nothing_in_kafka, body):
    assert_error(bridge.request("POST", ADOBE, body=body), 401, "unauthorized")


@pytest.mark.parametrize("value", [TOKEN, f"Bearer {TOKEN}", f"Token {TOKEN}", f"bearer {TOKEN}", f"TOKEN {TOKEN}"],
                         ids=["bare", "Bearer", "Token", "bearer", "TOKEN"])
@pytest.mark.parametrize("path", [ACTIVITY, ADOBE])
def test_token_is_taken_bare_and_after_a_scheme(bridge, http_version, path, value):
    answer = bridge.request("POST", path, [("Authorization", value)], b"[]", http_version)
    assert answer.status == 200


@pytest.mark.parametrize("headers", [
    [], [("Authorization", "")], [("Authorization", "Bearer")], [("Authorization", "Bearer wrong")],
    [("Authorization", TOKEN[:-1])], [("Authorization", TOKEN + "x")], [("Authorization", f"Basic {TOKEN}")],
    [("X-Api-Key", TOKEN)],
], ids=["missing", "empty", "scheme only", "wrong", "shorter", "longer", "other scheme", "other header"])
def test_no_or_wrong_token_is_401(bridge, nothing_in_kafka, http_version, headers):
    body, _ = events.activities(1)
    answer = bridge.request("POST", ACTIVITY, headers, body, http_version)
    assert_error(answer, 401, "unauthorized")
    assert answer.header("www-authenticate").startswith("Bearer")


def test_any_of_several_tokens_and_one_from_a_file(start_bridge, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("file-token-1\n")
    tokens = ["first-token", "${file:%s}" % secret, "${BRIDGE_TEST_TOKEN}"]
    endpoints = [
        {"path": "/a", "sender": "activity-push", "auth": {"tokens": tokens}},
        {"path": "/open", "sender": "adobe-io", "auth": "none"},
    ]
    bridge = start_bridge({"endpoints": endpoints}, environment={"BRIDGE_TEST_TOKEN": "environment-token-1"})
    for token in ("first-token", "file-token-1", "environment-token-1"):
        assert bridge.post("/a", b"[]", token=token).status == 200
    assert bridge.post("/a", b"[]", token="none").status == 401
    assert bridge.post("/open", b"[]", token=None).status == 200
    for secret in ("first-token", "file-token-1", "environment-token-1"):
        assert secret not in bridge.log_text()


@pytest.mark.parametrize("path", [
    "/", "/marketo", "/marketo/activity/", "/marketo/activity/x", "/MARKETO/activity", "/marketo/%61ctivity",
    "//marketo/activity", "/marketo/./activity", "/metrics", "/health/ready",
])
def test_path_is_compared_exactly(bridge, nothing_in_kafka, http_version, path):
    headers = [("Authorization", f"Bearer {TOKEN}")]
    assert_error(bridge.request("POST", path, headers, b"[]", http_version), 404, "not_found")
    assert_error(bridge.request("GET", path, http_version=http_version), 404, "not_found")


def test_query_is_not_part_of_the_path(bridge, http_version):
    assert bridge.post(ACTIVITY + "?a=/b", b"[]", http_version=http_version).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_405_with_allow(bridge, nothing_in_kafka, http_version, method):
    answer = bridge.request(method, ACTIVITY, http_version=http_version)
    assert_error(answer, 405, "method_not_allowed")
    assert {name.strip() for name in answer.header("allow").split(",")} == {"GET", "HEAD", "POST"}


def test_path_is_looked_at_before_method_and_credentials(bridge):
    assert_error(bridge.request("DELETE", "/nowhere"), 404, "not_found")
    assert_error(bridge.request("DELETE", ACTIVITY, [("Authorization", "wrong")]), 405, "method_not_allowed")


@pytest.mark.parametrize("sent", ["a", "Az09._-", "x" * 64])
def test_request_id_of_the_sender_is_given_back(bridge, http_version, sent):
    answer = bridge.request("GET", ACTIVITY, [("x-request-id", sent)], http_version=http_version)
    assert answer.header("x-request-id") == sent


@pytest.mark.parametrize("sent", [None, "", "x" * 65, "a b", "a/b", "å"])
def test_other_request_ids_are_replaced_by_a_uuid(bridge, http_version, sent):
    headers = [] if sent is None else [("x-request-id", sent)]
    answers = [bridge.request("GET", "/nowhere", headers, http_version=http_version) for _ in range(2)]
    found = [answer.header("x-request-id") for answer in answers]
    assert all(UUID.fullmatch(one) for one in found)
    assert found[0] != found[1]


def test_request_id_is_in_the_log_with_the_offsets_at_debug(bridge, reader):
    request_id = f"log-{uuid.uuid4().hex}"
    before = reader.ends(bridge.prefix)
    body, _ = events.activities(3)
    bridge.post(ACTIVITY, body, [("x-request-id", request_id)])
    record = reader.read_count(bridge.prefix, 3, before)[0]
    lines = eventually(lambda: bridge.logged(request_id, level="debug"), what="the batch is logged")
    assert any(record.topic in str(line) and str(record.offset) in str(line) for line in lines), lines


@pytest.mark.parametrize("type_", [
    "application/json; charset=utf-8", "application/cloudevents+json; charset=UTF-8",
    "application/cloudevents-batch+json", "text/plain", None,
])
def test_any_content_type_is_taken(bridge, type_):
    headers = [("Authorization", TOKEN)] + ([("Content-Type", type_)] if type_ else [])
    body, _ = events.activities(1)
    assert bridge.request("POST", ADOBE, headers, body).json()["delivered"] == 1


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZip", "identity", "Identity"])
def test_known_content_codings_are_taken(bridge, reader, http_version, coding):
    before = reader.ends(bridge.prefix)
    body, ids = events.activities(5)
    sent = body if coding.lower() == "identity" else gzip.compress(body)
    answer = bridge.post(ACTIVITY, sent, [("Content-Encoding", coding)], http_version)
    assert answer.json()["delivered"] == 5
    assert [record.header("ce_id") for record in reader.read_count(bridge.prefix, 5, before)] == ids


def _bombs():
    good = gzip.compress(events.activities(1)[0])
    return [
        ("br", b"\x0b\x02\x80[]\x03"), ("deflate", b"[]"), ("gzip, gzip", gzip.compress(good)),
        ("gzip", b"[]"), ("gzip", good[:-9]), ("gzip", good[:-5] + b"\0\0\0\0\0"), ("gzip", good + b"trailing"),
        ("gzip", gzip.compress(b"[" + b" " * (64 << 20) + b"]")), ("gzip", b""),
    ]


@pytest.mark.parametrize("coding, body", _bombs(), ids=[
    "unknown", "deflate", "two", "not gzip", "cut off", "checksum", "trailing", "bomb", "empty"])
def test_what_cannot_be_inflated_is_one_dead_letter(bridge, reader, coding, body):
    before = reader.ends(bridge.prefix)
    answer = bridge.post(ADOBE, body, [("Content-Encoding", coding)])
    assert answer.status == 200
    assert answer.json() == {"events": 1, "delivered": 0, "duplicates": 0, "dead_lettered": 1}
    record, = reader.read_count(bridge.prefix, 1, before)
    assert record.topic == bridge.prefix + ".deadletter"
    assert record.header("dl_reason") == "bad_encoding"
    assert record.header("dl_detail")
    assert record.value == body


def test_bad_encoding_without_a_token_is_401(bridge, nothing_in_kafka):
    answer = bridge.post(ADOBE, b"junk", [("Content-Encoding", "gzip")], token=None)
    assert_error(answer, 401, "unauthorized")


def test_body_up_to_the_limit_is_taken_and_over_it_is_413(start_bridge, reader, http_version):
    bridge = start_bridge({"limits": {"body": "64KiB"}})
    body, _ = events.activities(3)
    full = body[:-1] + b" " * (65536 - len(body)) + b"]"
    assert len(full) == 65536
    assert bridge.post(ACTIVITY, full, http_version=http_version).json()["delivered"] == 3
    before = reader.ends(bridge.prefix)
    answer = bridge.post(ACTIVITY, full + b" ", http_version=http_version)
    assert_error(answer, 413, "body_too_large")
    answer = bridge.post(ACTIVITY, full + b" ", http_version=http_version, token=None)
    assert_error(answer, 413, "body_too_large")
    assert reader.ends(bridge.prefix) == before
    assert bridge.post(ACTIVITY, body, http_version=http_version).status == 200


def test_inflated_body_has_the_same_limit(start_bridge, reader):
    bridge = start_bridge({"limits": {"body": "64KiB"}})
    body, _ = events.activities(1)
    full = body[:-1] + b" " * (65536 - len(body)) + b"]"
    sent = [("Content-Encoding", "gzip")]
    assert bridge.post(ACTIVITY, gzip.compress(full), sent).json()["delivered"] == 1
    answer = bridge.post(ACTIVITY, gzip.compress(full + b" "), sent)
    assert answer.json()["dead_lettered"] == 1
    letter = [record for record in reader.read(bridge.prefix) if record.topic.endswith(".deadletter")]
    assert [record.header("dl_reason") for record in letter] == ["bad_encoding"]
