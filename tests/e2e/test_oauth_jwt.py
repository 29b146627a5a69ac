# SPDX-License-Identifier: Apache-2.0
"""JSON Web Tokens: of a real provider, and by hand whatever a provider would never issue (RFC 8725)."""

import base64
import json
import time

import pytest

from harness import events, jwt
from harness.answers import assert_token_refused, assert_unauthorized, assert_unavailable, finally_answered, refusals
from harness.bridge import ACTIVITY
from harness.provider import OTHER, SENDER

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384")
ISSUER, AUDIENCE = "https://idp.example/tenant", "https://bridge.example/made"
MADE, ANYONE = "/made", "/anyone"


@pytest.fixture(scope="module")
def keys():
    found = {"rsa": jwt.Key(), "p256": jwt.Key("P-256"), "p384": jwt.Key("P-384"), "p521": jwt.Key("P-521")}
    found["small"] = jwt.Key(1024)
    found["for PS256"] = jwt.Key()
    found["for encryption"] = jwt.Key()
    return found


@pytest.fixture(scope="module")
def bridge(start_shared_bridge, provider, shared_host, keys):
    published = [
        keys["rsa"], keys["p256"], keys["p384"], keys["p521"], keys["small"], keys["for PS256"].jwk(alg="PS256"),
        keys["for encryption"].jwk(use="enc"), {"kty": "oct", "kid": "symmetric", "k": jwt.b64(b"k" * 32)},
        {"kty": "of the future", "kid": "x"},
    ]
    shared_host.put_json("/jwks", jwt.key_set(*published))
    made = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": shared_host.url("/jwks")}

    def endpoint(path, oauth):
        return {"path": path, "sender": "activity-push", "auth": {"oauth": oauth}}

    return start_shared_bridge({"endpoints": [
        *(endpoint("/" + alg, provider.oauth(alg, allowed_clients=[SENDER])) for alg in ALGORITHMS),
        endpoint(MADE, {**made, "allowed_clients": ["other-1", "adobe"]}),
        endpoint(ANYONE, made),
    ]})


def made(**members):
    return jwt.claims(ISSUER, AUDIENCE, **members)


# --- a real provider

@pytest.mark.short
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_token_of_the_provider(bridge, provider, reader, http_version, alg):
    before = reader.ends(bridge.prefix)
    body, ids = events.activities(3)
    answer = bridge.post("/" + alg, body, http_version=http_version, token=provider.token(alg))
    assert answer.status == 200, answer.body
    assert answer.json()["delivered"] == 3
    assert [record.header("ce_id") for record in reader.read_count(bridge.prefix, 3, before)] == ids


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_scheme_is_compared_without_case(bridge, provider, scheme):
    headers = [("Authorization", f"{scheme} {provider.token('RS256')}")]
    assert bridge.post("/RS256", b"[]", headers, token=None).status == 200


def test_token_for_another_audience(bridge, provider, http_version):
    with refusals(bridge, "/RS256", "wrong_audience"):
        assert_token_refused(bridge.post("/RS256", b"[]", http_version=http_version, token=provider.token("ES256")))


def test_token_of_another_client(bridge, provider, http_version):
    with refusals(bridge, "/RS256", "wrong_client"):
        token = provider.token("RS256", client=OTHER)
        assert_token_refused(bridge.post("/RS256", b"[]", http_version=http_version, token=token))


def test_no_token(bridge, http_version):
    with refusals(bridge, "/RS256", "no_credentials"):
        answer = bridge.post("/RS256", b"[]", http_version=http_version, token=None)
    assert_unauthorized(answer, challenge=True)


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YTpi"])
def test_header_without_a_token(bridge, value):
    assert bridge.post("/RS256", b"[]", [("Authorization", value)], token=None).status == 401


def test_two_authorization_headers(bridge, provider, http_version):
    headers = [("Authorization", f"Bearer {provider.token('RS256')}")]
    with refusals(bridge, "/RS256", "repeated_header"):
        answer = bridge.post("/RS256", b"[]", headers * 2, http_version=http_version, token=None)
    assert answer.status == 401


def test_refused_batch_is_not_in_kafka(bridge, provider, reader, http_version):
    before = reader.ends(bridge.prefix)
    body = events.activities(3)[0]
    token = provider.token("RS256", client=OTHER)
    assert bridge.post("/RS256", body, http_version=http_version, token=token).status == 401
    assert reader.ends(bridge.prefix) == before


# --- by hand: what is taken

GOOD = {
    "plain": {},
    "audience in a list": {"aud": ["https://other.example", AUDIENCE]},
    "azp instead of client_id": {"azp": "adobe", "client_id": None},
    "both of them": {"azp": "other-1"},
    "no iat": {"iat": None},
    "just expired": {"exp": lambda now: now - 30},
    "valid in a moment": {"nbf": lambda now: now + 30},
    "issued in a moment": {"iat": lambda now: now + 30},
    "times with a fraction": {"exp": lambda now: now + 600.5, "nbf": lambda now: now - 1.5},
    "more members": {"scope": "a b", "cnf": {}, "x": [1, {"aud": "no"}], "name": "å"},
}


def _timed(members):
    now = int(time.time())
    return {name: value(now) if callable(value) else value for name, value in members.items()}


@pytest.mark.parametrize("name", GOOD)
def test_good_claims(bridge, keys, name):
    answer = bridge.post(MADE, b"[]", token=jwt.signed(keys["rsa"], made(**_timed(GOOD[name]))))
    assert answer.status == 200, answer.body


@pytest.mark.parametrize("key, alg", [
    ("rsa", "RS256"), ("rsa", "RS384"), ("rsa", "RS512"), ("rsa", "PS256"), ("rsa", "PS384"), ("rsa", "PS512"),
    ("p256", "ES256"), ("p384", "ES384"), ("p521", "ES512"), ("for PS256", "PS256"),
])
def test_good_algorithms(bridge, keys, key, alg):
    assert bridge.post(MADE, b"[]", token=jwt.signed(keys[key], made(), alg)).status == 200


@pytest.mark.parametrize("header", [
    {"typ": None}, {"typ": "JWT"}, {"typ": "AT+JWT"}, {"typ": "application/at+jwt"}, {"kid": None}, {"x": [1, 2]},
], ids=str)
def test_good_headers(bridge, keys, header):
    assert bridge.post(MADE, b"[]", token=jwt.signed(keys["rsa"], made(), header=header)).status == 200


def test_any_client_where_none_is_named(bridge, keys):
    for members in ({"client_id": "x"}, {"client_id": None}):
        assert bridge.post(ANYONE, b"[]", token=jwt.signed(keys["rsa"], made(**members))).status == 200


# --- by hand: what is not

BAD = {
    "other issuer": ({"iss": "https://idp.example/other"}, ["wrong_issuer"]),
    "issuer with a slash more": ({"iss": ISSUER + "/"}, ["wrong_issuer"]),
    "no issuer": ({"iss": None}, ["wrong_issuer"]),
    "issuer in a list": ({"iss": [ISSUER]}, ["wrong_issuer", "bad_jwt"]),
    "other audience": ({"aud": "https://bridge.example/"}, ["wrong_audience"]),
    "no audience": ({"aud": None}, ["wrong_audience"]),
    "list of other audiences": ({"aud": [AUDIENCE + "x", "y", 7]}, ["wrong_audience", "bad_jwt"]),
    "empty list": ({"aud": []}, ["wrong_audience"]),
    "audience behind a zero byte": ({"aud": AUDIENCE + "\0"}, ["wrong_audience", "bad_jwt"]),
    "expired": ({"exp": lambda now: now - 120}, ["expired"]),
    "no end": ({"exp": None}, ["expired", "bad_jwt"]),
    "end as text": ({"exp": lambda now: str(now + 600)}, ["expired", "bad_jwt"]),
    "end below zero": ({"exp": -1}, ["expired", "bad_jwt"]),
    "not yet valid": ({"nbf": lambda now: now + 120}, ["not_yet_valid"]),
    "of the future": ({"iat": lambda now: now + 120}, ["not_yet_valid"]),
    "other client": ({"client_id": "somebody"}, ["wrong_client"]),
    "no client": ({"client_id": None}, ["wrong_client"]),
    "the two do not agree": ({"azp": "somebody"}, ["wrong_client"]),
    "client in other case": ({"client_id": "Adobe"}, ["wrong_client"]),
    "client in a list": ({"client_id": ["adobe"]}, ["wrong_client", "bad_jwt"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_claims(bridge, keys, http_version, name):
    members, reasons = BAD[name]
    token = jwt.signed(keys["rsa"], made(**_timed(members)))
    with refusals(bridge, MADE, *reasons):
        assert_token_refused(bridge.post(MADE, b"[]", http_version=http_version, token=token))


@pytest.mark.parametrize("payload", [b"[]", b'"text"', b"not json", b"{}", b"", b"[" * 5000, b'{"exp":1,"exp":2}'],
                         ids=["list", "text", "no JSON", "nothing in it", "empty", "deep", "twice"])
def test_bad_payloads(bridge, keys, payload):
    with refusals(bridge, MADE, "bad_jwt", "wrong_issuer", "expired", "wrong_audience"):
        assert_token_refused(bridge.post(MADE, b"[]", token=jwt.signed(keys["rsa"], payload)))


def test_member_that_stands_twice(bridge, keys):
    """Two parsers could each take another one (RFC 8725 section 2.4)."""
    text = json.dumps(made())[:-1] + ',"client_id":"somebody"}'
    assert bridge.post(MADE, b"[]", token=jwt.signed(keys["rsa"], text)).status == 401


@pytest.mark.parametrize("header", [
    {"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"crit": []}, {"typ": "dpop+jwt"}, {"typ": "secevent+jwt"},
    {"typ": "id_token"}, {"typ": 7}, {"kid": 7}, {"kid": ["a"]}, {"alg": None}, {"alg": 256}, {"zip": "DEF", "crit": ["zip"]},
], ids=str)
def test_bad_headers(bridge, keys, header):
    with refusals(bridge, MADE, "bad_jwt", "wrong_algorithm"):
        assert_token_refused(bridge.post(MADE, b"[]", token=jwt.signed(keys["rsa"], made(), header=header)))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("signature", [b"", b"x" * 256], ids=["empty", "of some bytes"])
def test_algorithm_none(bridge, keys, http_version, alg, signature):
    for kid in ({"kid": keys["rsa"].kid}, {}):
        with refusals(bridge, MADE, "wrong_algorithm", "bad_jwt"):
            token = jwt.compact({"alg": alg, **kid}, made(), signature)
            assert_token_refused(bridge.post(MADE, b"[]", http_version=http_version, token=token))


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("secret", ["pem", "pem without line end", "jwk", "modulus", "symmetric key", "empty"])
def test_hmac_with_what_is_public(bridge, keys, alg, secret):
    key = keys["rsa"]
    value = {
        "pem": key.public_pem(), "pem without line end": key.public_pem().rstrip(), "jwk": json.dumps(key.jwk()).encode(),
        "modulus": base64.urlsafe_b64decode(key.jwk()["n"] + "=="), "symmetric key": b"k" * 32, "empty": b"",
    }[secret]
    header = {"alg": alg, "kid": "symmetric" if secret == "symmetric key" else key.kid}
    with refusals(bridge, MADE, "wrong_algorithm"):
        assert_token_refused(bridge.post(MADE, b"[]", token=jwt.with_secret(value, made(), header)))


@pytest.mark.parametrize("key, alg, hand", [
    ("rsa", "ES256", "RS256"), ("p256", "RS256", "ES256"), ("p384", "ES256", "ES384"), ("p256", "ES384", "ES256"),
    ("for PS256", "RS256", "RS256"), ("rsa", "ES256K", "RS256"), ("rsa", "EdDSA", "RS256"), ("rsa", "RS1", "RS256"),
    ("rsa", "rs256", "RS256"), ("rsa", "RS256 ", "RS256"), ("rsa", "RSA-OAEP", "RS256"), ("rsa", "dir", "RS256"),
])
def test_algorithm_that_is_not_the_keys(bridge, keys, key, alg, hand):
    """Bound to the key's type and curve, and to the one that it was published for."""
    token = jwt.signed(keys[key], made(), hand, header={"alg": alg})
    with refusals(bridge, MADE, "wrong_algorithm", "bad_signature", "bad_jwt"):
        assert_token_refused(finally_answered(lambda: bridge.post(MADE, b"[]", token=token), 401, meanwhile=()))


def test_keys_that_are_not_to_be_found(bridge, keys, provider, shared_host):
    """Published for something else, another provider's, or where the header points: a stranger's choice
    (RFC 8725 section 3.10). The keys are looked at again before that is final."""
    others = jwt.Key(kid=keys["rsa"].kid)
    shared_host.put_json("/strange", jwt.key_set(others))
    url = shared_host.url("/strange")
    tokens = [jwt.signed(keys["small"], made()), jwt.signed(keys["for encryption"], made()), provider.token("RS256")]
    tokens += [
        jwt.signed(others, made(), header={"kid": kid, **more})
        for kid, more in [
            (keys["rsa"].kid, {"jku": url}), (keys["rsa"].kid, {"x5u": url}), (url, {}), ("../strange", {}),
            ("' OR 1=1 --", {}), ("", {}), (None, {"jku": url}), ("x" * 4000, {}), ("symmetric", {}),
        ]
    ]
    for token in tokens:
        answer = bridge.post(MADE, b"[]", token=token)
        assert_token_refused(answer) if answer.status == 401 else assert_unavailable(answer)
    assert_token_refused(finally_answered(lambda: bridge.post(MADE, b"[]", token=tokens[-1]), 401))
    assert shared_host.count("/strange") == 0


def test_wrong_signatures(bridge, keys):
    good = jwt.signed(keys["rsa"], made())
    head, payload, signature = good.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    others = jwt.Key(kid=keys["rsa"].kid)
    richer = jwt.b64(json.dumps(made(client_id="other-1", exp=int(time.time()) + 10**9)))
    tokens = {
        "same kid, other key": jwt.signed(others, made()),
        "key in the header": jwt.signed(others, made(), header={"jwk": others.jwk()}),
        "a bit turned": jwt.compact(*(base64.urlsafe_b64decode(part + "==") for part in (head, payload)),
                                    bytes([raw[0], raw[1] ^ 1]) + raw[2:]),
        "other payload": f"{head}.{richer}.{signature}",
        "PKCS1 for PSS": jwt.signed(keys["rsa"], made(), "RS256", header={"alg": "PS256"}),
        "of another hash": jwt.signed(keys["rsa"], made(), "RS512", header={"alg": "RS256"}),
        "zeros (ECDSA)": jwt.compact({"alg": "ES256", "kid": keys["p256"].kid}, made(), bytes(64)),
        "one byte less (ECDSA)": jwt.signed(keys["p256"], made(), "ES256")[:-2],
        "none": f"{head}.{payload}.",
    }
    for name, token in tokens.items():
        with refusals(bridge, MADE, "bad_signature", "bad_jwt"):
            answer = finally_answered(lambda: bridge.post(MADE, b"[]", token=token), 401, meanwhile=())
        assert_token_refused(answer), name
    assert bridge.post(MADE, b"[]", token=good).status == 200


@pytest.mark.parametrize("form", [
    "", ".", "..", "...", "a.b.c", "{good}.", ".{good}", "{good}.{good}", "{good}=", "{good}%3D", "{head}.{payload}",
    "{head}..{signature}", ".{payload}.{signature}", "{head}.{payload}.{signature}A", "{head}.{payload}.+/+/",
    "{head} .{payload}.{signature}", "{head}.{payload}.{signature}.x.y", "e30.e30.e30", "bnVsbA.e30.AAAA",
], ids=repr)
def test_what_is_no_token(bridge, keys, form):
    good = jwt.signed(keys["rsa"], made())
    head, payload, signature = good.split(".")
    text = form.format(good=good, head=head, payload=payload, signature=signature)
    answer = bridge.post(MADE, b"[]", token=text)
    assert answer.status == 401, answer.body
    assert answer.header("www-authenticate").startswith("Bearer")


def test_token_over_the_limit(bridge, keys):
    token = jwt.signed(keys["rsa"], made(filler="x" * 13000))
    assert 16384 < len(token) < 20000
    with refusals(bridge, MADE, "bad_jwt"):
        assert_token_refused(bridge.post(MADE, b"[]", token=token))


def test_get_and_probes_need_no_token(bridge, http_version):
    for method in ("GET", "HEAD"):
        assert bridge.request(method, MADE, http_version=http_version).status == 200
    assert bridge.request("GET", ACTIVITY).status == 404
