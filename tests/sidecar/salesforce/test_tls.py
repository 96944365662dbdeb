"""TLS settings of a connection."""

import ssl

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce.hosts import AllowedHosts
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent
from vault_salesforce_sidecar.salesforce.message import Request
from vault_salesforce_sidecar.salesforce.tls import tls_context
from vault_salesforce_sidecar.salesforce.transport import Transport

SECONDS = 10.0


@pytest.fixture(scope="module")
def client(authority):
    """A certificate for us, and its key."""
    issued = authority.issue_cert("sidecar@acme.example")
    chain = "".join(part.bytes().decode() for part in issued.cert_chain_pems)
    return chain, SecretStr(issued.private_key_pem.bytes().decode())


@pytest.fixture
def mutual(servers, authority):
    """An org that demands a certificate of its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return servers.start(lambda connection, _: connection.sendall(servers.answer(b"in")), context)


def ask(server, context):
    transport = Transport(AllowedHosts(server.url), context)
    try:
        return transport.send(Request("GET", f"{server.url}/services/data", {}), SECONDS).body
    finally:
        transport.close()


def test_they_are_strict_and_shared(ca_cert, client):
    for arguments in ((ca_cert,), (ca_cert, *client)):
        context = tls_context(*arguments)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert tls_context(*arguments) is context
    assert tls_context(ca_cert) is not tls_context(ca_cert, *client)


def test_a_client_certificate_is_shown_where_one_is_demanded(mutual, ca_cert, client):
    assert ask(mutual, tls_context(ca_cert, *client)) == b"in"


def test_without_it_an_org_that_demands_one_answers_nothing(mutual, ca_cert):
    with pytest.raises((NotSent, Lost)):
        ask(mutual, tls_context(ca_cert))
    assert not mutual.requests


def test_an_older_tls_is_not_spoken(servers, authority, ca_cert):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    server = servers.start(lambda connection, _: connection.sendall(servers.answer()), context)
    with pytest.raises(NotSent):
        ask(server, tls_context(ca_cert))


@pytest.mark.parametrize("text", ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "é"])
def test_authorities_that_are_not_pem_are_refused(text):
    with pytest.raises(ValueError, match="ca_cert must be"):
        tls_context(text)


def encrypted(key):
    loaded = load_pem_private_key(key.reveal().encode(), None)
    secret = BestAvailableEncryption(b"secret")
    return SecretStr(loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret).decode())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda certificate, key, other: ("", key),
        lambda certificate, key, other: (certificate, SecretStr("")),
        lambda certificate, key, other: ("nonsense", key),
        lambda certificate, key, other: (certificate, SecretStr("nonsense")),
        lambda certificate, key, other: (certificate, other),
        lambda certificate, key, other: (certificate, encrypted(key)),
    ],
    ids=["no certificate", "no key", "no PEM", "no key in PEM", "another's key", "an encrypted key"],
)
def test_a_certificate_and_a_key_that_do_not_fit_are_refused_without_a_question(client, authority, spoil):
    other = SecretStr(authority.issue_cert("x.example").private_key_pem.bytes().decode())
    certificate, key = spoil(*client, other)
    with pytest.raises(ValueError, match="client_cert and client_key must be"):
        tls_context("", certificate, key)


class Counting(ssl.SSLContext):
    """Counts how often authorities are loaded into it."""

    loads = 0

    def load_verify_locations(self, *args, **kwargs):
        self.loads += 1
        super().load_verify_locations(*args, **kwargs)

    def load_default_certs(self, *args):
        self.loads += 1
        super().load_default_certs(*args)


def test_no_authorities_are_loaded_for_a_connection(servers, authority, ca_cert):
    shared = tls_context(ca_cert)
    context = Counting(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = shared.sslsocket_class
    context.load_verify_locations(cadata=ca_cert)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    server = servers.start(lambda connection, _: connection.sendall(servers.answer()), serving)
    for _ in range(3):
        ask(server, context)
    assert (server.connections, context.loads) == (3, 1)
