# SPDX-License-Identifier: Apache-2.0
"""Certificates: a self-signed one for localhost by the openssl command, and authorities with all that they may issue."""

import datetime
import ipaddress
import itertools
import ssl
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
_numbers = itertools.count(1000)


def make(folder):
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    return certificate, key


def client(certificate, *protocols, shows=None):
    """shows: (certificate, key) of the client itself."""
    context = ssl.create_default_context(cafile=certificate)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if shows:
        context.load_cert_chain(*shows)
    return context


def days(count):
    """So many days from now."""
    return datetime.datetime.utcnow() + datetime.timedelta(days=count)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


class Authority:
    """Its certificate is in `file`; an intermediate one comes from `below`."""

    def __init__(self, folder, name="Test Authority", above=None):
        self._folder = folder
        self._above = above
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        builder = (
            _builder(self._name, self._key, -2, 30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        )
        signer = above or self
        self.certificate = builder.issuer_name(signer._name).sign(signer._key, hashes.SHA256())
        self.file = folder / f"ca-{next(_numbers)}.pem"
        self.file.write_bytes(_pem(self.certificate))

    def below(self, name="Intermediate Authority"):
        return Authority(self._folder, name, above=self)

    def chain(self):
        """What stands between a leaf and the root."""
        return _pem(self.certificate) + self._above.chain() if self._above else b""

    def issue(self, dns=(), uris=(), name="", begins=-1, ends=10, usage=CLIENT, addresses=()):
        """(certificate with the chain, key); valid from and to in days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), key, begins, ends).add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True,
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        alternatives = [x509.DNSName(one) for one in dns] + [x509.UniformResourceIdentifier(one) for one in uris]
        alternatives += [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=not name)
        certificate = builder.issuer_name(self._name).sign(self._key, hashes.SHA256())
        stem = self._folder / f"leaf-{next(_numbers)}"
        files = stem.with_suffix(".pem"), stem.with_suffix(".key")
        files[0].write_bytes(_pem(certificate) + self.chain())
        files[1].write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption(),
        ))
        return files

    def server(self, **options):
        """For localhost."""
        return self.issue(dns=["localhost"], addresses=["127.0.0.1"], usage=SERVER, **options)

    def revocations(self, *leaves, updated=-1, next_update=10):
        """PEM of a list of revoked certificates (CRL), as text."""
        builder = (
            x509.CertificateRevocationListBuilder().issuer_name(self._name)
            .last_update(days(updated)).next_update(days(next_update))
        )
        for certificate, _ in leaves:
            number = x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(number).revocation_date(days(updated)).build()
            )
        return _pem(builder.sign(self._key, hashes.SHA256())).decode()


def _builder(name, key, begins, ends):
    return (
        x509.CertificateBuilder().subject_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(days(begins)).not_valid_after(days(ends))
    )


def _usage(**granted):
    all_ = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: granted.get(name, False) for name in all_})


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def expiry(certificate):
    """Seconds since 1970."""
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    return found.not_valid_after.replace(tzinfo=datetime.timezone.utc).timestamp()
