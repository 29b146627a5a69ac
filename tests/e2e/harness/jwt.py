# SPDX-License-Identifier: Apache-2.0
"""JSON Web Tokens and key sets made by hand: whatever no provider would issue."""

import base64
import hashlib
import hmac
import json
import time
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from harness.secrets import remember

_CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
_HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def b64(data):
    data = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """kind: an RSA size in bits or the name of a curve."""

    def __init__(self, kind=2048, kid=None):
        self.kind = kind
        self.kid = kid or uuid.uuid4().hex
        if isinstance(kind, int):
            self.private = rsa.generate_private_key(65537, kind)
        else:
            self.private = ec.generate_private_key(_CURVES[kind]())

    def jwk(self, **members):
        """As a provider publishes it; a member of None is left out."""
        numbers = self.private.public_key().public_numbers()
        if isinstance(self.kind, int):
            found = {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        else:
            size = (self.private.curve.key_size + 7) // 8
            found = {"kty": "EC", "crv": self.kind, "x": _number(numbers.x, size), "y": _number(numbers.y, size)}
        found = {**found, "kid": self.kid, "use": "sig", **members}
        return {name: value for name, value in found.items() if value is not None}

    def public_pem(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo,
        )

    def sign(self, alg, data):
        digest = _HASHES[alg[2:]]()
        if alg.startswith("RS"):
            return self.private.sign(data, padding.PKCS1v15(), digest)
        if alg.startswith("PS"):
            return self.private.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
        size = (self.private.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def key_set(*keys):
    return {"keys": [key if isinstance(key, dict) else key.jwk() for key in keys]}


def claims(issuer, audience, **members):
    """What a good access token says; a member of None is left out."""
    now = int(time.time())
    found = {
        "iss": issuer, "aud": audience, "sub": "adobe", "client_id": "adobe", "jti": uuid.uuid4().hex, "iat": now,
        "exp": now + 600, **members,
    }
    return {name: value for name, value in found.items() if value is not None}


def compact(header, payload, signature):
    """The three parts, each as bytes, text or what becomes JSON; the token as text."""
    parts = [part if isinstance(part, (bytes, str)) else json.dumps(part) for part in (header, payload, signature)]
    return remember(".".join(b64(part) for part in parts))


def signed(key, payload, alg="RS256", header=None, hand=None):
    """A token in the key's hand. header: members over the usual ones, None removes; hand: signs as another alg."""
    found = {"alg": alg, "typ": "at+jwt", "kid": key.kid, **(header or {})}
    found = {name: value for name, value in found.items() if value is not None}
    payload = payload if isinstance(payload, (bytes, str)) else json.dumps(payload)
    text = f"{b64(json.dumps(found))}.{b64(payload)}"
    return remember(f"{text}.{b64(key.sign(hand or alg, text.encode()))}")


def with_secret(secret, payload, header):
    """HS256 with any bytes as the secret."""
    text = f"{b64(json.dumps(header))}.{b64(json.dumps(payload))}"
    return remember(f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}")
