# SPDX-License-Identifier: Apache-2.0
"""Opaque tokens: asked about at a real provider, and at one that says whatever the test wants."""

import base64
import threading
import time
import urllib.parse
import uuid

import pytest

from harness import events, jwt
from harness.answers import assert_token_refused, assert_unavailable, finally_answered, reasons, refusals
from harness.bridge import ACTIVITY, SLOW
from harness.http import CLIENTS
from harness.load import Load
from harness.provider import OTHER, SENDER
from harness.secrets import remember
from harness.waits import eventually

ASK = "/introspect"
ISSUER, AUDIENCE = "https://idp.example", "https://bridge.example/opaque"
CLIENT, SECRET = "bridge client:1", remember("s3cret +/%&=:ä")


def _settings(oauth):
    return {"endpoints": [{"path": ACTIVITY, "sender": "activity-push", "auth": {"oauth": oauth}}]}


def _asking(host, **more):
    return _settings({
        "introspection_url": host.url(ASK), "client_id": CLIENT, "client_secret": SECRET, "audience": AUDIENCE,
        "issuer": ISSUER, "jwks_url": host.url("/jwks"), "allowed_clients": ["adobe"], **more,
    })


def _active(**members):
    found = {"active": True, "client_id": "adobe", "iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 600}
    return {name: value for name, value in {**found, **members}.items() if value is not None}


def _opaque():
    return remember("opaque-" + uuid.uuid4().hex)


def _post(bridge, token, **options):
    return bridge.post(ACTIVITY, b"[]", token=token, **options)


# --- a real provider

@pytest.fixture(scope="module")
def bridge(start_shared_bridge, provider):
    return start_shared_bridge(_settings(
        {**provider.oauth("opaque", allowed_clients=[SENDER]), **provider.asks()}))


def test_opaque_token_of_the_provider(bridge, provider, reader, http_version):
    before = reader.ends(bridge.prefix)
    body, ids = events.activities(3)
    answer = bridge.post(ACTIVITY, body, token=provider.token("opaque"), http_version=http_version)
    assert answer.status == 200, answer.body
    assert [record.header("ce_id") for record in reader.read_count(bridge.prefix, 3, before)] == ids


def test_token_that_the_provider_does_not_know(bridge, http_version):
    with refusals(bridge, ACTIVITY, "inactive_token"):
        assert_token_refused(_post(bridge, _opaque(), http_version=http_version))


def test_token_that_was_revoked(bridge, provider):
    token = provider.token("opaque")
    provider.revoke(token)
    with refusals(bridge, ACTIVITY, "inactive_token"):
        assert_token_refused(_post(bridge, token))


def test_token_of_another_client(bridge, provider):
    with refusals(bridge, ACTIVITY, "wrong_client"):
        assert_token_refused(_post(bridge, provider.token("opaque", client=OTHER)))


def test_token_without_an_audience(bridge, provider):
    with refusals(bridge, ACTIVITY, "wrong_audience"):
        assert_token_refused(_post(bridge, provider.token(None)))


def test_jwt_is_judged_here_and_not_asked_about(start_bridge, provider, host):
    """A provider of both kinds: what has the form of a JWT is one."""
    host.put_json(ASK, {"active": True})
    asks = {"introspection_url": host.url(ASK), "client_id": CLIENT, "client_secret": SECRET}
    bridge = start_bridge(_settings({**provider.oauth("RS256", allowed_clients=[SENDER]), **asks}))
    assert _post(bridge, provider.token("RS256")).status == 200
    assert_token_refused(_post(bridge, provider.token("RS256", client=OTHER)))
    assert host.count() == 0


# --- one that says whatever the test wants

def test_how_it_asks(start_bridge, host):
    """RFC 7662 section 2.1; the client's own credentials as RFC 6749 section 2.3.1 has them."""
    host.put_json(ASK, _active())
    bridge = start_bridge(_asking(host))
    token = remember("opaque+/~" + uuid.uuid4().hex)
    assert _post(bridge, token).status == 200
    asked, = host.requests(ASK)
    assert asked["method"] == "POST"
    assert asked["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert "application/json" in asked["headers"]["accept"]
    assert urllib.parse.parse_qs(asked["body"])["token"] == [token]
    scheme, value = asked["headers"]["authorization"].split()
    pair = [urllib.parse.unquote_plus(part) for part in base64.b64decode(value).decode().split(":")]
    assert (scheme, pair) == ("Basic", [CLIENT, SECRET])
    assert bridge.metrics().sum("auth_fetches_total", kind="introspection", outcome="answered") == 1


def test_answer_is_kept(start_bridge, host):
    host.put_json(ASK, _active())
    bridge = start_bridge(_asking(host))
    token = _opaque()
    for _ in range(20):
        assert _post(bridge, token).status == 200
    assert host.count(ASK) == 1
    assert _post(bridge, _opaque()).status == 200
    assert host.count(ASK) == 2


def test_requests_with_one_token_share_a_call(start_bridge, host, http_version):
    host.put_json(ASK, _active(), delay=1)
    bridge = start_bridge(_asking(host))
    token, answers = _opaque(), []

    def ask():
        answers.append(_post(bridge, token, http_version=http_version))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [200] * 20
    assert host.count(ASK) == 1


def test_answer_is_not_kept_past_the_tokens_end(start_bridge, host):
    end = int(time.time()) + 3
    host.put_json(ASK, _active(exp=end))
    bridge = start_bridge(_asking(host))
    token = _opaque()
    assert _post(bridge, token).status == 200
    assert host.count(ASK) == 1
    host.put_json(ASK, {"active": False})
    eventually(lambda: time.time() > end + 1, 10)
    assert_token_refused(_post(bridge, token))
    assert host.count(ASK) == 2


def test_refusal_is_kept_for_a_moment_only(start_bridge, host):
    """A provider may know a token a little later than its client does."""
    host.put_json(ASK, {"active": False})
    bridge = start_bridge(_asking(host))
    token = _opaque()
    for _ in range(20):
        assert_token_refused(_post(bridge, token))
    assert host.count(ASK) <= 3
    host.put_json(ASK, _active())
    finally_answered(lambda: _post(bridge, token), 200, meanwhile=(401, 503), timeout=10)


@pytest.mark.parametrize("members", [
    {"aud": [AUDIENCE, "x"]}, {"iss": None}, {"exp": None}, {"client_id": None, "azp": "adobe"}, {"token_type": "Bearer"},
], ids=str)
def test_good_answers(asking, shared_host, members):
    shared_host.put_json(ASK, _active(**members))
    assert _post(asking, _opaque()).status == 200


@pytest.fixture(scope="module")
def asking(start_shared_bridge, shared_host):
    return start_shared_bridge(_asking(shared_host))


@pytest.mark.parametrize("members, expected", [
    ({"active": False}, ["inactive_token"]),
    ({"aud": "https://other.example"}, ["wrong_audience"]),
    ({"aud": None}, ["wrong_audience"]),
    ({"iss": "https://other.example"}, ["wrong_issuer"]),
    ({"client_id": "somebody"}, ["wrong_client"]),
    ({"client_id": None}, ["wrong_client"]),
    ({"exp": 1_000_000_000}, ["expired", "inactive_token"]),
    ({"nbf": 9_000_000_000}, ["not_yet_valid"]),
], ids=str)
def test_bad_answers(asking, shared_host, http_version, members, expected):
    shared_host.put_json(ASK, _active(**members))
    with refusals(asking, ACTIVITY, *expected):
        assert_token_refused(_post(asking, _opaque(), http_version=http_version))


SET = {
    "silent": lambda host: host.put(ASK, delay=30),
    "500": lambda host: host.put_json(ASK, _active(), status=500),
    "404": lambda host: host.remove(ASK),
    "401": lambda host: host.put_json(ASK, {"error": "invalid_client"}, status=401),
    "429": lambda host: host.put_json(ASK, {"active": False}, status=429),
    "garbage": lambda host: host.put(ASK, b"\0\xff<html>" * 100),
    "empty": lambda host: host.put(ASK, b""),
    "a list": lambda host: host.put_json(ASK, [_active()]),
    "does not say": lambda host: host.put_json(ASK, {"client_id": "adobe"}),
    "oversize": lambda host: host.put_json(ASK, _active(filler="x" * 600_000)),
    "redirect": lambda host: _redirect(host),
    "cut": lambda host: host.put_json(ASK, _active(), cut=10),
    "killed": lambda host: host.kill(),
}


def _redirect(host):
    host.put_json("/elsewhere", _active())
    host.put(ASK, status=307, headers=[("Location", host.url("/elsewhere"))])


@pytest.mark.fault
@pytest.mark.parametrize("state", SET)
def test_broken(start_bridge, host, state):
    """Known tokens go on, others are told to come again; and all is well as soon as the provider is."""
    host.put_json(ASK, _active())
    bridge = start_bridge(_asking(host))
    known, unknown = _opaque(), _opaque()
    assert _post(bridge, known).status == 200
    SET[state](host)
    with refusals(bridge, ACTIVITY, "introspection_unavailable"):
        assert_unavailable(_post(bridge, unknown))
    assert _post(bridge, known).status == 200
    assert host.count("/elsewhere") == 0
    host.put_json(ASK, _active())
    if state == "killed":
        host.start()
    finally_answered(lambda: _post(bridge, unknown), 200, timeout=20)


def test_strangers_spend_what_is_theirs(start_bridge, host):
    """Tokens by the hundred that nobody knows: few calls, no final answer without one, a good sender undisturbed."""
    host.put_json(ASK, _active())
    bridge = start_bridge(_asking(host))
    good = _opaque()
    assert _post(bridge, good).status == 200
    host.put_json(ASK, {"active": False})
    begun = time.monotonic()
    with Load(bridge, ACTIVITY, senders=4, gap=0, proof=lambda _: [("Authorization", "Bearer " + _opaque())]) as strangers:
        while time.monotonic() < begun + 4:
            answer = _post(bridge, good)
            assert answer.status == 200
            assert answer.seconds < 1 * SLOW
    assert strangers.statuses() <= {401, 503}
    assert strangers.count(503) > 0
    assert "fetch_budget" in reasons(bridge.metrics(), ACTIVITY)
    assert host.count(ASK) < len(strangers.sent) / 2
    finally_answered(lambda: _post(bridge, _opaque()), 401, timeout=20)


def test_sender_that_is_known_is_not_kept_out_by_strangers(start_bridge, host, http_version):
    """Its next token comes on the connection on which it has proved itself: it has a budget of its own."""
    host.put_json(ASK, {"active": False})
    tokens = [_opaque() for _ in range(4)]
    for token in tokens:
        host.put_json(f"{ASK}#{token}", _active())
    bridge = start_bridge(_asking(host))
    with CLIENTS[http_version](bridge.port) as client:
        def post():
            headers = [("authorization", "Bearer " + tokens.pop()), ("content-type", "application/json")]
            return client.request("POST", ACTIVITY, headers, b"[]").status

        assert post() == 200
        with Load(bridge, ACTIVITY, senders=4, gap=0,
                  proof=lambda _: [("Authorization", "Bearer " + _opaque())]) as strangers:
            eventually(lambda: strangers.count(503) > 20, 20, "their budget is spent")
            for _ in range(3):
                assert post() == 200


def test_token_over_the_limit_is_not_asked_about(asking, shared_host):
    shared_host.put_json(ASK, _active())
    before = shared_host.count()
    answer = asking.post(ACTIVITY, b"[]", [("Authorization", "Bearer " + "x" * 17000)], token=None)
    assert answer.status == 401, answer.body
    assert shared_host.count() == before


def test_jwt_of_a_foreign_hand_is_not_asked_about(asking, shared_host):
    shared_host.put_json(ASK, _active())
    shared_host.put_json("/jwks", jwt.key_set(jwt.Key()))
    token = jwt.signed(jwt.Key(), jwt.claims(ISSUER, AUDIENCE))
    before = shared_host.count(ASK)
    finally_answered(lambda: _post(asking, token), 401)
    assert shared_host.count(ASK) == before
