# SPDX-License-Identifier: Apache-2.0
"""All that expires is exchanged under load: the provider's keys, Adobe's, the token, the certificate. Nothing but 200."""

import os
import pathlib
import ssl
import time
import uuid

import pytest

from harness import http
from harness.bridge import ACTIVITY, ADOBE, SLOW, replace_text
from harness.ports import release_port, take_port
from harness.provider import SENDER
from harness.secrets import remember
from harness.signatures import Signer
from harness.simulation import Simulation
from harness.waits import eventually

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]

# So long at least, and so many batches a second; longer for figures.
SECONDS = float(os.environ.get("ROTATION_SECONDS", "8"))
RATE = int(os.environ.get("ROTATION_RATE", str(200 // SLOW)))
# `simulate` promises to have a changed file within two seconds; the bridge looks every second, twice.
SEEN = 4 * SLOW
# The bridge looks for an unknown key at most so often (ISSUER_REFETCH_MS), so no provider may rotate faster.
REFETCH = 31
OURS = "0123456789abcdef0123456789abcdef"


def _until_the_end(simulation, act, at_least=1):
    """Acts until the time is over; so often at least."""
    rounds = 0
    while rounds < at_least or simulation.seconds() < SECONDS:
        act()
        rounds += 1
    return rounds


def _wait(seconds):
    """For what nobody can see from outside."""
    end = time.monotonic() + seconds
    eventually(lambda: time.monotonic() > end, seconds + 5)


def _end(simulation, what):
    simulation.assert_only_200()
    print(f"{what}: {simulation.figures()}")


# --- the provider

def _from_the_provider(bridge, provider, alg, folder):
    secret = folder / "secret"
    secret.write_text(provider.secrets[SENDER])
    return Simulation(
        f"http://127.0.0.1:{bridge.port}{ACTIVITY}", "activity-push", "--oauth-token-url", provider.issuer + "/token",
        "--oauth-client-id", SENDER, "--oauth-client-secret-file", secret,
        "--oauth-resource", f"https://bridge.example/{alg}", "--oauth-renew", "2s", rate=RATE,
    )


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_provider_rotates_its_keys(start_bridge, own_provider, tmp_path, alg):
    """The old ones go at once; the next token that the sender gets is signed with a key that the bridge has not seen."""
    oauth = own_provider.oauth(alg, jwks_url=own_provider.jwks_url, allowed_clients=[SENDER])
    bridge = start_bridge({"endpoints": [{"path": ACTIVITY, "sender": "activity-push", "auth": {"oauth": oauth}}]})

    def fetched():
        return bridge.metrics().sum("auth_fetches_total", kind="jwks", outcome="answered")

    last = None

    def rotate():
        nonlocal last
        if last is not None:
            _wait(last + REFETCH - time.monotonic())
        before = fetched()
        own_provider.rotate(keep=False)
        eventually(lambda: fetched() > before, 5 * SLOW, "the new keys are fetched")
        last = time.monotonic()

    with _from_the_provider(bridge, own_provider, alg, tmp_path) as simulation:
        _wait(3)  # one renewal
        rounds = _until_the_end(simulation, rotate)
        _wait(3)
    _end(simulation, f"{alg}, {rounds} rotations, a token every 2 s")


def test_opaque_tokens_are_renewed(start_bridge, own_provider, tmp_path):
    """Each new one is asked about once, however many batches come with it."""
    oauth = {**own_provider.oauth("opaque"), **own_provider.asks()}
    bridge = start_bridge({"endpoints": [{"path": ACTIVITY, "sender": "activity-push", "auth": {"oauth": oauth}}]})

    def asked():
        return bridge.metrics().sum("auth_fetches_total", kind="introspection", outcome="answered")

    def renewed():
        before = asked()
        eventually(lambda: asked() > before, 6 * SLOW, "another token is asked about")

    with _from_the_provider(bridge, own_provider, "opaque", tmp_path) as simulation:
        rounds = _until_the_end(simulation, renewed, 3)
    _end(simulation, f"opaque, {rounds} tokens")
    assert asked() <= 2 * (rounds + 2)


# --- Adobe's keys

class Pairs:
    """Adobe with one pair or two: the files that `simulate` signs with, and what the key host serves."""

    def __init__(self, folder, host, count):
        self.folder, self.host, self.count = folder, host, count
        self.signers = [None] * count
        for number in range(count):
            self.use(number, Signer())

    def use(self, number, signer):
        """From now on, or as soon as `simulate` has seen it; the key is there first."""
        self.signers[number] = signer.publish(self.host)
        replace_text(self.folder / f"key-{number}.pem", signer.private_pem())
        replace_text(self.folder / f"path-{number}", signer.path + "\n")
        return signer

    def options(self):
        for number in range(self.count):
            yield from ("--sign", self.folder / f"key-{number}.pem", "--key-path", f"@{self.folder}/path-{number}")

    def fetched(self, signer, more_than=0):
        eventually(lambda: self.host.count(signer.path) > more_than, SEEN + 5, "the new key is fetched")


def _one_at_a_time(pairs):
    for number in range(2):
        pairs.fetched(pairs.use(number, Signer()))


def _all_at_once(pairs):
    for signer in [pairs.use(number, Signer()) for number in range(pairs.count)]:
        pairs.fetched(signer)


def _same_path(pairs):
    """Nothing tells that there is another key, but that the signature does not fit the one that is known."""
    before = [pairs.host.count(signer.path) for signer in pairs.signers]
    for number, old in enumerate(list(pairs.signers)):
        pairs.use(number, Signer(old.path))
    eventually(
        lambda: any(pairs.host.count(one.path) > count for one, count in zip(pairs.signers, before)),
        SEEN + 5, "it is looked at again",
    )
    _wait(SEEN)  # until both pairs are exchanged for certain


def _same_path_then_another(pairs):
    """The first pair's new key goes unnoticed while the second one vouches; then that changes, and both are strange."""
    before = pairs.host.count(pairs.signers[0].path)
    pairs.use(0, Signer(pairs.signers[0].path))
    _wait(SEEN)
    signer = pairs.use(1, Signer())
    pairs.fetched(pairs.signers[0], before)
    pairs.fetched(signer)


CHANGES = {
    "one at a time": (2, _one_at_a_time), "both at once": (2, _all_at_once), "the only one": (1, _all_at_once),
    "both at the same paths": (2, _same_path), "the only one at the same path": (1, _same_path),
    "same path, then another": (2, _same_path_then_another),
}


@pytest.mark.parametrize("change", CHANGES)
def test_adobe_changes_its_keys(start_bridge, host, tmp_path, change):
    count, act = CHANGES[change]
    pairs = Pairs(tmp_path, host, count)
    auth = {"signature": True, "key_base": host.base, "recipients": [OURS]}
    bridge = start_bridge({"endpoints": [{"path": ADOBE, "sender": "adobe-io", "auth": auth}]})
    url = f"http://127.0.0.1:{bridge.port}{ADOBE}"
    with Simulation(url, "adobe-io", "--recipient", OURS, *pairs.options(), rate=RATE) as simulation:
        eventually(lambda: all(host.count(one.path) for one in pairs.signers), what="the first keys are fetched")
        rounds = _until_the_end(simulation, lambda: act(pairs))
    _end(simulation, f"{change}, {rounds} times, {host.count()} fetches")


# --- the token

def test_token_is_exchanged(start_bridge, tmp_path):
    """As the README tells: the new one beside the old one, then the sender, then the old one goes."""
    def fresh():
        return remember("fresh-" + uuid.uuid4().hex)

    files = [tmp_path / "token-1", tmp_path / "token-2"]
    senders = tmp_path / "senders-token"
    now = fresh()
    for file in files:
        file.write_text(now)
    senders.write_text(now)
    tokens = [f"${{file:{file}}}" for file in files]
    bridge = start_bridge({"endpoints": [{"path": ACTIVITY, "sender": "activity-push", "auth": {"tokens": tokens}}]})

    def status(token):
        return bridge.post(ACTIVITY, b"[]", token=token).status

    def exchange():
        nonlocal now
        old, now = now, fresh()
        replace_text(files[1], now)
        eventually(lambda: status(now) == 200, SEEN + 5, "the new one is taken")
        assert status(old) == 200
        replace_text(senders, now)
        _wait(SEEN)
        replace_text(files[0], now)
        eventually(lambda: status(old) == 401, SEEN + 5, "the old one is not")
        files.reverse()

    url = f"http://127.0.0.1:{bridge.port}{ACTIVITY}"
    with Simulation(url, "activity-push", "--token-file", senders, rate=RATE) as simulation:
        rounds = _until_the_end(simulation, exchange)
    _end(simulation, f"{rounds} tokens exchanged")
    assert bridge.metrics().sum("config_reload_success") == 1


# --- the certificate

def test_certificate_is_renewed(start_bridge, tmp_path, authority):
    """Of connections that are open and of new ones, nobody notices."""
    token = remember("steady-" + uuid.uuid4().hex)
    secret, certificate, key = tmp_path / "token", tmp_path / "cert.pem", tmp_path / "key.pem"
    secret.write_text(token)
    port = take_port()

    def show(issued):
        # The key first: in between the pair does not fit, and the old one stays.
        for target, source in ((key, issued[1]), (certificate, issued[0])):
            replace_text(target, pathlib.Path(source).read_text())

    def serial():
        context = ssl.create_default_context(cafile=authority.file)
        with http.connect(port, context) as sock:
            return sock.getpeercert()["serialNumber"]

    show(authority.server())
    bridge = start_bridge({
        "listen": [{"address": f"127.0.0.1:{port}", "tls": {"certificate": str(certificate), "key": str(key)}}],
        "endpoints": [{"path": ACTIVITY, "sender": "activity-push", "auth": {"tokens": [token]}}],
    })
    bridge.allow_errors = True  # the pair may be seen half-written
    options = (f"https://localhost:{port}{ACTIVITY}", "activity-push", "--token-file", secret, "--ca", authority.file)

    def renew():
        before = serial()
        show(authority.server())
        # Connections come all the time.
        while serial() == before:
            with Simulation(*options, "--events", 50, rate=RATE) as newcomer:
                newcomer.wait()
            newcomer.assert_only_200(in_time=False)

    with Simulation(*options, rate=RATE) as simulation:
        rounds = _until_the_end(simulation, renew)
    _end(simulation, f"{rounds} certificates")
    assert bridge.metrics().sum("config_reload_success") == 1
    release_port(port)
