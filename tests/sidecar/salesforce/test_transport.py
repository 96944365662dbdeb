"""HTTP to an org, over real sockets: what was never sent, what is lost, and when it ends."""

import gc
import socket
import ssl
import time
import tracemalloc
from types import SimpleNamespace

import pytest
import trustme

from vault_salesforce_sidecar.salesforce import transport as transport_module
from vault_salesforce_sidecar.salesforce.hosts import AllowedHosts
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent
from vault_salesforce_sidecar.salesforce.message import Request
from vault_salesforce_sidecar.salesforce.tls import tls_context
from vault_salesforce_sidecar.salesforce.transport import Redirected, Transport

LIMIT_SECONDS = 0.5  # of a call that is meant to run into it
PATIENCE_SECONDS = 10.0  # of a call that is not


@pytest.fixture
def opened():
    made = []

    def open_to(server, ca_cert=""):
        made.append(Transport(AllowedHosts(server.url), tls_context(ca_cert)))
        return made[-1]

    yield open_to
    for transport in made:
        transport.close()


@pytest.fixture(scope="module")
def tls(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def context(request, tls):
    return tls if request.param else None


def pem(authority):
    return authority.cert_pem.bytes().decode()


def post(server, **rest):
    return Request("POST", f"{server.url}/services/data?b=c", {"Content-Type": "text/xml"}, b"<x/>", **rest)


def get(server):
    return Request("GET", f"{server.url}/services/data", {})


def ends_in_time(call):
    began = time.monotonic()
    try:
        return call()
    finally:
        assert time.monotonic() - began < LIMIT_SECONDS + 5.0


def test_an_answer_is_handed_on_whatever_its_status(servers, opened):
    server = servers.answering(servers.answer(b"<y/>", "500 Oh"))
    got = opened(server).send(post(server), PATIENCE_SECONDS)
    assert (got.status, got.body) == (500, b"<y/>")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /services/data?b=c HTTP/1.1\r\n")
    assert b"accept-encoding: identity" in head.lower()
    assert body == b"<x/>"


def test_without_a_listener_nothing_was_sent(opened):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = SimpleNamespace(url=f"http://127.0.0.1:{taken.getsockname()[1]}")
    with pytest.raises(NotSent):
        opened(server).send(post(server), PATIENCE_SECONDS)


def test_half_a_head_brings_no_body_and_no_log(servers, opened, caplog):
    def behave(connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=secret\r\nContent-Le")
        raise OSError("gone")

    server = servers.start(behave)
    assert opened(server).send(post(server), PATIENCE_SECONDS).body == b""
    assert not caplog.records


def test_an_address_that_is_not_allowed_is_not_called(servers, opened):
    server, other = servers.answering(servers.answer()), servers.answering(servers.answer())
    with pytest.raises(NotSent):
        opened(server).send(post(other), PATIENCE_SECONDS)
    assert other.connections == 0


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("repeatable", [False, True])
def test_a_redirect_is_not_followed_and_told_without_its_query(servers, opened, status, repeatable):
    other = servers.answering(servers.answer())
    moved = f"HTTP/1.1 {status}\r\nLocation: {other.url}/services/data?sid=secret\r\nContent-Length: 0\r\n\r\n"
    server = servers.answering(moved.encode())
    with pytest.raises(Redirected) as told:
        opened(server).send(post(server), PATIENCE_SECONDS, repeatable=repeatable)
    assert str(told.value) == "the org's host sends us on to 127.0.0.1, which no secret follows"
    assert other.connections == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://acme.my.salesforce.com/x?y=secret#z", "acme.my.salesforce.com"),
        ("//evil.example/x", "evil.example"),
        ("/elsewhere?secret", "127.0.0.1"),
        ("https://user:secret@evil.example/", "evil.example"),
        ("", "127.0.0.1"),
        ("https://[secret", "an address that cannot be read"),
        ("https://secret%20x/", "an address that cannot be read"),
        ("https://" + "x" * 300, "an address that cannot be read"),
    ],
)
def test_where_a_redirect_leads_is_told_by_its_host_alone(servers, opened, location, host):
    server = servers.answering(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())
    with pytest.raises(Redirected) as told:
        opened(server).send(post(server), PATIENCE_SECONDS)
    assert told.value.host == host


def test_the_environment_names_no_proxy(servers, opened, monkeypatch):
    server, proxy = servers.answering(servers.answer()), servers.answering(servers.answer(b"", "502 Proxy"))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert opened(server).send(post(server), PATIENCE_SECONDS).status == 200
    assert proxy.connections == 0


def silent(server_side, _):
    server_side.recv(1)  # until the client goes


def dripping(start, drip):
    def behave(connection, _):
        connection.sendall(start)
        while True:
            connection.sendall(drip)
            time_passes(connection)

    return behave


def time_passes(connection):
    connection.settimeout(0.02)
    try:
        connection.recv(1)
    except TimeoutError:
        return
    raise OSError("the client went")


@pytest.mark.parametrize(
    "behave",
    [
        silent,
        dripping(b"HTTP/1.1 2", b"0"),
        dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"z"),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"z"),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nz\r\n"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "status", "header", "length", "until close", "chunk size", "chunks", "continue"],
)
@pytest.mark.parametrize("context", [None, "tls"], indirect=True)
def test_no_answer_in_time_is_lost_and_ends_in_time(servers, opened, authority, context, behave):
    server = servers.start(behave, context)
    transport = opened(server, pem(authority))
    with pytest.raises(Lost):
        ends_in_time(lambda: transport.send(post(server), LIMIT_SECONDS))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nonly",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
    ids=[
        "nothing",
        "half a status",
        "half a body",
        "half a chunk",
        "no last chunk",
        "no chunk",
        "nonsense",
        "long header",
    ],
)
@pytest.mark.parametrize("repeatable", [False, True])
def test_an_answer_that_breaks_off_is_lost(servers, opened, sent, repeatable):
    def behave(connection, _):
        connection.sendall(sent)
        raise OSError("gone")

    server = servers.start(behave)
    with pytest.raises(Lost):
        opened(server).send(post(server), PATIENCE_SECONDS, repeatable=repeatable)
    assert len(server.requests) == 1


def test_a_body_larger_than_allowed_is_lost(servers, opened):
    server = servers.answering(servers.answer(b"z" * 5001))
    with pytest.raises(Lost, match="larger than 5000"):
        opened(server).send(post(server, largest_answer=5000), PATIENCE_SECONDS)
    got = opened(server).send(post(server, largest_answer=5001), PATIENCE_SECONDS)
    assert len(got.body) == 5001


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
def test_a_packed_answer_is_lost(servers, opened, coding):
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 4\r\n\r\n".encode()
    server = servers.answering(head + b"\x1f\x8b\x08\x00")
    with pytest.raises(Lost, match="packed"):
        opened(server).send(post(server), PATIENCE_SECONDS)


def endless(start, more):
    def behave(connection, _):
        connection.sendall(start)
        for _ in range((1 << 30) // len(more)):  # a gigabyte, were it all taken
            connection.sendall(more)

    return behave


@pytest.mark.parametrize(
    "behave",
    [
        endless(b"HTTP/1.1 200 OK\r\n\r\n", b"z" * 65536),
        endless(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", b"z" * 65536),
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"z" * 65536 + b"\r\n"),
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nz\r\n" * 8192),
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"z" * 60000 + b"\r\nz\r\n"),
        endless(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 60000 + b"\r\n"),
        endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 8192),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2048),
        endless(b"", b"HTTP/1.1 100 Continue\r\n" + b"X: y\r\n" * 90 + b"\r\n"),
    ],
    ids=[
        "until close",
        "length",
        "chunks",
        "small chunks",
        "long extensions",
        "long headers",
        "many headers",
        "continue",
        "continue with headers",
    ],
)
def test_an_endless_answer_takes_little_memory_and_no_time(servers, opened, behave):
    server = servers.start(behave)
    transport = opened(server)
    gc.collect()
    tracemalloc.start()
    try:
        with pytest.raises(Lost):
            ends_in_time(lambda: transport.send(post(server, largest_answer=8192), PATIENCE_SECONDS))
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


def test_the_calls_of_a_rotation_share_a_connection(servers, opened):
    server = servers.answering(servers.answer())
    transport = opened(server)
    transport.send(post(server), PATIENCE_SECONDS)
    transport.send(get(server), PATIENCE_SECONDS, repeatable=True)
    transport.send(post(server), PATIENCE_SECONDS)
    assert server.connections == 1


def test_what_must_not_be_lost_travels_on_no_connection_that_was_idle(servers, opened, monkeypatch):
    monkeypatch.setattr(transport_module, "A_MOMENT_SECONDS", 0.0)
    server = servers.answering(servers.answer())
    transport = opened(server)
    transport.send(post(server), PATIENCE_SECONDS)
    transport.send(get(server), PATIENCE_SECONDS, repeatable=True)
    assert server.connections == 1
    transport.send(post(server), PATIENCE_SECONDS)
    assert server.connections == 2


def test_a_used_connection_that_the_org_has_closed_is_left_alone(servers, opened):
    def answer_and_close(connection, _):
        connection.sendall(servers.answer())
        raise OSError("closed without a word")

    server = servers.start(answer_and_close)
    transport = opened(server)
    transport.send(post(server), PATIENCE_SECONDS)
    for thread in server._threads[1:]:
        thread.join(PATIENCE_SECONDS)
    assert transport.send(post(server), PATIENCE_SECONDS).status == 200
    assert server.connections == 2


def test_tls_by_the_connections_own_authority(servers, opened, authority, tls):
    server = servers.start(lambda connection, _: connection.sendall(servers.answer(b"safe")), tls)
    transport = opened(server, pem(authority))
    assert transport.send(post(server), PATIENCE_SECONDS).body == b"safe"
    assert transport.send(get(server), PATIENCE_SECONDS, repeatable=True).body == b"safe"
    assert server.connections == 1


@pytest.mark.parametrize("trusted", ["the system's", "another"])
def test_a_server_that_nobody_vouches_for_gets_nothing(servers, opened, tls, trusted):
    server = servers.start(silent, tls)
    with pytest.raises(NotSent):
        opened(server, "" if trusted == "the system's" else pem(trustme.CA())).send(post(server), PATIENCE_SECONDS)
    assert not server.requests


def test_a_certificate_for_another_host_gets_nothing(servers, opened, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("acme.example").configure_cert(context)
    server = servers.start(silent, context)
    with pytest.raises(NotSent):
        opened(server, pem(authority)).send(post(server), PATIENCE_SECONDS)
    assert not server.requests


def test_a_handshake_that_does_not_end_was_not_sent(servers, opened, tls):
    class Mute:
        def wrap_socket(self, plain, **_):
            plain.recv(65536)
            plain.recv(65536)
            raise OSError("the client went")

    server = servers.start(silent, Mute())
    with pytest.raises(NotSent):
        ends_in_time(lambda: opened(server).send(post(server), LIMIT_SECONDS))
