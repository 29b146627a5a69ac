# SPDX-License-Identifier: Apache-2.0
"""Strangers by the thousand beside senders that are let in: what each gets, and what it costs."""

import json
import pathlib
import re
import subprocess
import sys
import time
import uuid

from harness import ENDS_WITH_US, jwt
from harness.bridge import ACTIVITY, ADOBE, replace_text
from harness.secrets import remember
from harness.signatures import Signer
from harness.simulation import Simulation
from harness.waits import eventually

OPAQUE = "/marketo/opaque"
OURS = "0123456789abcdef0123456789abcdef"
ISSUER, AUDIENCE = "https://idp.example", "https://bridge.example/made"
MARK = "a-strangers-secret-8f21c0d9e4ab7"  # of letters that stand in all kinds of base64, but for the signature

# What auth/key_store.c, introspection.h and issuer.h allow to strangers: so many at once, then one every so many seconds.
KEYS, OF_A_KNOWN_KEY, TOKENS, SETS = (24, 2), (8, 1), (50, 0.05), (1, 30)


def allowed(budget, seconds):
    burst, every = budget
    return burst + seconds / every


class Strangers:
    """They are all there when `with` begins."""

    def __init__(self, scenario, rate, bodies, connections):
        settings = {
            "port": scenario.bridge.port, "oauth": ACTIVITY, "opaque": OPAQUE, "adobe": ADOBE, "issuer": ISSUER,
            "audience": AUDIENCE, "kid": scenario.key.kid, "keys": [one.path for one in scenario.signers],
            "rate": rate, "bodies": bodies, "connections": connections, "mark": remember(MARK),
        }
        program = pathlib.Path(__file__).with_name("strangers_process.py")
        self._process = subprocess.Popen(
            [*ENDS_WITH_US, sys.executable, "-I", program, json.dumps(settings)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True,
        )

    def __enter__(self):
        assert self._process.stdout.readline(), "they have ended"
        return self

    def __exit__(self, *_):
        self._process.terminate()
        found = json.loads(self._process.communicate(timeout=60)[0])
        self.answers, self.connections = found["answers"], found["connections"]


class Scenario:
    """One host for keys, key sets and introspection; a bridge with an endpoint of each way; a good sender at each."""

    def __init__(self, host, folder, rate):
        self.host, self.folder, self.rate = host, folder, rate
        self.key = jwt.Key()
        self.signers = [Signer().publish(host), Signer().publish(host)]
        self.opaque = remember("good-and-opaque-" + uuid.uuid4().hex)
        host.put_json("/jwks", jwt.key_set(self.key))
        host.put_json("/ask", {"active": False})
        host.put_json(f"/ask#{self.opaque}", {"active": True, "client_id": "adobe", "aud": AUDIENCE})
        for name, text in (
            ("jwt", jwt.signed(self.key, jwt.claims(ISSUER, AUDIENCE, exp=int(time.time()) + 3600))),
            ("opaque", self.opaque), ("1.pem", self.signers[0].private_pem()), ("2.pem", self.signers[1].private_pem()),
        ):
            replace_text(folder / name, text)

    def settings(self):
        asks = {"introspection_url": self.host.url("/ask"), "client_id": "bridge", "client_secret": remember("our-own-secret")}
        return {"endpoints": [
            {"path": ACTIVITY, "sender": "activity-push", "auth": {"oauth": {
                "issuer": ISSUER, "audience": AUDIENCE, "jwks_url": self.host.url("/jwks")}}},
            {"path": OPAQUE, "sender": "activity-push", "auth": {"oauth": {"audience": AUDIENCE, **asks}}},
            {"path": ADOBE, "sender": "adobe-io", "auth": {
                "signature": True, "key_base": self.host.base, "recipients": [OURS]}},
        ]}

    def use(self, bridge):
        self.bridge = bridge
        self.since = time.monotonic()
        return self

    def good(self):
        """Name -> the sender, which runs."""
        url = f"http://127.0.0.1:{self.bridge.port}"
        one, two = self.signers
        return {
            "JWT": Simulation(url + ACTIVITY, "activity-push", "--token-file", self.folder / "jwt", rate=self.rate),
            "opaque": Simulation(url + OPAQUE, "activity-push", "--token-file", self.folder / "opaque", rate=self.rate),
            "signature": Simulation(
                url + ADOBE, "adobe-io", "--recipient", OURS, "--sign", self.folder / "1.pem", "--key-path", one.path,
                "--sign", self.folder / "2.pem", "--key-path", two.path, rate=self.rate,
            ),
        }

    def run_good(self, seconds):
        """The good senders for so long; they have ended."""
        senders = self.good()
        end = time.monotonic() + seconds
        eventually(lambda: time.monotonic() > end, seconds + 5, every=0.1)
        for sender in senders.values():
            sender.stop()
        return senders

    # --- the bridge

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.bridge.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def spent(self):
        """Seconds that the bridge has run, and that it was ready to run and waited for a core."""
        ran = waited = 0
        for task in pathlib.Path(f"/proc/{self.bridge.process.pid}/task").iterdir():
            fields = (task / "schedstat").read_text().split()
            ran, waited = ran + int(fields[0]), waited + int(fields[1])
        return ran / 1e9, waited / 1e9

    def fetches(self):
        """What was fetched -> (how often, how often it may have been by now)."""
        seconds = time.monotonic() - self.since
        asked = [one["path"].partition("?")[0] for one in self.host.requests()]
        tokens = [one["body"] for one in self.host.requests("/ask")]
        known = [one.path for one in self.signers]
        ours = sum(self.opaque in form for form in tokens)
        return {
            "strange keys": (sum(p.startswith("/prod/") and p not in known for p in asked), allowed(KEYS, seconds)),
            # The first fetch of each, and what forged signatures may cause.
            "known keys": (sum(p in known for p in asked), 2 * (1 + allowed(OF_A_KNOWN_KEY, seconds))),
            "strange tokens": (len(tokens) - ours, allowed(TOKENS, seconds)),
            # The first time, then every 30 s; a sender more than one connection of which asks shares it.
            "the good token": (ours, 2 + seconds / 30),
            # At the start, every 10 min, and for unknown keys.
            "key sets": (asked.count("/jwks"), 2 + allowed(SETS, seconds)),
        }
