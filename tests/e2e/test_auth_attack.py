# SPDX-License-Identifier: Apache-2.0
"""What a hostile reader of the code has tried: a way in, a final refusal where a retry would do, work without a proof."""

import gzip
import signal

import pytest

from harness import certificates, events, http, jwt
from harness.answers import assert_unavailable, reasons, refusals
from harness.bridge import ACTIVITY, ADOBE, TOKEN
from harness.http import CLIENTS, HTTP1
from harness.ports import release_port, take_port
from harness.signatures import Signer, fresh_path, headers, random_signature, signed
from harness.waits import eventually

OURS, OTHERS = "0123456789abcdef0123456789abcdef", "ffffffffffffffffffffffffffffffff"
NAME = "webhooks.adobe.example"


@pytest.fixture
def start(start_bridge):
    """Kafka has no part in these: the embedded one does."""
    def start(settings, **options):
        return start_bridge({"kafka": {"bootstrap.servers": ...}, **settings}, bootstrap="unused",
                            arguments=("--embedded-kafka",), **options)

    return start


# --- certificates: the connection is older than what it is judged by

class Listener:
    def __init__(self, start, folder, authority):
        self.folder, self.authority = folder, authority
        self.port = take_port()
        certificate, key = authority.server()
        self.tls = {"certificate": str(certificate), "key": str(key)}
        self.bridge = start(self.settings({}, {"tokens": [TOKEN]}))

    def settings(self, asks, auth):
        return {
            "listen": [{"address": f"127.0.0.1:{self.port}", "tls": {**self.tls, **asks}}],
            "endpoints": [{"path": ADOBE, "sender": "adobe-io", "auth": auth},
                          {"path": ACTIVITY, "sender": "activity-push", "auth": {"tokens": [TOKEN]}}],
        }

    def want(self, crl=None):
        asks = {"client_ca": str(self.authority.file)}
        if crl is not None:
            (self.folder / "ca.crl").write_text(crl)
            asks["client_crl"] = str(self.folder / "ca.crl")
        self.bridge.reload({"kafka": {"bootstrap.servers": ...}, **self.settings(asks, {"client_names": [NAME]})})

    def connect(self, version, shown):
        protocols = ["http/1.1"] if version == HTTP1 else ["h2"]
        return CLIENTS[version](self.port, certificates.client(self.authority.file, *protocols, shows=shown))


@pytest.fixture
def listener(start, tmp_path, authority):
    found = Listener(start, tmp_path, authority)
    yield found
    release_port(found.port)


def post(client, headers=()):
    return client.request("POST", ADOBE, list(headers), b"[]")


def assert_sent_to_a_new_connection(client):
    """This one goes, so that whoever comes again does so on another."""
    if isinstance(client, http.Http1):
        assert client.wait_closed(5) == b""
    else:
        client.wait_closed(5)
        assert client.goaway


def test_connection_from_before_certificates_were_asked_for(listener, http_version):
    """It could not show its certificate, so that none there is no reason to turn the sender away for good."""
    shown = listener.authority.issue(dns=[NAME])
    with listener.connect(http_version, shown) as client:
        assert post(client, [("authorization", TOKEN)]).status == 200
        listener.want()
        with refusals(listener.bridge, ADOBE, "no_certificate"):
            assert_unavailable(post(client))
        assert_sent_to_a_new_connection(client)
    with listener.connect(http_version, shown) as client:
        assert post(client).status == 200


def test_connection_from_before_its_certificate_was_revoked(listener, http_version):
    """Adobe revokes a certificate when another has long been in use: on a new connection that one is shown."""
    old = listener.authority.issue(dns=[NAME])
    listener.want(listener.authority.revocations())
    with listener.connect(http_version, old) as client:
        assert post(client).status == 200
        listener.want(listener.authority.revocations(old))
        with refusals(listener.bridge, ADOBE, "certificate_revoked"):
            assert_unavailable(post(client))
        assert_sent_to_a_new_connection(client)
    with listener.connect(http_version, old) as client:
        assert post(client).status == 401
    with listener.connect(http_version, listener.authority.issue(dns=[NAME])) as client:
        assert post(client).status == 200


def test_upload_on_a_connection_that_is_sent_away_ends_well(listener):
    with listener.connect(http.HTTP2, listener.authority.issue(dns=[NAME])) as client:
        assert post(client, [("authorization", TOKEN)]).status == 200
        body, ids = events.activities(2)
        upload = client.start("POST", ACTIVITY, [("authorization", TOKEN)])
        client.send(upload, body[:20])
        listener.want()
        assert_unavailable(post(client))
        while not client.goaway:
            client.pump()
        client.send(upload, body[20:], end=True)
        answer = client.answer(upload)
        assert (answer.status, answer.json()["delivered"]) == (200, len(ids))
        client.wait_closed(5)


def test_other_endpoints_of_an_old_connection_go_on(listener, http_version):
    with listener.connect(http_version, None) as client:
        listener.want()
        for _ in range(3):
            answer = client.request("POST", ACTIVITY, [("authorization", TOKEN)], b"[]")
            assert answer.status == 200


def test_certificates_that_nobody_could_show_yet(start, tmp_path, authority):
    """The endpoint would want them at once, the listener that asks for them is there after a restart only."""
    bridge, port = start({}), take_port()
    bridge.allow_errors = True
    certificate, key = authority.server()
    tls = {"certificate": str(certificate), "key": str(key), "client_ca": str(authority.file)}
    bridge.write_config({
        "kafka": {"bootstrap.servers": ...},
        "listen": [{"address": f"127.0.0.1:{bridge.port}"}, {"address": f"127.0.0.1:{port}", "tls": tls}],
        "endpoints": [{"path": ADOBE, "sender": "adobe-io", "auth": {"client_names": [NAME]}}],
    })
    bridge.signal(signal.SIGHUP)
    eventually(lambda: bridge.logged("configuration refused", "client_names"), 20, "it is refused")
    assert bridge.post(ADOBE, b"[]").status == 200
    release_port(port)


# --- certificates: what strangers' hold

def _small(folder, authority, count):
    """A chain of many: in memory each is a multiple of its bytes."""
    leaf, key = authority.issue(dns=[NAME])
    others = b"".join(authority.issue()[0].read_bytes() for _ in range(count - 1))
    chain = folder / f"chain-{count}.pem"
    chain.write_bytes(leaf.read_bytes() + others)
    return chain, key


def test_chain_of_very_many_certificates(listener, tmp_path):
    """Their memory is a stranger's choice, so it is bounded by their number as well as by their bytes."""
    listener.want()
    with listener.connect(HTTP1, _small(tmp_path, listener.authority, 8)) as client:
        assert post(client).status == 200
    refused = False
    try:
        with listener.connect(HTTP1, _small(tmp_path, listener.authority, 40)) as client:
            post(client)
    except (OSError, http.Closed):
        refused = True
    assert refused


# --- memory

def test_no_refusal_makes_a_series(start):
    """A series takes memory, and who has none for it ends: that must not be a stranger's doing."""
    bridge = start({})
    before = bridge.metrics()
    assert len([1 for name, labels, _ in before.series if name == "auth_failures_total" and labels["endpoint"] == ADOBE]) > 25
    assert bridge.post(ADOBE, b"[]", token="of-nobody").status == 401
    assert bridge.post(ADOBE, b"[]", token=None).status == 401
    after = bridge.metrics()
    assert [one[:2] for one in after.series] == [one[:2] for one in before.series]
    assert after.sum("auth_failures_total", endpoint=ADOBE) == 2


# --- JWT

def test_other_key_under_the_same_name(start, host, http_version):
    """The provider has exchanged its key and not the kid: looked at again before the new tokens are refused."""
    old, new = jwt.Key(kid="only"), jwt.Key(kid="only")
    issuer, audience = "https://idp.example", "a"
    host.put_json("/jwks", jwt.key_set(old))
    oauth = {"issuer": issuer, "audience": audience, "jwks_url": host.url("/jwks")}
    bridge = start({"endpoints": [{"path": ACTIVITY, "sender": "activity-push", "auth": {"oauth": oauth}}]})

    def ask(key):
        token = jwt.signed(key, jwt.claims(issuer, audience))
        return bridge.post(ACTIVITY, b"[]", token=token, http_version=http_version).status

    assert ask(old) == 200
    host.put_json("/jwks", jwt.key_set(new))
    assert ask(new) == 200
    looks = host.count("/jwks")
    assert [ask(old) for _ in range(5)] == [401] * 5
    assert host.count("/jwks") == looks


# --- signatures: whose events they are

@pytest.fixture
def signer(host):
    return Signer().publish(host)


@pytest.fixture
def start_signed(start, host):
    def start_signed(**settings):
        auth = {"signature": True, "key_base": host.base, "recipients": [OURS]}
        return start({"endpoints": [{"path": ADOBE, "sender": "adobe-io", "auth": auth}], **settings})

    return start_signed


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "br", "gzip, gzip", "nonsense"])
def test_coding_that_is_not_true_hides_nobody(start_signed, signer, http_version, coding):
    """Adobe signs the body and no header. So anybody may send what was signed for another of its customers with a
    coding that it does not have; that must not become a dead letter of ours."""
    bridge = start_signed()
    foreign, ours = events.addressed(2, OTHERS)[0], events.addressed(2, OURS)[0]

    def ask(body):
        proof = signed(body, signer) + [("content-encoding", coding)]
        return bridge.post(ADOBE, body, proof, token=None, http_version=http_version)

    with refusals(bridge, ADOBE, "unknown_recipient"):
        assert_unavailable(ask(foreign), "unknown_recipient")
    assert bridge.metrics().sum("dead_letters_total") == 0
    assert ask(ours).json()["dead_lettered"] == 1
    if coding == "gzip":
        assert_unavailable(ask(gzip.compress(foreign)), "unknown_recipient")


def test_what_is_signed_for_others_makes_nobody_known(start_signed, host, signer, http_version):
    """Any customer of Adobe's has a body with a good signature: it must not open the budget of known peers."""
    bridge = start_signed()
    foreign = events.addressed(1, OTHERS)[0]

    def spent():
        strange = headers([random_signature()], [fresh_path()])
        return (bridge.post(ADOBE, foreign, strange, token=None).status == 503
                and "fetch_budget" in reasons(bridge.metrics(), ADOBE))

    with CLIENTS[http_version](bridge.port) as client:
        assert client.request("POST", ADOBE, signed(foreign, signer), foreign).json()["error"] == "unknown_recipient"

        def refused_as_a_stranger():
            """A place comes free every two seconds: perhaps just now."""
            eventually(spent, 20, "strangers' budget is spent", every=0)
            path = fresh_path()
            answer = client.request("POST", ADOBE, headers([random_signature()], [path]), foreign)
            assert answer.json()["error"] == "auth_unavailable"
            return host.count(path) == 0

        eventually(refused_as_a_stranger, 30, "its path is not fetched", every=0)


def test_too_many_events_hide_nobody(start_signed, signer):
    bridge = start_signed(limits={"events": 3})

    def ask(recipient):
        body = events.addressed(4, recipient)[0]
        return bridge.post(ADOBE, body, signed(body, signer), token=None)

    with refusals(bridge, ADOBE, "unknown_recipient"):
        assert_unavailable(ask(OTHERS), "unknown_recipient")
    assert bridge.metrics().sum("dead_letters_total") == 0
    assert ask(OURS).json()["dead_lettered"] == 1
