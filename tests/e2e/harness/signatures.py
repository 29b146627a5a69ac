# SPDX-License-Identifier: Apache-2.0
"""Adobe's side of its digital signature: keys, and the headers over a body."""

import base64
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from harness.secrets import remember

SIGNATURE = ("x-adobe-digital-signature-1", "x-adobe-digital-signature-2")
KEY_PATH = ("x-adobe-public-key1-path", "x-adobe-public-key2-path")


def fresh_path():
    return f"/prod/keys/pub-key-{uuid.uuid4().hex[:10]}.pem"


class Signer:
    def __init__(self, path=None, bits=2048):
        self.path = path or fresh_path()
        self._key = rsa.generate_private_key(65537, bits)

    def pem(self):
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo,
        )

    def private_pem(self):
        """Text, without a passphrase."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption(),
        ).decode()

    def sign(self, body):
        return remember(base64.b64encode(self._key.sign(body, padding.PKCS1v15(), hashes.SHA256())).decode())

    def publish(self, host):
        host.put(self.path, self.pem(), headers=[("Content-Type", "application/x-pem-file")])
        return self


def headers(signatures, paths):
    """Of each pair; a None is left out."""
    pairs = [*zip(SIGNATURE, signatures), *zip(KEY_PATH, paths)]
    return [(name, value) for name, value in pairs if value is not None]


def signed(body, *signers):
    """The headers as Adobe's, with the first two signers; one alone signs as the first."""
    return headers([one.sign(body) for one in signers], [one.path for one in signers])


def random_signature():
    """Of the right form and wrong."""
    return remember(base64.b64encode(b"\1" + (uuid.uuid4().bytes * 16)[1:]).decode())
