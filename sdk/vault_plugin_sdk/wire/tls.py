"""AutoMTLS: a key pair that lives as long as the process, and contexts that trust the host's certificate alone.

Python's `ssl` accepts the host's P-521 certificate in both directions; gRPC's own TLS (BoringSSL) does not.
"""

import datetime as dt
import os
import ssl
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER_NAME = "localhost"
_LIFETIME = dt.timedelta(days=365 * 30)
_CLOCK_SLACK = dt.timedelta(minutes=5)


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its key.

    Attributes:
        certificate_der: The certificate as the handshake line carries it.
        pem: Certificate and private key; never written to disk.
    """

    certificate_der: bytes
    pem: bytes = field(repr=False)


def make_key_pair(curve: ec.EllipticCurve | None = None) -> KeyPair:
    """Make a key and a self-signed certificate for both ends of a connection.

    Args:
        curve: P-256 where None; hosts use P-521.

    Returns:
        The pair.
    """
    key = ec.generate_private_key(curve or ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SERVER_NAME)])
    now = dt.datetime.now(dt.UTC)
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .sign(key, hashes.SHA256())
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(certificate_der=der, pem=certificate.public_bytes(serialization.Encoding.PEM) + private)


def server_context(pair: KeyPair, peer_certificate: str) -> ssl.SSLContext:
    """A context that accepts only clients with the peer's certificate.

    Args:
        pair: This process's own pair.
        peer_certificate: PEM of the only certificate to trust.

    Returns:
        The context.

    Raises:
        ssl.SSLError: The peer's certificate cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    return _equip(context, pair, peer_certificate)


def client_context(pair: KeyPair, peer_certificate: str) -> ssl.SSLContext:
    """A context that talks only to the server with the peer's certificate; see `server_context`."""
    return _equip(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), pair, peer_certificate)


def _equip(context: ssl.SSLContext, pair: KeyPair, peer_certificate: str) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    context.load_verify_locations(cadata=peer_certificate)
    # `load_cert_chain` reads files only; an anonymous file in memory keeps the key off the disk.
    descriptor = os.memfd_create("key-pair")
    with os.fdopen(descriptor, "wb") as file:
        file.write(pair.pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    return context
