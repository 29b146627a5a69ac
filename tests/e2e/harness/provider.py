# SPDX-License-Identifier: Apache-2.0
"""A real identity provider (tests/node/provider.mjs) with the clients that the tests know."""

import base64
import json
import pathlib
import subprocess
import urllib.parse
import uuid

from harness import http
from harness.process import Process
from harness.secrets import remember

_NODE = pathlib.Path(__file__).parents[2] / "node"
AUDIENCE = "https://bridge.example/"  # and the algorithm behind it
# Who asks for tokens: one whom the bridge lets in and one of somebody else. `bridge` asks about them.
SENDER, OTHER, BRIDGE = "adobe", "somebody-else", "bridge"


def node_tools():
    return subprocess.run([_NODE / "fetch"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Provider(Process):
    def __init__(self):
        super().__init__("provider")
        self._tools = node_tools()
        self.secrets = {name: remember(f"secret+{uuid.uuid4().hex}/%&=") for name in (SENDER, OTHER, BRIDGE)}
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.jwks_url = self.issuer + "/jwks"
        self.introspection_url = self.issuer + "/token/introspection"

    def command(self):
        settings = {"port": self.port, "keys": str(self.folder / "keys.json"), "clients": self.secrets}
        return ["node", str(_NODE / "provider.mjs"), self._tools, json.dumps(settings)]

    def answers(self):
        return http.request(self.port, "GET", "/jwks", timeout=5).status == 200

    def jwks(self):
        return http.request(self.port, "GET", "/jwks").json()

    def _post(self, path, client=SENDER, **form):
        # RFC 6749 section 2.3.1: both parts are form-encoded before they are put together.
        pair = ":".join(urllib.parse.quote_plus(part) for part in (client, self.secrets[client]))
        headers = [
            ("Authorization", "Basic " + base64.b64encode(pair.encode()).decode()),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ]
        answer = http.request(self.port, "POST", path, headers, urllib.parse.urlencode(form).encode())
        assert answer.status == 200, answer.body
        return answer

    def token(self, alg="RS256", client=SENDER, ttl=600):
        """A JWT in that algorithm's hand, or an opaque token with an audience ("opaque"), or without one (None)."""
        form = {} if alg is None else {"resource": f"{AUDIENCE}{alg}?ttl={ttl}"}
        answer = self._post("/token", client, grant_type="client_credentials", **form)
        return remember(answer.json()["access_token"])

    def revoke(self, token):
        self._post("/token/revocation", token=token)

    def rotate(self, keep=True):
        """Signs with new keys from now on; the old ones stay published when they are kept."""
        answer = http.request(self.port, "POST", "/control/rotate" + ("?keep=1" if keep else ""))
        assert answer.status == 200

    def oauth(self, alg="RS256", **more):
        """The bridge's configuration for tokens of that kind."""
        return {"issuer": self.issuer, "audience": AUDIENCE + alg, **more}

    def asks(self):
        """The part of it that lets the bridge ask about opaque tokens."""
        return {
            "introspection_url": self.introspection_url, "client_id": BRIDGE, "client_secret": self.secrets[BRIDGE],
        }
