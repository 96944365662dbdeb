"""AutoMTLS: the host's P-521 certificate is accepted in both directions, and nobody else's."""

import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from vault_plugin_sdk.wire.tls import KeyPair, client_context, make_key_pair, server_context

HOST = make_key_pair(ec.SECP521R1())
PLUGIN = make_key_pair()
STRANGER = make_key_pair()


def pem(pair: KeyPair) -> str:
    return ssl.DER_cert_to_PEM_cert(pair.certificate_der)


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> ssl.SSLObject:
    """Both ends in memory; what a refused end raises comes out of here."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    # TLS 1.3 refuses a client's certificate after the client thinks that all is well: read once.
    for end in ends:
        with pytest.raises(ssl.SSLWantReadError):
            end.read()
    return ends[0]


@pytest.mark.parametrize(("client", "server"), [(HOST, PLUGIN), (PLUGIN, HOST)])
def test_host_and_plugin_trust_each_other_in_both_roles(client, server):
    end = shake_hands(client_context(client, pem(server)), server_context(server, pem(client)))

    assert end.version() == "TLSv1.3"
    assert end.selected_alpn_protocol() == "h2"


def test_a_client_with_another_certificate_is_refused():
    with pytest.raises(ssl.SSLError):
        shake_hands(client_context(STRANGER, pem(PLUGIN)), server_context(PLUGIN, pem(HOST)))


def test_a_client_without_a_certificate_is_refused():
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.load_verify_locations(cadata=pem(PLUGIN))
    with pytest.raises(ssl.SSLError):
        shake_hands(bare, server_context(PLUGIN, pem(HOST)))


def test_a_server_with_another_certificate_is_refused():
    with pytest.raises(ssl.SSLError):
        shake_hands(client_context(PLUGIN, pem(HOST)), server_context(STRANGER, pem(PLUGIN)))


def test_the_certificate_is_what_a_go_host_asks_for():
    certificate = x509.load_der_x509_certificate(PLUGIN.certificate_der)

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert len(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == 2
    assert isinstance(certificate.public_key().curve, ec.SECP256R1)


def test_a_key_pair_does_not_print_its_key():
    assert "PRIVATE" not in repr(PLUGIN)
