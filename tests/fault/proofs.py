# SPDX-License-Identifier: Apache-2.0
"""What the senders show on the ground: JWTs of a provider, Adobe's signature. Their keys are on one host."""

import time

from harness import jwt
from harness.bridge import replace_text
from harness.host import Host
from harness.signatures import Signer

ISSUER, AUDIENCE = "https://provider.example", "https://bridge.example/"
RECIPIENT = "0123456789abcdef0123456789abcdef"
# A token is good whatever the clock of the bridge is stepped to: the faults take it two hours away at most.
ISSUED_BEFORE, GOOD_FOR = 3 * 3600, 24 * 3600


class Proofs:
    def __init__(self, folder):
        self.folder = folder
        self.host = Host().start()
        self.change()

    def change(self):
        """New keys for all. The host has the new ones, whether anybody can ask it or not; the senders use them from
        now on, or as soon as they have seen their files (two seconds)."""
        key, signer = jwt.Key(), Signer()
        self.host.put_json("/jwks", jwt.key_set(key))
        signer.publish(self.host)
        now = int(time.time())
        claims = jwt.claims(ISSUER, AUDIENCE, iat=now - ISSUED_BEFORE, exp=now + GOOD_FOR)
        replace_text(self.folder / "token", jwt.signed(key, claims) + "\n")
        replace_text(self.folder / "key.pem", signer.private_pem())
        replace_text(self.folder / "key-path", signer.path + "\n")

    def asked_of(self, sender):
        """`auth` of the sender's endpoint."""
        if sender == "adobe-io":
            return {"signature": True, "key_base": self.host.base, "recipients": [RECIPIENT]}
        return {"oauth": {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": self.host.url("/jwks")}}

    def shown_by(self, sender):
        """Options of `simulate`."""
        if sender == "adobe-io":
            return ["--sign", self.folder / "key.pem", "--key-path", f"@{self.folder / 'key-path'}",
                    "--recipient", RECIPIENT]
        return ["--token-file", self.folder / "token"]

    def heal(self):
        self.host.revive()

    def close(self):
        self.host.close()
