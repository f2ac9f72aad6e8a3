"""Certificates made for one test run: an authority, servers and clients that it vouches for, as PEM files."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key; `both` is one file with the key first, as Kafka wants them."""

    cert: Path
    key: Path
    both: Path


class Authority:
    """Signs what it is asked to; `cafile` is what a client must trust."""

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        """Writes into `folder`, which is created."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.cafile = folder, folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        certificate = (
            _begun(self._name, self._name, self._key, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.cafile.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def identity(self, name: str, *hosts: str) -> Identity:
        """A certificate of common name `name` for these hosts: names or addresses; none is a client's."""
        key = ec.generate_private_key(ec.SECP256R1())
        begun = _begun(_named(name), self._name, key, self._key)
        if hosts:
            begun = begun.add_extension(
                x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
            )
        certificate = begun.add_extension(_usage(signs=False), critical=True).sign(
            self._key, hashes.SHA256()
        )
        found = Identity(*(self.folder / f"{name}.{end}" for end in ("crt", "key", "pem")))
        found.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        found.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        found.both.write_bytes(found.key.read_bytes() + found.cert.read_bytes())
        return found


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


Key = ec.EllipticCurvePrivateKey


def _begun(
    subject: x509.Name, issuer: x509.Name, key: Key, issuers: Key
) -> x509.CertificateBuilder:
    """With both key identifiers, without which Python 3.13 and newer trust nobody."""
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuers.public_key())
    builder = builder.add_extension(own, critical=False).add_extension(signer, critical=False)
    return builder.not_valid_before(now - DAY).not_valid_after(now + DAY)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=signs, crl_sign=signs, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=not signs,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
