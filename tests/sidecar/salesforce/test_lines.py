"""Connections through a proxy: only the one that the settings name, and TLS with the org from end to end."""

import base64
import socket
import ssl
import threading
import time
from contextlib import suppress

import pytest
import trustme

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce.hosts import AllowedHosts, Origin, origin_of
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent
from vault_salesforce_sidecar.salesforce.lines import Proxy
from vault_salesforce_sidecar.salesforce.message import Request
from vault_salesforce_sidecar.salesforce.tls import tls_context
from vault_salesforce_sidecar.salesforce.transport import Transport

ORG = "https://acme.my.salesforce.com"
LIMIT_SECONDS = 0.5
PATIENCE_SECONDS = 10.0
CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def serving(authority, host):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


@pytest.fixture
def org(servers, authority):
    """The org, which no name leads to: only the proxy knows where it is."""
    answer = servers.answer(b"the org")
    return servers.start(lambda connection, _: connection.sendall(answer), serving(authority, "acme.my.salesforce.com"))


def dripping(start):
    """Begins an answer so, and goes on byte by byte for as long as somebody listens."""

    def drip(connection, _):
        connection.sendall(start)
        connection.settimeout(0.02)
        while True:
            connection.sendall(b"x")
            with suppress(TimeoutError):
                if not connection.recv(1):
                    raise OSError("the client went")

    return drip


def carry(one, other):
    with suppress(OSError):
        while piece := one.recv(65536):
            other.sendall(piece)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)


@pytest.fixture(params=["http", "https"])
def proxy(request, servers, authority, org):
    """A proxy that leads everybody to the org."""

    def lead(connection, _):
        with socket.create_connection(("127.0.0.1", org.port)) as onwards:
            connection.sendall(CONNECTED)
            back = threading.Thread(target=carry, args=(onwards, connection))
            back.start()
            carry(connection, onwards)
            back.join(PATIENCE_SECONDS)

    return servers.start(lead, serving(authority, "127.0.0.1") if request.param == "https" else None)


def through(server, ca_cert, credentials=""):
    return Proxy(origin_of(server.url), tls_context(ca_cert), SecretStr(credentials))


def ask(proxy, ca_cert, url=ORG, seconds=PATIENCE_SECONDS):
    transport = Transport(AllowedHosts(url), tls_context(ca_cert), proxy)
    try:
        return transport.send(Request("POST", f"{url}/services/data", {}, b"secret"), seconds).body
    finally:
        transport.close()


def test_the_org_is_reached_through_the_proxy_which_sees_no_secret(proxy, org, ca_cert):
    assert ask(through(proxy, ca_cert), ca_cert) == b"the org"
    assert proxy.requests[0].startswith(b"CONNECT acme.my.salesforce.com:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization" not in proxy.requests[0]
    assert b"secret" not in b"".join(proxy.requests)
    assert org.requests[0].startswith(b"POST /services/data HTTP/1.1\r\nHost: acme.my.salesforce.com\r\n")
    assert b"Proxy-" not in org.requests[0]


def test_a_proxy_that_wants_credentials_gets_them(proxy, ca_cert):
    ask(through(proxy, ca_cert, "us:pa:ss"), ca_cert)
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"us:pa:ss") in proxy.requests[0]


def test_the_proxy_is_not_believed_to_be_the_org(servers, authority, ca_cert):
    pretending = serving(authority, "proxy.example")

    def pretend(connection, _):
        connection.sendall(CONNECTED)
        with suppress(ssl.SSLError), pretending.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    server = servers.start(pretend)
    with pytest.raises(NotSent, match="SSLCertVerificationError"):
        ask(through(server, ca_cert), ca_cert)


def test_a_proxy_with_tls_shows_a_certificate_of_its_own_authorities(proxy, org, ca_cert):
    stranger = trustme.CA().cert_pem.bytes().decode()
    if proxy.url.startswith("https"):
        with pytest.raises(NotSent, match="SSLCertVerificationError"):
            ask(through(proxy, stranger), ca_cert)
        assert not proxy.requests
    else:
        assert ask(through(proxy, stranger), ca_cert) == b"the org"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "status 407"),
        (b"HTTP/1.1 403 secret words\r\n\r\n", "status 403"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\n\r\n", "status 302"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP proxy"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n", "answer is none"),
        (CONNECTED + b"and more", "speaks for the org"),
    ],
    ids=["asks for credentials", "refuses", "redirects", "is none", "says too much", "speaks for the org"],
)
def test_a_proxy_that_does_not_lead_on_is_told_and_nothing_was_sent(servers, ca_cert, answer, reason):
    server = servers.answering(answer)
    with pytest.raises(NotSent, match=reason) as told:
        ask(through(server, ca_cert, "user:secret"), ca_cert)
    assert "secret" not in str(told.value)
    assert "acme.my.salesforce.com" in str(told.value)


def test_a_proxy_that_drips_its_answer_ends_in_time_and_keeps_no_thread(servers, ca_cert):
    server = servers.start(dripping(b"HTTP/1.1 200 OK\r\n"))
    began = time.monotonic()
    with pytest.raises(NotSent, match="not in time"):
        ask(through(server, ca_cert), ca_cert, seconds=LIMIT_SECONDS)
    assert time.monotonic() - began < LIMIT_SECONDS + 5.0
    for thread in threading.enumerate():
        if thread.name == "salesforce-connect":
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()


def test_an_org_that_drips_behind_a_proxy_ends_in_time(servers, authority, ca_cert, proxy, org):
    org.behave = dripping(b"HTTP/1.1 200 OK\r\nX: ")
    began = time.monotonic()
    with pytest.raises(Lost):
        ask(through(proxy, ca_cert), ca_cert, seconds=2 * LIMIT_SECONDS)
    assert time.monotonic() - began < LIMIT_SECONDS + 5.0


def test_an_endless_answer_behind_a_proxy_is_cut_off(proxy, org, ca_cert):
    def flood(connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1 << 14):
            connection.sendall(b"z" * 65536)

    org.behave = flood
    with pytest.raises(Lost, match="larger"):
        ask(through(proxy, ca_cert), ca_cert)


def test_an_org_on_this_very_machine_is_called_directly(servers, proxy, ca_cert):
    local = servers.answering(servers.answer(b"local"))
    assert ask(through(proxy, ca_cert), ca_cert, url=local.url) == b"local"
    assert proxy.connections == 0


def test_a_proxy_that_is_not_there_is_no_connection(ca_cert):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        origin = Origin("http", "127.0.0.1", taken.getsockname()[1])
    with pytest.raises(NotSent, match="ConnectionRefusedError"):
        ask(Proxy(origin, tls_context(ca_cert)), ca_cert)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"])
def test_the_environment_names_no_proxy(proxy, ca_cert, monkeypatch, name):
    monkeypatch.setenv(name, proxy.url)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"https://127.0.0.1:{nobody.getsockname()[1]}"
    with pytest.raises(NotSent):
        ask(None, ca_cert, url=url)
    assert proxy.connections == 0
