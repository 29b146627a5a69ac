# SPDX-License-Identifier: Apache-2.0
"""SIGHUP and changed files: new values for new requests, nothing dropped, a broken change refused and the old kept."""

import pathlib
import signal
import ssl
import time
import uuid

import pytest

from harness import certificates, events, http, jwt
from harness.answers import finally_answered
from harness.bridge import ACTIVITY, ADOBE, SLOW, TOKEN, replace_text
from harness.certificates import Authority
from harness.http import CLIENTS
from harness.load import Load
from harness.ports import release_port, take_port
from harness.secrets import remember
from harness.signatures import Signer, signed
from harness.waits import eventually

# A changed file is seen within about 3 s.
SEEN = 8 * SLOW


def fresh_token():
    return remember("fresh-" + uuid.uuid4().hex)


def _endpoint(path=ACTIVITY, sender="activity-push", **auth):
    return {"path": path, "sender": sender, "auth": auth}


def _tokens(*tokens):
    return {"endpoints": [_endpoint(tokens=list(tokens))]}


def _status(bridge, token, **options):
    return bridge.post(ACTIVITY, b"[]", token=token, **options).status


# --- SIGHUP

def test_tokens_are_exchanged(start_bridge, http_version):
    old, new = fresh_token(), fresh_token()
    bridge = start_bridge(_tokens(old))
    assert _status(bridge, old, http_version=http_version) == 200
    bridge.reload(_tokens(new))
    assert _status(bridge, old, http_version=http_version) == 401
    assert _status(bridge, new, http_version=http_version) == 200
    assert bridge.metrics().sum("config_reload_success") == 1
    assert bridge.logged("configuration reloaded", level="info")


def test_new_values_on_a_connection_that_is_open(start_bridge, http_version):
    old, new = fresh_token(), fresh_token()
    bridge = start_bridge(_tokens(old))
    with CLIENTS[http_version](bridge.port) as client:
        def post(token):
            return client.request("POST", ACTIVITY, [("authorization", "Bearer " + token)], b"[]").status

        assert (post(old), post(new)) == (200, 401)
        bridge.reload(_tokens(new))
        assert (post(old), post(new)) == (401, 200)


def test_nothing_is_dropped_under_load(start_bridge, reader):
    token = fresh_token()
    bridge = start_bridge(_tokens(token))
    proof = {"proof": lambda _: [("Authorization", token)]}
    with Load(bridge, ACTIVITY, http_version="1.1", **proof) as one, Load(bridge, ACTIVITY, http_version="2", **proof) as two:
        one.wait_good()
        for _ in range(20):
            bridge.reload(_tokens(fresh_token(), token))
        one.wait_good()
        two.wait_good()
    assert one.statuses() == two.statuses() == {200}
    one.assert_promises_kept(reader, 17)
    two.assert_promises_kept(reader, 17)


BROKEN = {
    "no YAML": lambda path: replace_text(path, "endpoints: ["),
    "unknown key": lambda path: replace_text(path, path.read_text()[:-1] + ', "no_such_key": 1}'),
    "no endpoints": lambda path: replace_text(path, path.read_text().replace('"endpoints"', '"endpointz"')),
    "empty": lambda path: replace_text(path, ""),
    "gone": lambda path: path.unlink(),
    "unset name": lambda path: replace_text(path, path.read_text().replace("activity-push", "${NO_SUCH_NAME_HERE}")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_configuration_is_refused(start_bridge, name):
    token = fresh_token()
    bridge = start_bridge(_tokens(token))
    bridge.allow_errors = True
    BROKEN[name](bridge.config_path)
    bridge.signal(signal.SIGHUP)
    eventually(lambda: bridge.logged("configuration refused", level="error"), SEEN, "it is refused")
    assert bridge.metrics().sum("config_reload_success") == 0
    assert _status(bridge, token) == 200
    new = fresh_token()
    bridge.reload(_tokens(new))
    assert bridge.metrics().sum("config_reload_success") == 1
    assert (_status(bridge, new), _status(bridge, token)) == (200, 401)


def test_refusal_says_why(start_bridge):
    bridge = start_bridge(_tokens(fresh_token()))
    bridge.allow_errors = True
    bridge.write_config({"limits": {"body": "a little"}})
    bridge.signal(signal.SIGHUP)
    line, = eventually(lambda: bridge.logged("configuration refused"), SEEN, "it is refused")
    assert "body" in str(line)


def test_what_needs_a_restart_is_said(start_bridge):
    token = fresh_token()
    bridge = start_bridge(_tokens(token))
    bridge.reload({**_tokens(token), "kafka": {"compression.type": "zstd"}, "limits": {"connections": 77}})
    said = eventually(lambda: bridge.logged("restart", level="warning"), 5, "it is said")
    assert "kafka" in str(said)
    assert _status(bridge, token) == 200


def test_everything_of_authentication_can_change(start_bridge, host, provider):
    """From tokens to OAuth to a signature to nothing and back, at one endpoint."""
    signer = Signer().publish(host)
    ways = {
        "tokens": {"tokens": [TOKEN]},
        "oauth": {"oauth": provider.oauth("RS256")},
        "signature": {"signature": True, "key_base": host.base, "recipients": ["us"]},
    }

    def shown(way, body):
        return {
            "tokens": [("Authorization", TOKEN)], "oauth": [("Authorization", "Bearer " + provider.token("RS256"))],
            "signature": signed(body, signer),
        }[way]

    bridge = start_bridge({"endpoints": [_endpoint(ADOBE, "adobe-io", **ways["tokens"])]})
    body = events.addressed(1, "us")[0]
    for now in ("oauth", "signature", "tokens", "signature", "oauth"):
        bridge.reload({"endpoints": [_endpoint(ADOBE, "adobe-io", **ways[now])]})
        for way in ways:
            answer = bridge.post(ADOBE, body, shown(way, body), token=None)
            assert answer.status == (200 if way == now else 401), (now, way, answer.body)
    bridge.reload({"endpoints": [{"path": ADOBE, "sender": "adobe-io", "auth": "none"}]})
    assert bridge.post(ADOBE, body, token=None).status == 200


def test_keys_that_are_known_survive(start_bridge, host):
    """A reload while the provider is away costs nobody his keys."""
    key = jwt.Key()
    host.put_json("/jwks", jwt.key_set(key))
    oauth = {"issuer": "https://idp.example", "audience": "a", "jwks_url": host.url("/jwks")}
    bridge = start_bridge({"endpoints": [_endpoint(oauth=oauth)]})
    token = jwt.signed(key, jwt.claims("https://idp.example", "a"))
    assert _status(bridge, token) == 200
    host.kill()
    bridge.reload({"endpoints": [_endpoint(oauth={**oauth, "allowed_clients": ["adobe"]})]})
    assert _status(bridge, token) == 200
    bridge.reload({"endpoints": [_endpoint(oauth={**oauth, "allowed_clients": ["other"]})]})
    assert _status(bridge, token) == 401


def test_waiting_requests_are_answered(start_bridge, host, http_version):
    """A token waits for its provider while the endpoint that it came to is exchanged."""
    host.put_json("/ask", {"active": True, "aud": "a", "client_id": "adobe"}, delay=2)
    oauth = {"audience": "a", "issuer": "https://idp.example", "jwks_url": host.url("/jwks"),
             "introspection_url": host.url("/ask"), "client_id": "bridge", "client_secret": remember("secret-of-ours")}
    host.put_json("/jwks", jwt.key_set(jwt.Key()))
    bridge = start_bridge({"endpoints": [_endpoint(oauth=oauth)]})
    with Load(bridge, ACTIVITY, senders=8, http_version=http_version,
              proof=lambda _: [("Authorization", "Bearer " + fresh_token())]) as load:
        eventually(lambda: host.count("/ask") > 0, 10, "they wait")
        bridge.reload(_tokens(fresh_token()))
    assert 0 not in load.statuses()
    assert load.statuses() <= {200, 401, 503}


# --- changed files

def test_changed_configuration_is_seen(start_bridge):
    old, new = fresh_token(), fresh_token()
    bridge = start_bridge(_tokens(old))
    bridge.write_config(_tokens(new))
    eventually(lambda: _status(bridge, new) == 200, SEEN, "it is in force")
    # The loops follow one after the other.
    eventually(lambda: _status(bridge, old) == 401, SEEN, "in each loop")


@pytest.mark.parametrize("written", ["replaced", "in place", "link moved"])
def test_changed_secret_is_seen(start_bridge, tmp_path, written):
    """As editors, and as Kubernetes write them (a link that is moved to another folder)."""
    old, new = fresh_token(), fresh_token()
    secret = tmp_path / "secrets" / "token"
    for name, value in (("one", old), ("two", new)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(value + "\n")
    if written == "link moved":
        secret.parent.symlink_to(tmp_path / "one")
    else:
        secret.parent.mkdir()
        secret.write_text(old)
    bridge = start_bridge(_tokens("${file:%s}" % secret))
    assert _status(bridge, old) == 200
    if written == "replaced":
        replace_text(secret, new)
    elif written == "in place":
        secret.write_text(new)
    else:
        (tmp_path / "next").symlink_to(tmp_path / "two")
        (tmp_path / "next").rename(secret.parent)
    eventually(lambda: _status(bridge, new) == 200, SEEN, "it is in force")
    eventually(lambda: _status(bridge, old) == 401, SEEN, "in each loop")


def test_secret_that_is_gone_is_refused(start_bridge, tmp_path):
    token, secret = fresh_token(), tmp_path / "token"
    secret.write_text(token)
    bridge = start_bridge(_tokens("${file:%s}" % secret))
    bridge.allow_errors = True
    secret.unlink()
    eventually(lambda: bridge.metrics().sum("config_reload_success") == 0, SEEN, "it is seen")
    assert _status(bridge, token) == 200
    new = fresh_token()
    secret.write_text(new)
    eventually(lambda: _status(bridge, new) == 200, SEEN, "it is in force")
    eventually(lambda: bridge.metrics().sum("config_reload_success") == 1, SEEN, "in each loop")


def test_file_that_stays_as_it_is_reloads_nothing(start_bridge):
    bridge = start_bridge(_tokens(TOKEN))
    end = time.monotonic() + 5
    eventually(lambda: time.monotonic() > end, 10)
    assert bridge.logged("configuration reloaded") == []


# --- TLS

class Tls:
    """A listener whose files are exchanged."""

    def __init__(self, start_bridge, folder, authority):
        self.port, self.folder = take_port(), folder
        self.address = f"127.0.0.1:{self.port}"
        self.authority = authority
        self.show(authority.server())
        self.trust(authority)
        self.revoke()
        tls = {"certificate": str(folder / "cert.pem"), "key": str(folder / "key.pem"),
               "client_ca": str(folder / "ca.pem"), "client_crl": str(folder / "ca.crl")}
        self.bridge = start_bridge({
            "listen": [{"address": self.address, "tls": tls}],
            "endpoints": [_endpoint(tokens=[TOKEN]), _endpoint(ADOBE, "adobe-io", client_names=["us.example"])],
        })

    def show(self, certificate):
        # The key first: in between the pair does not fit, and the old one stays.
        for source, name in reversed(list(zip(certificate, ("cert.pem", "key.pem")))):
            replace_text(self.folder / name, pathlib.Path(source).read_text())

    def trust(self, *authorities):
        replace_text(self.folder / "ca.pem", "".join(one.file.read_text() for one in authorities))

    def revoke(self, *leaves):
        replace_text(self.folder / "ca.crl", self.authority.revocations(*leaves))

    def serial(self):
        context = ssl.create_default_context(cafile=self.authority.file)
        with http.connect(self.port, context) as sock:
            return sock.getpeercert()["serialNumber"]

    def post(self, shown):
        context = certificates.client(self.authority.file, shows=shown)
        return http.request(self.port, "POST", ADOBE, [], b"[]", tls=context).status


@pytest.fixture
def tls(start_bridge, tmp_path, authority):
    found = Tls(start_bridge, tmp_path, authority)
    yield found
    release_port(found.port)


def _expiry(tls):
    return tls.bridge.metrics().sum("certificate_expiry_timestamp_seconds", listener=tls.address)


@pytest.mark.parametrize("how", ["signal", "seen"])
def test_certificate_is_renewed(tls, how):
    tls.bridge.allow_errors = True  # the pair may be seen half-written
    assert _expiry(tls) == certificates.expiry(tls.folder / "cert.pem")
    before = tls.serial()
    context = ssl.create_default_context(cafile=tls.authority.file)
    with http.Http1(tls.port, context) as client:
        def post():
            return client.request("POST", ACTIVITY, [("Authorization", TOKEN)], b"[]").status

        assert post() == 200
        tls.show(tls.authority.server(ends=20))
        if how == "signal":
            tls.bridge.signal(signal.SIGHUP)
        eventually(lambda: tls.serial() != before, SEEN, "the new one is shown")
        assert post() == 200, "the connection of before goes on"
    eventually(lambda: _expiry(tls) == certificates.expiry(tls.folder / "cert.pem"), what="the metric tells the truth")
    assert tls.bridge.metrics().sum("config_reload_success") == 1


@pytest.mark.parametrize("broken", ["no certificate", "key of another", "gone"])
def test_broken_certificate_is_refused(tls, broken):
    tls.bridge.allow_errors = True
    before, expiry = tls.serial(), _expiry(tls)
    if broken == "no certificate":
        replace_text(tls.folder / "cert.pem", "nothing")
    elif broken == "gone":
        (tls.folder / "cert.pem").unlink()
    else:
        replace_text(tls.folder / "key.pem", tls.authority.server()[1].read_text())
    eventually(lambda: tls.bridge.metrics().sum("config_reload_success") == 0, SEEN, "it is refused")
    assert tls.bridge.logged("configuration refused", level="error")
    assert tls.serial() == before
    assert _expiry(tls) == expiry
    tls.show(tls.authority.server())
    eventually(lambda: tls.serial() != before, SEEN, "the new one is shown")


def test_authority_and_revocations_are_exchanged(tls):
    tls.bridge.allow_errors = True  # a list of an authority that is not there yet
    ours = tls.authority.issue(dns=["us.example"])
    assert tls.post(ours) == 200
    tls.revoke(ours)
    eventually(lambda: tls.post(ours) == 401, SEEN, "it is revoked")
    again = tls.authority.issue(dns=["us.example"])
    assert tls.post(again) == 200

    (tls.folder / "b").mkdir()
    second = Authority(tls.folder / "b", "Second Authority")
    theirs = second.issue(dns=["us.example"])
    assert tls.post(theirs) == 401
    tls.trust(tls.authority, second)
    replace_text(tls.folder / "ca.crl", tls.authority.revocations(ours) + second.revocations())
    eventually(lambda: tls.post(theirs) == 200, SEEN, "the new authority counts")
    assert (tls.post(ours), tls.post(again)) == (401, 200)


def test_renewed_under_load(tls):
    """Connections come all the time while certificates change: none fails."""
    context = ssl.create_default_context(cafile=tls.authority.file)
    tls.bridge.allow_errors = True
    for number in range(5):
        before = tls.serial()
        tls.show(tls.authority.server())
        tls.bridge.signal(signal.SIGHUP)
        seen = time.monotonic()
        while tls.serial() == before:
            answer = http.request(tls.port, "POST", ACTIVITY, [("Authorization", TOKEN)], b"[]", tls=context)
            assert answer.status == 200
            assert time.monotonic() < seen + SEEN, number
    finally_answered(lambda: http.request(tls.port, "POST", ACTIVITY, [("Authorization", TOKEN)], b"[]", tls=context), 200)
