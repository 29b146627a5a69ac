# SPDX-License-Identifier: Apache-2.0
"""The provider's keys: found, exchanged while tokens come in, and the provider slow, broken or away."""

import time

import pytest

from harness import certificates, events, jwt
from harness.answers import assert_token_refused, assert_unavailable, finally_answered, reasons, refusals
from harness.bridge import ACTIVITY, SLOW
from harness.load import Load
from harness.provider import SENDER
from harness.waits import eventually

ISSUER, AUDIENCE = "https://idp.example", "https://bridge.example/made"
KEYS = "/oauth/jwks"


def _settings(oauth):
    return {"endpoints": [{"path": ACTIVITY, "sender": "activity-push", "auth": {"oauth": oauth}}]}


def _by_url(host):
    return _settings({"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": host.url(KEYS)})


def _token(key, issuer=ISSUER):
    return jwt.signed(key, jwt.claims(issuer, AUDIENCE))


def _post(bridge, token):
    return bridge.post(ACTIVITY, b"[]", token=token)


# --- found

def test_keys_are_found_by_discovery(start_bridge, make_host, http_version):
    host, key = make_host(), jwt.Key()
    host.put_json("/.well-known/openid-configuration", {"issuer": host.base, "jwks_uri": host.url("/some/keys")})
    host.put_json("/some/keys", jwt.key_set(key))
    bridge = start_bridge(_settings({"issuer": host.base, "audience": AUDIENCE}))
    answer = bridge.post(ACTIVITY, b"[]", http_version=http_version, token=_token(key, host.base))
    assert answer.status == 200, answer.body
    assert bridge.metrics().sum("auth_fetches_total", kind="discovery", outcome="answered") >= 1
    assert bridge.metrics().sum("auth_fetches_total", kind="jwks", outcome="answered") >= 1


@pytest.mark.parametrize("path", ["/tenant/.well-known/openid-configuration",
                                  "/.well-known/oauth-authorization-server/tenant"], ids=["OpenID", "RFC 8414"])
def test_either_form_of_discovery(start_bridge, host, path):
    key, issuer = jwt.Key(), host.url("/tenant")
    host.put_json(path, {"issuer": issuer, "jwks_uri": host.url(KEYS)})
    host.put_json(KEYS, jwt.key_set(key))
    bridge = start_bridge(_settings({"issuer": issuer, "audience": AUDIENCE}))
    finally_answered(lambda: _post(bridge, _token(key, issuer)), 200)


@pytest.mark.parametrize("broken", ["other issuer", "no issuer", "no keys", "keys in clear text"])
def test_discovery_that_must_not_be_believed(start_bridge, host, broken):
    """RFC 8414 section 3.3: the document must name the issuer that it was asked for."""
    key = jwt.Key()
    document = {"issuer": host.base, "jwks_uri": host.url(KEYS)}
    if broken == "other issuer":
        document["issuer"] += "/other"
    elif broken == "no issuer":
        del document["issuer"]
    elif broken == "no keys":
        del document["jwks_uri"]
    else:
        document["jwks_uri"] = "http://keys.example/jwks"
    host.put_json("/.well-known/openid-configuration", document)
    host.put_json(KEYS, jwt.key_set(key))
    bridge = start_bridge(_settings({"issuer": host.base, "audience": AUDIENCE}))
    answer = _post(bridge, _token(key, host.base))
    assert_unavailable(answer)
    assert host.count(KEYS) == 0


# --- exchanged

def test_provider_rotates_its_keys_under_load(start_bridge, own_provider, reader):
    """Nobody who has a good token is refused: with the old key while that is published, with the new one at once,
    or, when the keys were looked for just before, after a 503."""
    bridge = start_bridge(_settings(own_provider.oauth("ES256", allowed_clients=[SENDER])))
    old = own_provider.token("ES256")
    with Load(bridge, ACTIVITY, proof=lambda _: [("Authorization", f"Bearer {old}")]) as load:
        load.wait_good()
        own_provider.rotate(keep=True)
        new = own_provider.token("ES256")
        assert finally_answered(lambda: _post(bridge, new), 200).status == 200
        load.wait_good()
    assert load.statuses() == {200}
    load.assert_promises_kept(reader, 17)
    assert _post(bridge, new).status == 200


def test_key_that_was_withdrawn(start_bridge, own_provider):
    """What the provider no longer publishes ends with the next look."""
    bridge = start_bridge(_settings(own_provider.oauth("RS256")))
    old = own_provider.token("RS256")
    assert _post(bridge, old).status == 200
    own_provider.rotate(keep=False)
    finally_answered(lambda: _post(bridge, own_provider.token("RS256")), 200)
    assert_token_refused(finally_answered(lambda: _post(bridge, old), 401))


def test_unknown_key_is_looked_for_now_and_then(start_bridge, host):
    """Strangers name what keys they like: looks are shared and rare, and a good token waits for none of them."""
    key = jwt.Key()
    host.put_json(KEYS, jwt.key_set(key))
    bridge = start_bridge(_by_url(host))
    good = _token(key)
    assert _post(bridge, good).status == 200
    stranger = jwt.Key()
    begun = time.monotonic()
    statuses = set()
    for number in range(100):
        stranger.kid = f"kid-{number}"
        answer = _post(bridge, _token(stranger))
        statuses.add(answer.status)
        assert answer.seconds < 4 * SLOW
        if number % 10 == 0:
            answer = _post(bridge, good)
            assert answer.status == 200 and answer.seconds < 1 * SLOW
    assert statuses <= {401, 503}
    assert host.count(KEYS) <= 3 + (time.monotonic() - begun) / 30


def test_unknown_key_is_finally_refused(start_bridge, host):
    host.put_json(KEYS, jwt.key_set(jwt.Key()))
    bridge = start_bridge(_by_url(host))
    token = _token(jwt.Key())
    assert_token_refused(finally_answered(lambda: _post(bridge, token), 401))
    assert reasons(bridge.metrics(), ACTIVITY)["unknown_kid"] == 1


# --- broken

SET = {
    "silent": lambda host, key: host.put(KEYS, delay=30),
    "500": lambda host, key: host.put_json(KEYS, jwt.key_set(key), status=500),
    "404": lambda host, key: host.remove(KEYS),
    "garbage": lambda host, key: host.put(KEYS, b"\0\xff<html>" * 100),
    "no keys": lambda host, key: host.put_json(KEYS, {"keys": []}),
    "other JSON": lambda host, key: host.put_json(KEYS, [1, 2]),
    "oversize": lambda host, key: host.put_json(KEYS, {**jwt.key_set(key), "filler": "x" * 300_000}),
    "redirect": lambda host, key: _redirect(host, key),
    "cut": lambda host, key: host.put_json(KEYS, jwt.key_set(key), cut=100),
    "killed": lambda host, key: host.kill(),
}


def _redirect(host, key):
    host.put_json("/elsewhere", jwt.key_set(key))
    host.put(KEYS, status=302, headers=[("Location", host.url("/elsewhere"))])


@pytest.mark.fault
@pytest.mark.parametrize("state", SET)
def test_broken_from_the_start(start_bridge, host, http_version, state):
    key = jwt.Key()
    host.put_json(KEYS, jwt.key_set(key))
    SET[state](host, key)
    bridge = start_bridge(_by_url(host))
    with refusals(bridge, ACTIVITY, "keys_unavailable"):
        assert_unavailable(bridge.post(ACTIVITY, b"[]", http_version=http_version, token=_token(key)))
    eventually(lambda: bridge.metrics().sum("auth_fetches_total", kind="jwks") >= 1, what="it has asked")
    assert host.count("/elsewhere") == 0


@pytest.mark.fault
@pytest.mark.parametrize("state", SET)
def test_broken_when_its_keys_are_known(start_bridge, host, state):
    """The last good set stays; only a token with another key has to wait."""
    key, later = jwt.Key(), jwt.Key()
    host.put_json(KEYS, jwt.key_set(key))
    bridge = start_bridge(_by_url(host))
    known, unknown = _token(key), _token(later)
    assert _post(bridge, known).status == 200
    SET[state](host, later)
    for _ in range(3):
        assert_unavailable(_post(bridge, unknown))
        answer = _post(bridge, known)
        assert answer.status == 200
        assert answer.seconds < 1 * SLOW


@pytest.mark.fault
@pytest.mark.parametrize("state", ["silent", "garbage", "killed"])
def test_recovers_without_a_restart(start_bridge, host, state):
    key = jwt.Key()
    SET[state](host, key)
    bridge = start_bridge(_by_url(host))
    token = _token(key)
    assert_unavailable(_post(bridge, token))
    host.put_json(KEYS, jwt.key_set(key))
    if state == "killed":
        host.start()
    finally_answered(lambda: _post(bridge, token), 200)


@pytest.mark.fault
@pytest.mark.parametrize("shown", ["good", "expired", "of another authority", "for another host"])
def test_certificate_of_the_provider(start_bridge, make_host, authority, shown):
    certificate = {
        "good": lambda: authority.server(),
        "expired": lambda: authority.server(begins=-5, ends=-1),
        "of another authority": lambda: certificates.Authority(authority.file.parent, "Another").server(),
        "for another host": lambda: authority.issue(dns=["other.example"], usage=certificates.SERVER),
    }[shown]()
    host, key = make_host(certificate), jwt.Key()
    host.put_json(KEYS, jwt.key_set(key))
    bridge = start_bridge(_by_url(host), environment={"SSL_CERT_FILE": str(authority.file)})
    if shown == "good":
        assert _post(bridge, _token(key)).status == 200
        return
    assert_unavailable(_post(bridge, _token(key)))
    assert host.count() == 0
    if shown == "expired":
        host.use_certificate(authority.server())
        finally_answered(lambda: _post(bridge, _token(key)), 200)


def test_a_loop_does_not_wait(start_bridge, host, http_version):
    """While tokens wait for their provider, other requests are served as if nothing was."""
    host.put(KEYS, delay=30)
    settings = _by_url(host)
    settings["endpoints"].append({"path": "/open", "sender": "adobe-io", "auth": "none"})
    bridge = start_bridge(settings)
    key = jwt.Key()
    with Load(bridge, ACTIVITY, senders=8, gap=0, proof=lambda _: [("Authorization", f"Bearer {_token(key)}")]) as load:
        for _ in range(20):
            answer = bridge.post("/open", events.activities(1)[0], http_version=http_version, token=None)
            assert answer.status == 200
            assert answer.seconds < 1 * SLOW
    assert load.statuses() == {503}
    assert max(sent.seconds for sent in load.sent) < 4 * SLOW
