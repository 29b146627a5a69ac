# SPDX-License-Identifier: Apache-2.0
"""Adobe's digital signature: its published vectors, what may differ and what must not, and whose events they are."""

import gzip
import json
import uuid

import pytest

from harness import events, signatures, vectors
from harness.answers import assert_error, assert_unauthorized, assert_unavailable, finally_answered, refusals
from harness.bridge import ADOBE
from harness.http import Http1
from harness.signatures import Signer, headers, random_signature, signed
from harness.waits import eventually

OURS, OTHERS = "0123456789abcdef0123456789abcdef", "ffffffffffffffffffffffffffffffff"
NODE, JAVA_1, JAVA_2, OTHER = (f"/prod/keys/pub-key-{name}.pem" for name in ("node", "java1", "java2", "other"))


@pytest.fixture(scope="module")
def signers(shared_host):
    return Signer().publish(shared_host), Signer().publish(shared_host)


@pytest.fixture(scope="module")
def bridge(start_shared_bridge, shared_host, signers):
    for path, pem in {NODE: vectors.NODE_KEY, JAVA_1: vectors.JAVA_KEY_1, JAVA_2: vectors.JAVA_KEY_2,
                      OTHER: vectors.OTHER_KEY}.items():
        shared_host.put(path, pem)
    auth = {"signature": True, "key_base": shared_host.base, "recipients": [vectors.CLIENT, OURS, "second"]}
    bridge = start_shared_bridge({"endpoints": [{"path": ADOBE, "sender": "adobe-io", "auth": auth}]})
    body = events.addressed(1, OURS)[0]
    assert bridge.post(ADOBE, body, signed(body, *signers), token=None).status == 200
    assert bridge.post(ADOBE, body, signed(body, *reversed(signers)), token=None).status == 200
    return bridge


@pytest.fixture
def nothing_in_kafka(bridge, reader):
    before = reader.ends(bridge.prefix)
    yield
    assert reader.ends(bridge.prefix) == before


def post(bridge, body, proof, **options):
    return bridge.post(ADOBE, body, proof, token=None, **options)


def delivered(bridge, signers, body, **options):
    answer = post(bridge, body, signed(body, *signers), **options)
    assert answer.status == 200, answer.body
    return answer.json()["delivered"]


# --- Adobe's vectors

@pytest.mark.short
@pytest.mark.parametrize("pairs, paths", [
    ([vectors.NODE_SIGNATURE, vectors.NODE_SIGNATURE], [NODE, NODE]),
    ([vectors.JAVA_SIGNATURE_1, vectors.JAVA_SIGNATURE_2], [JAVA_1, JAVA_2]),
    ([vectors.JAVA_SIGNATURE_2, vectors.JAVA_SIGNATURE_1], [JAVA_2, JAVA_1]),
    ([vectors.JAVA_SIGNATURE_1, None], [JAVA_1, None]),
    ([None, vectors.JAVA_SIGNATURE_2], [None, JAVA_2]),
    ([vectors.WRONG_SIGNATURE, vectors.JAVA_SIGNATURE_2], [JAVA_1, JAVA_2]),
    ([vectors.JAVA_SIGNATURE_1, vectors.WRONG_SIGNATURE], [JAVA_1, JAVA_2]),
    ([vectors.JAVA_SIGNATURE_1, vectors.SHORT_SIGNATURE], [JAVA_1, JAVA_2]),
], ids=["NODE", "JAVA", "JAVA turned round", "first alone", "second alone", "first wrong", "second wrong", "second short"])
def test_vectors(bridge, http_version, pairs, paths):
    answer = post(bridge, vectors.BODY, headers(pairs, paths), http_version=http_version)
    assert answer.status == 200, answer.body
    assert answer.json() == {"events": 1, "delivered": 0, "duplicates": 0, "dead_lettered": 1}


@pytest.mark.parametrize("pairs, paths", [
    ([vectors.SHORT_SIGNATURE] * 2, [NODE, NODE]),
    ([vectors.WRONG_SIGNATURE] * 2, [JAVA_1, JAVA_2]),
    ([vectors.JAVA_SIGNATURE_1, vectors.JAVA_SIGNATURE_2], [JAVA_2, JAVA_1]),
    ([vectors.JAVA_SIGNATURE_1] * 2, [OTHER, OTHER]),
], ids=["short", "wrong", "crossed", "another key"])
def test_wrong_vectors(bridge, nothing_in_kafka, http_version, pairs, paths):
    def ask():
        return post(bridge, vectors.BODY, headers(pairs, paths), http_version=http_version)

    assert_unauthorized(finally_answered(ask, 401), challenge=False)


# --- the body and the headers

@pytest.mark.parametrize("count", [1, 20])
def test_batch_lands_in_kafka(bridge, signers, reader, http_version, count):
    before = reader.ends(bridge.prefix)
    body, ids = events.addressed(count, OURS)
    assert delivered(bridge, signers, body, http_version=http_version) == count
    assert [record.header("ce_id") for record in reader.read_count(bridge.prefix, count, before)] == ids


def test_body_in_pieces(bridge, signers):
    """The signature is over the body, not over how it came."""
    body = events.addressed(40, OURS)[0]
    proof = "".join(f"{name}: {value}\r\n" for name, value in signed(body, *signers))
    head = f"POST {ADOBE} HTTP/1.1\r\nHost: x\r\n{proof}Transfer-Encoding: chunked\r\n\r\n".encode()
    pieces = [body[at:at + 997] for at in range(0, len(body), 997)]
    with Http1(bridge.port) as client:
        client.send(head + b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n")
        assert client.answer().status == 200


ALTERED = {
    "a blank more": lambda body: body + b" ",
    "a line end more": lambda body: body + b"\n",
    "one byte other": lambda body: body.replace(b"12345", b"12346", 1),
    "one byte less": lambda body: body[:-1],
    "an event twice": lambda body: body[:-1] + b"," + body[1:],
    "written anew": lambda body: json.dumps(json.loads(body)).encode(),
    "nothing": lambda body: b"",
}


@pytest.mark.parametrize("name", ALTERED)
def test_altered_body(bridge, signers, nothing_in_kafka, http_version, name):
    body = events.addressed(2, OURS)[0]
    proof = signed(body, *signers)
    with refusals(bridge, ADOBE, "bad_signature"):
        answer = post(bridge, ALTERED[name](body), proof, http_version=http_version)
    assert_unauthorized(answer, challenge=False)


def test_signature_is_over_the_body_as_it_comes(bridge, signers, http_version):
    """Not over what it inflates to: a stranger's body is not inflated."""
    body = events.addressed(5, OURS)[0]
    packed = gzip.compress(body)
    coding = [("Content-Encoding", "gzip")]
    answer = post(bridge, packed, signed(packed, *signers) + coding, http_version=http_version)
    assert answer.status == 200 and answer.json()["delivered"] == 5
    assert_unauthorized(post(bridge, packed, signed(body, *signers) + coding, http_version=http_version), challenge=False)


@pytest.mark.parametrize("kept", [(), (0,), (2,), (0, 1), (2, 3), (0, 3), (1, 2)], ids=str)
def test_missing_headers(bridge, signers, nothing_in_kafka, http_version, kept):
    """No pair of a signature and its key's path is complete."""
    body = events.addressed(1, OURS)[0]
    proof = signed(body, *signers)
    with refusals(bridge, ADOBE, "no_signature"):
        answer = post(bridge, body, [proof[n] for n in kept], http_version=http_version)
    assert_unauthorized(answer, challenge=False)


def test_token_does_not_help(bridge, nothing_in_kafka):
    body = events.addressed(1, OURS)[0]
    assert_unauthorized(bridge.post(ADOBE, body), challenge=False)


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("same", [True, False])
def test_repeated_header(bridge, signers, nothing_in_kafka, http_version, at, same):
    """It could not be told which one counts."""
    body = events.addressed(1, OURS)[0]
    proof = signed(body, *signers)
    again = proof[at] if same else (proof[at][0], proof[at][1][:-8] + "AAAA.pem")
    with refusals(bridge, ADOBE, "repeated_header"):
        answer = post(bridge, body, [*proof, again], http_version=http_version)
    assert_unauthorized(answer, challenge=False)


@pytest.mark.parametrize("signature", [
    "", "=", "AAAA", "not base64!", "A" * 340, "é" * 344, "A" * 5000, " " * 344,
], ids=["empty", "sign", "short", "no base64", "shorter", "not ASCII", "long", "blanks"])
def test_what_is_no_signature(bridge, signers, nothing_in_kafka, signature, shared_host):
    body = events.addressed(1, OURS)[0]
    before = shared_host.count()
    signature = signature.encode().decode("latin-1")
    with refusals(bridge, ADOBE, "bad_signature", "no_signature"):
        answer = post(bridge, body, headers([signature] * 2, [signatures.fresh_path(), signatures.fresh_path()]))
    assert_unauthorized(answer, challenge=False)
    assert shared_host.count() == before, "a key was fetched for what cannot be a signature"


def test_names_of_headers_in_any_case(bridge, signers):
    body = events.addressed(1, OURS)[0]
    proof = [(name.upper(), value) for name, value in signed(body, *signers)]
    assert post(bridge, body, proof).status == 200


def test_unparseable_body_with_a_good_signature_is_a_dead_letter(bridge, signers, reader, http_version):
    before = reader.ends(bridge.prefix)
    body = b'{"recipientclientid": "' + uuid.uuid4().hex.encode()
    answer = post(bridge, body, signed(body, *signers), http_version=http_version)
    assert answer.status == 200, answer.body
    assert answer.json() == {"events": 1, "delivered": 0, "duplicates": 0, "dead_lettered": 1}
    record, = reader.read_count(bridge.prefix, 1, before)
    assert record.value == body


# --- paths

@pytest.mark.parametrize("path", [
    "", "/", "/prod/keys/", "/prod/keys/.pem", "/prod/keys/../keys/a.pem", "/prod/keys/../../etc/a.pem",
    "/prod/keys/%2e%2e/a.pem", "/prod/keys/a%2epem", "/prod/keys//a.pem", "//evil.example/prod/keys/a.pem",
    "/prod//keys/a.pem", "prod/keys/a.pem", "@evil.example/prod/keys/a.pem", ".evil.example/prod/keys/a.pem",
    ":80/prod/keys/a.pem", "https://evil.example/prod/keys/a.pem", "/prod/keys/a.pem?x", "/prod/keys/a.pem#x",
    "/prod/keys/a.pem/", "/prod/keys/a.txt", "/prod/keys/a.PEM", "/stage/keys/a.pem", "/PROD/keys/a.pem",
    "/prod/keys/a b.pem", "/prod/keys/a\\b.pem", "/prod/keys/a/b.pem", "/prod/keys/å.pem", "/prod/keys/..pem",
    "/prod/keys/" + "a" * 500 + ".pem", "/prod/keys/a;b.pem", "/prod/keys/a.pem,/prod/keys/b.pem",
], ids=repr)
def test_path_outside_the_known_form(bridge, nothing_in_kafka, shared_host, path):
    """Never asked for; and no final refusal, since Adobe may have new paths one day."""
    body = events.addressed(1, OURS)[0]
    before = shared_host.count()
    pairs = headers([random_signature()] * 2, [path.encode().decode("latin-1")] * 2)
    answer = post(bridge, body, pairs)
    if path == "":
        assert answer.status in (401, 503)
    else:
        assert_unavailable(answer, "unknown_key")
    assert shared_host.count() == before


def test_path_outside_the_known_form_is_counted(bridge, http_version):
    body = events.addressed(1, OURS)[0]
    with refusals(bridge, ADOBE, "unknown_key"):
        pairs = headers([random_signature()] * 2, ["/prod/keys/a/b.pem"] * 2)
        assert_unavailable(post(bridge, body, pairs, http_version=http_version), "unknown_key")


@pytest.mark.parametrize("first", [True, False])
def test_path_outside_the_known_form_beside_a_good_pair(bridge, signers, first):
    body = events.addressed(1, OURS)[0]
    proof, path = [signers[0].sign(body), random_signature()], [signers[0].path, "/prod/keys/a/b.pem"]
    assert post(bridge, body, headers(proof[::1 if first else -1], path[::1 if first else -1])).status == 200


def test_other_adobe_probes_need_no_signature(bridge, http_version, nothing_in_kafka):
    for method in ("GET", "HEAD"):
        assert bridge.request(method, ADOBE, http_version=http_version).status == 200
    answer = bridge.request("GET", ADOBE + "?challenge=abc", http_version=http_version)
    assert (answer.status, answer.body) == (200, b"abc")
    body = b'{"validationUrl":"https://csm.adobe.io/csm/registrations/validate?id=1&challenge=2"}'
    assert bridge.request("POST", ADOBE, body=body, http_version=http_version).status == 200


# --- recipients

def _nested(recipient, name, outside=False):
    member = f'"{name}":"{recipient}"'
    return ('{"event_id":"' + str(uuid.uuid4()) + '","event":' + events.cloud_event(members="" if outside else "," + member)
            + ("," + member if outside else "") + "}")


@pytest.mark.parametrize("name", ["recipientclientid", "recipient_client_id"])
@pytest.mark.parametrize("recipient", [OURS, "second"])
def test_our_recipients_are_found_where_they_stand(bridge, signers, http_version, name, recipient):
    flat = events.cloud_event(members=f',"{name}":"{recipient}"')
    bodies = [flat, f"[{flat}]", _nested(recipient, name), _nested(recipient, name, outside=True)]
    bodies.append(f"[{flat},{_nested(recipient, name)},{_nested(recipient, name, outside=True)}]")
    for body in bodies:
        assert delivered(bridge, signers, body.encode(), http_version=http_version) >= 1


@pytest.mark.parametrize("name", ["recipientclientid", "recipient_client_id"])
@pytest.mark.parametrize("place", ["flat", "inside", "outside", "missing", "null", "number", "other case", "longer"])
def test_one_foreign_event_refuses_the_whole_batch(bridge, signers, nothing_in_kafka, http_version, name, place):
    ours = events.cloud_event(members=f',"recipientclientid":"{OURS}"')
    foreign = {
        "flat": events.cloud_event(members=f',"{name}":"{OTHERS}"'), "inside": _nested(OTHERS, name),
        "outside": _nested(OTHERS, name, outside=True), "missing": events.cloud_event(),
        "null": events.cloud_event(members=f',"{name}":null'), "number": events.cloud_event(members=f',"{name}":7'),
        "other case": events.cloud_event(members=f',"{name}":"{OURS.upper()}"'),
        "longer": events.cloud_event(members=f',"{name}":"{OURS}0"'),
    }[place]
    body = f"[{ours},{foreign},{ours}]".encode()
    with refusals(bridge, ADOBE, "unknown_recipient"):
        answer = post(bridge, body, signed(body, *signers), http_version=http_version)
    assert_unavailable(answer, "unknown_recipient")


@pytest.mark.parametrize("at", [0, 1, 2], ids=["first", "second", "last"])
def test_foreign_event_is_seen_wherever_it_stands(bridge, signers, nothing_in_kafka, at):
    """Recipients differ, so that each one has to be looked at."""
    recipients = [OURS, "second", OURS]
    recipients[at] = OTHERS
    body = "[" + ",".join(events.cloud_event(members=f',"recipientclientid":"{one}"') for one in recipients) + "]"
    answer = post(bridge, body.encode(), signed(body.encode(), *signers))
    assert_unavailable(answer, "unknown_recipient")


def test_log_tells_which_recipient(bridge, signers):
    stranger = "stranger-" + uuid.uuid4().hex[:12]
    body = events.addressed(1, stranger)[0]

    def told():
        assert_error(post(bridge, body, signed(body, *signers)), 503, "unknown_recipient")
        return bridge.logged(stranger)

    assert eventually(told, 10, "it is named", every=0.5)


@pytest.mark.parametrize("spelling", ["recipientclientid", "recipient_client_id"])
def test_two_that_do_not_agree(bridge, signers, spelling):
    """Both spellings are there, and one of them is somebody else."""
    other = ({"recipientclientid", "recipient_client_id"} - {spelling}).pop()
    body = events.cloud_event(members=f',"{spelling}":"{OURS}","{other}":"{OTHERS}"').encode()
    answer = post(bridge, body, signed(body, *signers))
    assert_unavailable(answer, "unknown_recipient")


def test_recipient_is_looked_at_after_the_signature(bridge, nothing_in_kafka):
    body = events.addressed(1, OTHERS)[0]
    assert_unauthorized(post(bridge, body, []), challenge=False)
