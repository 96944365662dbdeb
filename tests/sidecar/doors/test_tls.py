"""The sidecar's own certificate."""

import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from vault_salesforce_sidecar.doors.tls import make_certificate


def test_a_client_that_pins_it_connects():
    made = make_certificate("one", "127.0.0.1")
    client = ssl.create_default_context(cadata=made.pem)
    ours, theirs = socket.socketpair()
    versions = []

    def serve():
        with made.context.wrap_socket(theirs, server_side=True) as connection:
            connection.sendall(b"x")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with client.wrap_socket(ours, server_hostname="127.0.0.1") as connection:
        assert connection.recv(1) == b"x"
        versions.append(connection.version())
    thread.join(5)
    assert versions == ["TLSv1.3"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "sidecar.example.com"])
def test_it_is_for_the_host_and_of_a_curve_that_all_know(host):
    certificate = x509.load_pem_x509_certificate(make_certificate("one", host).pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == [host]
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


def test_two_are_never_the_same():
    assert make_certificate("one", "a").pem != make_certificate("one", "a").pem
