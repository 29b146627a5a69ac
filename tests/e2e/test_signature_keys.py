# SPDX-License-Identifier: Apache-2.0
"""Adobe's keys: fetched, kept, exchanged; their host slow, broken or away; and paths by the hundred from strangers."""

import threading
import time

import pytest

from harness import events
from harness.answers import assert_unauthorized, assert_unavailable, finally_answered, reasons, refusals
from harness.bridge import ADOBE, SLOW
from harness.http import CLIENTS
from harness.load import Load
from harness.signatures import Signer, fresh_path, headers, random_signature, signed
from harness.waits import eventually

OURS = "0123456789abcdef0123456789abcdef"


def _settings(host):
    auth = {"signature": True, "key_base": host.base, "recipients": [OURS]}
    return {"endpoints": [{"path": ADOBE, "sender": "adobe-io", "auth": auth}]}


def _body(count=1):
    return events.addressed(count, OURS)[0]


def _post(bridge, *signers, **options):
    body = _body()
    return bridge.post(ADOBE, body, signed(body, *signers), token=None, **options)


def _strange(bridge, path=None, **options):
    """As a stranger would: the right form, a path of his own, nothing signed."""
    return bridge.post(ADOBE, _body(), headers([random_signature()] * 2, [path or fresh_path(), fresh_path()]),
                       token=None, **options)


def _addressed(count):
    return events.addressed(count, OURS)


# --- fetched and kept

def test_key_is_fetched_once(start_bridge, host, http_version):
    one, two = Signer().publish(host), Signer().publish(host)
    bridge = start_bridge(_settings(host))
    for _ in range(20):
        assert _post(bridge, one, two, http_version=http_version).status == 200
    eventually(lambda: host.count() == 2, what="the other of the pair is fetched as well")
    asked = host.requests(one.path)[0]
    assert asked["method"] == "GET"
    assert not {"authorization", "cookie"} & set(asked["headers"])
    eventually(lambda: bridge.metrics().sum("auth_fetches_total", kind="key", outcome="answered") == 2,
               what="both are counted, once the answers have come")
    assert host.count() == 2


def test_requests_for_one_key_share_a_fetch(start_bridge, host, http_version):
    signer = Signer()
    host.put(signer.path, signer.pem(), delay=1)
    bridge = start_bridge(_settings(host))
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(_post(bridge, signer, http_version=http_version).status))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 20
    assert host.count() == 1


def test_good_pair_does_not_wait_for_the_other(start_bridge, host):
    good, slow = Signer().publish(host), Signer()
    host.put(slow.path, slow.pem(), delay=30)
    bridge = start_bridge(_settings(host))
    assert _post(bridge, good).status == 200
    for pair in ((good, slow), (slow, good)):
        answer = _post(bridge, *pair)
        assert answer.status == 200
        assert answer.seconds < 1 * SLOW


@pytest.mark.parametrize("second", ["silent", "404", "garbage"])
def test_other_pair_is_tried_when_the_first_has_no_key(start_bridge, host, second):
    broken, good = Signer(), Signer().publish(host)
    if second == "silent":
        host.put(broken.path, delay=30)
    elif second == "garbage":
        host.put(broken.path, b"no key")
    bridge = start_bridge(_settings(host))
    answer = _post(bridge, broken, good)
    assert answer.status == 200, answer.body
    assert answer.seconds < 4 * SLOW


# --- exchanged

def test_new_path_under_load(start_bridge, host, reader):
    """Adobe changes to other keys: the first batch with them fetches them, nobody is refused."""
    old, next_ = Signer().publish(host), Signer().publish(host)
    bridge = start_bridge(_settings(host))
    pair = [old, next_]
    with Load(bridge, ADOBE, proof=lambda body: signed(body, *pair), bodies=_addressed) as load:
        load.wait_good()
        for _ in range(3):
            pair[0] = Signer().publish(host)
            load.wait_good()
            pair[1] = Signer().publish(host)
            load.wait_good()
    assert load.statuses() == {200}
    load.assert_promises_kept(reader, 7)


def test_other_key_at_the_same_path(start_bridge, host, http_version):
    """A signature that the key we have does not fit is a reason to look again before it is refused."""
    old = Signer().publish(host)
    bridge = start_bridge(_settings(host))
    assert _post(bridge, old, http_version=http_version).status == 200
    new = Signer(path=old.path).publish(host)
    finally_answered(lambda: _post(bridge, new, http_version=http_version), 200, timeout=20)
    finally_answered(lambda: _post(bridge, old, http_version=http_version), 401, timeout=20)


def test_forged_signatures_do_not_fetch_without_end(start_bridge, host):
    """A stranger names the path of a proven key: looked at again now and then, and the key stays."""
    signer = Signer().publish(host)
    bridge = start_bridge(_settings(host))
    assert _post(bridge, signer).status == 200
    begun = time.monotonic()

    def forged(_body):
        return headers([random_signature()], [signer.path])

    with Load(bridge, ADOBE, senders=20, gap=0, proof=forged, bodies=_addressed) as strangers:
        while time.monotonic() < begun + 5:
            answer = _post(bridge, signer)
            assert answer.status == 200
            assert answer.seconds < 1 * SLOW
    assert strangers.statuses() <= {401, 503}
    assert strangers.count(401) > 0
    assert host.count() <= 10 + (time.monotonic() - begun)


# --- broken

def _redirect(host, signer):
    host.put("/prod/keys/elsewhere.pem", signer.pem())
    host.put(signer.path, status=301, headers=[("Location", "/prod/keys/elsewhere.pem")])


SET = {
    "silent": lambda host, signer: host.put(signer.path, delay=30),
    "500": lambda host, signer: host.put(signer.path, signer.pem(), status=500),
    "404": lambda host, signer: host.remove(signer.path),
    "garbage": lambda host, signer: host.put(signer.path, b"\0<html>no key</html>"),
    "empty": lambda host, signer: host.put(signer.path, b""),
    "oversize": lambda host, signer: host.put(signer.path, b"\n" * 20_000 + signer.pem()),
    "redirect": _redirect,
    "cut": lambda host, signer: host.put(signer.path, signer.pem(), cut=100),
    "killed": lambda host, signer: host.kill(),
}


@pytest.mark.fault
@pytest.mark.parametrize("state", SET)
def test_broken_host(start_bridge, host, http_version, state):
    """503, in time, and nothing changes for the keys that are known; all is well as soon as the host is."""
    known, unknown = Signer().publish(host), Signer()
    bridge = start_bridge(_settings(host))
    assert _post(bridge, known).status == 200
    SET[state](host, unknown)
    with refusals(bridge, ADOBE, "key_unavailable"):
        assert_unavailable(_post(bridge, unknown, http_version=http_version))
    answer = _post(bridge, known, http_version=http_version)
    assert answer.status == 200
    assert host.count("/prod/keys/elsewhere.pem") == 0
    assert bridge.metrics().sum("auth_fetches_total", kind="key") >= 2
    unknown.publish(host)
    if state == "killed":
        host.start()
    finally_answered(lambda: _post(bridge, unknown), 200, timeout=20)


@pytest.mark.fault
@pytest.mark.parametrize("shown", ["expired", "of another authority"])
def test_certificate_of_the_host(start_bridge, make_host, authority, tmp_path, shown):
    host = make_host(authority.server())
    signer, other = Signer().publish(host), Signer().publish(host)
    bridge = start_bridge(_settings(host), environment={"SSL_CERT_FILE": str(authority.file)})
    assert _post(bridge, signer).status == 200
    if shown == "expired":
        host.use_certificate(authority.server(begins=-5, ends=-1))
    else:
        host.use_certificate(type(authority)(tmp_path, "Another").server())
    # On a connection that is still open the old one would count.
    host.kill()
    host.start()
    assert_unavailable(_post(bridge, other))
    assert _post(bridge, signer).status == 200
    host.use_certificate(authority.server())
    finally_answered(lambda: _post(bridge, other), 200, timeout=20)


@pytest.mark.parametrize("bits", [1024, 3072, 4096])
def test_size_of_a_key(start_bridge, host, bits):
    signer = Signer(bits=bits).publish(host)
    bridge = start_bridge(_settings(host))
    answer = _post(bridge, signer)
    if bits < 2048:
        assert answer.status in (401, 503)
    else:
        assert answer.status == 200, answer.body


# --- strangers

def test_strangers_spend_what_is_theirs(start_bridge, host):
    """Random paths as fast as they come: few fetches, always 503, and proven keys are as they were."""
    one, two = Signer().publish(host), Signer().publish(host)
    bridge = start_bridge(_settings(host))
    assert _post(bridge, one, two).status == 200
    eventually(lambda: host.count() == 2, what="both are known")
    before = host.count()
    begun = time.monotonic()

    def strange(_body):
        return headers([random_signature()] * 2, [fresh_path(), fresh_path()])

    with Load(bridge, ADOBE, senders=8, gap=0, proof=strange, bodies=_addressed) as strangers:
        while time.monotonic() < begun + 6:
            answer = _post(bridge, one, two)
            assert answer.status == 200
            assert answer.seconds < 1 * SLOW
    assert strangers.statuses() == {503}
    assert len(strangers.sent) > 200
    assert {"fetch_budget", "key_unavailable"} >= {
        name for name in reasons(bridge.metrics(), ADOBE)
    } >= {"fetch_budget"}
    assert host.count() - before <= 26 + (time.monotonic() - begun)
    assert host.count(one.path) == host.count(two.path) == 1, "a proven key was fetched again"


def test_slow_host_of_strangers_does_not_stop_a_proven_path(start_bridge, host):
    """All that strangers may have under way hangs; a key beside a good signature is fetched all the same."""
    one, two = Signer().publish(host), Signer()
    bridge = start_bridge(_settings(host))
    assert _post(bridge, one).status == 200
    host.put("*", delay=30)
    two.publish(host)
    threads = [threading.Thread(target=_strange, args=(bridge,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    eventually(lambda: host.count() >= 4, what="strangers' fetches hang")
    assert _post(bridge, one, two).status == 200
    eventually(lambda: host.count(two.path) == 1, 5, "the other of the pair is fetched")
    finally_answered(lambda: _post(bridge, two), 200, meanwhile=(), timeout=5)
    for thread in threads:
        thread.join()


def test_sender_that_is_known_is_not_kept_out_by_strangers(start_bridge, host, http_version):
    """Both keys are exchanged at once while strangers have spent the budget: on its connection the sender has another."""
    old, new = Signer().publish(host), Signer().publish(host)
    bridge = start_bridge(_settings(host))
    with CLIENTS[http_version](bridge.port) as client:
        def post(*signers):
            body = _body()
            fixed = [("content-type", "application/json")]
            return client.request("POST", ADOBE, fixed + signed(body, *signers), body).status

        assert post(old) == 200
        eventually(lambda: _strange(bridge).status == 503 and "fetch_budget" in reasons(bridge.metrics(), ADOBE),
                   20, "their budget is spent", every=0)
        assert post(new) == 200


def test_no_challenge_with_a_refusal(start_bridge, host):
    bridge = start_bridge(_settings(host))
    assert_unauthorized(bridge.post(ADOBE, _body(), token=None), challenge=False)
