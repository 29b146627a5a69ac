# SPDX-License-Identifier: Apache-2.0
"""Several ways at one endpoint: any of tokens and OAuth, and the signature, and the certificate, each where configured."""

import itertools
import json
import ssl

import pytest

from harness import events, http
from harness.answers import assert_error, assert_unauthorized
from harness.bridge import ADOBE, configuration, run_command
from harness.certificates import Authority
from harness.ports import release_port, take_port
from harness.provider import OTHER, SENDER
from harness.secrets import remember
from harness.signatures import Signer, headers, random_signature, signed

OURS, NAME = "0123456789abcdef", "webhooks.adobe.example"
STATIC = remember("static-token-1b6f0f")
WAYS = ("tokens", "oauth", "signature", "certificate")
SETS = [set(some) for count in (1, 2, 3, 4) for some in itertools.combinations(WAYS, count)]


def _name(some):
    return "+".join(way for way in WAYS if way in some)


@pytest.fixture(scope="module")
def parts(start_shared_bridge, tmp_path_factory, provider, shared_host):
    authority = Authority(tmp_path_factory.mktemp("authority"))
    server, port = authority.server(), take_port()
    plain = take_port()
    signer = Signer().publish(shared_host)
    auth = {
        "tokens": {"tokens": [STATIC]},
        "oauth": {"oauth": {**provider.oauth("RS256", allowed_clients=[SENDER])}},
        "signature": {"signature": True, "key_base": shared_host.base, "recipients": [OURS]},
        "certificate": {"client_names": [NAME]},
    }

    def endpoint(some):
        merged = {}
        for way in WAYS:
            merged.update(auth[way] if way in some else {})
        return {"path": "/" + _name(some), "sender": "adobe-io", "auth": merged}

    tls = {"certificate": str(server[0]), "key": str(server[1]), "client_ca": str(authority.file)}
    bridge = start_shared_bridge({
        "listen": [{"address": f"127.0.0.1:{port}", "tls": tls}, {"address": f"127.0.0.1:{plain}"}],
        "endpoints": [endpoint(some) for some in SETS],
    })
    yield Parts(bridge, port, authority, provider, signer)
    release_port(port)
    release_port(plain)


class Parts:
    def __init__(self, bridge, port, authority, provider, signer):
        self.bridge, self.port, self.signer = bridge, port, signer
        self.good, self.bad = authority.issue(dns=[NAME]), authority.issue(dns=["other.example"])
        self.token, self.foreign = provider.token("RS256"), provider.token("RS256", client=OTHER)
        self.body = events.addressed(1, OURS)[0]

    def ask(self, some, shows, version, wrong=()):
        """Posts to the endpoint of that set, showing what is named; those of `wrong` badly."""
        proof = []
        if "tokens" in shows:
            proof.append(("authorization", "Bearer " + (remember("nothing-good") if "tokens" in wrong else STATIC)))
        elif "oauth" in shows:
            proof.append(("authorization", "Bearer " + (self.foreign if "oauth" in wrong else self.token)))
        if "signature" in shows:
            good = signed(self.body, self.signer)
            proof += headers([random_signature()], [self.signer.path]) if "signature" in wrong else good
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"] if version == "2" else ["http/1.1"])
        if "certificate" in shows:
            context.load_cert_chain(*(self.bad if "certificate" in wrong else self.good))
        return http.request(self.port, "POST", "/" + _name(some), proof, self.body, version, context)


def _suffices(some, shows):
    header = some & {"tokens", "oauth"}
    return (not header or bool(header & shows)) and some - {"tokens", "oauth"} <= shows


@pytest.mark.parametrize("some", SETS, ids=_name)
def test_all_that_is_configured_must_be_shown(parts, http_version, some):
    for count in range(len(WAYS) + 1):
        for shows in map(set, itertools.combinations(WAYS, count)):
            if {"tokens", "oauth"} <= shows:
                continue  # one header
            answer = parts.ask(some, shows, http_version)
            if _suffices(some, shows):
                assert answer.status == 200, (shows, answer.body)
                continue
            assert_error(answer, 401, "unauthorized")
            wants_header = bool(some & {"tokens", "oauth"})
            assert (answer.header("www-authenticate") or "").startswith("Bearer") == wants_header


@pytest.mark.parametrize("some", SETS, ids=_name)
def test_one_that_is_wrong_is_not_made_good_by_the_others(parts, http_version, some):
    for way in some:
        shows = some - ({"tokens", "oauth"} - {way} if way in ("tokens", "oauth") else set())
        if {"tokens", "oauth"} <= shows:
            shows = shows - {"oauth"}
        answer = parts.ask(some, shows, http_version, wrong={way})
        assert answer.status in (401, 503) if way == "signature" else answer.status == 401, (way, answer.body)


def test_challenge_names_a_token_that_was_refused(parts, http_version):
    """RFC 6750 section 3.1: no error where nothing was shown."""
    refused = parts.ask({"oauth"}, {"oauth"}, http_version, wrong={"oauth"})
    assert 'error="invalid_token"' in refused.header("www-authenticate")
    missing = parts.ask({"oauth"}, set(), http_version)
    assert_unauthorized(missing, challenge=True)
    assert_unauthorized(parts.ask({"signature"}, set(), http_version), challenge=False)
    assert_unauthorized(parts.ask({"certificate"}, set(), http_version), challenge=False)


@pytest.mark.parametrize("some", SETS, ids=_name)
def test_probes_need_nothing(parts, http_version, some):
    path = "/" + _name(some)
    context = ssl._create_unverified_context()
    if http_version == "2":
        context.set_alpn_protocols(["h2"])
    for method in ("GET", "HEAD"):
        assert http.request(parts.port, method, path, http=http_version, tls=context).status == 200
    answer = http.request(parts.port, "GET", path + "?challenge=abc", http=http_version, tls=context)
    assert answer.body == b"abc"
    body = b'{"validationUrl":"https://csm.adobe.io/csm/registrations/validate?id=1&challenge=2"}'
    assert http.request(parts.port, "POST", path, [], body, http_version, context).status == 200


# --- what `check` says

def test_check_explains_what_an_endpoint_accepts(parts):
    done = run_command("check", "--config", parts.bridge.config_path)
    assert done.returncode == 0, done.stderr
    for some in SETS:
        path = "/" + _name(some)
        assert [line for line in done.stdout.splitlines() if path in line.split() or f"{path}:" in line], path
    assert STATIC not in done.stdout + done.stderr


BAD = {
    "issuer without audience": {"oauth": {"issuer": "https://idp.example"}},
    "keys without an issuer": {"oauth": {"jwks_url": "https://idp.example/jwks", "audience": "a"}},
    "nothing of OAuth": {"oauth": {"audience": "a"}},
    "introspection without a client": {"oauth": {"introspection_url": "https://idp.example/i", "audience": "a"}},
    "clear text to elsewhere": {"oauth": {"issuer": "https://idp.example", "audience": "a", "jwks_url": "http://idp.example/jwks"}},
    "key host in clear text": {"signature": True, "key_base": "http://static.example", "recipients": ["a"]},
    "key host with a path": {"signature": True, "key_base": "https://static.example/x", "recipients": ["a"]},
    "unknown key": {"oauth": {"issuer": "https://idp.example", "audience": "a", "jwks": "x"}},
    "nothing": {},
}


@pytest.mark.parametrize("name", BAD)
def test_configuration_that_cannot_work_is_refused(tmp_path, name):
    path = tmp_path / "bridge.yaml"
    endpoints = [{"path": ADOBE, "sender": "adobe-io", "auth": BAD[name]}]
    path.write_text(json.dumps(configuration("127.0.0.1:9092", "x", 8080, 9464, {"endpoints": endpoints})))
    done = run_command("check", "--config", path)
    assert done.returncode == 1, done.stdout
    assert "auth" in done.stderr or "oauth" in done.stderr or "key_base" in done.stderr, done.stderr
