"""The sidecar's own certificate: made at start, in memory alone, pinned by the plugin through the registration."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vault_salesforce_sidecar.doors.admission import Connection

# Pinned, and gone with the process: its times are no part of what it proves, and the two clocks may differ by days.
LIFE = timedelta(days=3650)
SKEW = timedelta(days=365)


@dataclass(frozen=True)
class OwnCertificate:
    """A certificate with the context that serves it.

    Attributes:
        pem: The certificate.
        context: For the listening side, TLS 1.3 alone; holds the only copy of the key. Its sockets are those that
            `Admission` lets in.
    """

    pem: str
    context: ssl.SSLContext


def make_certificate(instance: str, host: str) -> OwnCertificate:
    """A self-signed P-256 certificate for `host`, a name or an address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, instance[:64])])
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.sslsocket_class = Connection
    with _in_memory(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem) as path:
        context.load_cert_chain(path)
    return OwnCertificate(pem.decode(), context)


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """A path to `content` that is on no disk: Python's ssl reads keys from files only."""
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
