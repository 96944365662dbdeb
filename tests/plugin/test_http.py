"""HTTPS to a server that is known by its one certificate."""

import asyncio
import datetime as dt
import json
import socket
import threading
import time
from contextlib import closing, suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from vault_salesforce_plugin import http as module
from vault_salesforce_plugin.http import Busy, Http, Lost, Target, Unreachable


@pytest.fixture
def http():
    made = Http()
    yield made
    made.close()


def addresses(*known):
    """A resolver that knows them."""

    async def answer(host, limit_seconds):
        return known

    return answer


def target(door):
    return Target.of(door.url, door.certificate)


@pytest.mark.parametrize("host", ["中.example", "a b", "a\x7fb"])
def test_a_host_that_no_request_can_name_is_refused_with_the_registration(stand_in, host):
    with pytest.raises(ValueError, match="url must be"):
        Target.of(f"https://{host}:8443", stand_in().certificate)


async def test_the_answer_comes_with_its_status_and_body(http, stand_in):
    door = stand_in()
    answer = await http.send(target(door), "POST", "/v1/rotate/crm", body=b"{}", limit_seconds=5)
    assert answer.status == 401
    assert json.loads(answer.body)["code"] == "unknown_key"


async def test_a_server_with_another_certificate_is_not_reached_and_gets_no_request(http, stand_in):
    door, impostor = stand_in("one"), stand_in("two")
    with pytest.raises(Unreachable, match="certificate"):
        await http.send(Target.of(impostor.url, door.certificate), "POST", "/v1/x", limit_seconds=5)
    assert impostor.strangers == 0


async def test_a_closed_port_is_not_reached(http, stand_in):
    door = stand_in()
    at = target(door)
    door.close()
    with pytest.raises(Unreachable):
        await http.send(at, "POST", "/v1/x", limit_seconds=5)


async def test_a_port_that_accepts_and_says_nothing_is_not_reached(stand_in):
    http = Http()
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        at = Target.of(f"https://127.0.0.1:{mute.getsockname()[1]}", stand_in().certificate)
        with pytest.raises(Unreachable):
            await http.send(at, "POST", "/v1/x", limit_seconds=0.1)
    http.close()


async def test_no_answer_within_the_limit_is_an_unknown_outcome(http, stand_in):
    door = stand_in()
    door.hang()
    with pytest.raises(Lost):
        await http.send(target(door), "POST", "/v1/x", limit_seconds=0.2)


async def test_an_answer_in_drops_is_cut_at_the_limit(http, stand_in):
    door = stand_in()
    ended = threading.Event()

    def drip(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while not door.released.wait(0.02):
                handler.wfile.write(b"X-Drop: 1\r\n")
        except OSError:
            ended.set()

    door.raw = drip
    with pytest.raises(Lost):
        await http.send(target(door), "GET", "/v1/x", limit_seconds=0.2)
    assert await asyncio.to_thread(ended.wait, 5), "the connection must be gone, not only the caller"


@pytest.mark.parametrize(
    "sent",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", b"not HTTP at all\r\n\r\n"],
    ids=["closed without a byte", "closed in the middle", "not HTTP"],
)
async def test_a_broken_answer_is_an_unknown_outcome(http, stand_in, sent):
    door = stand_in()
    door.raw = lambda handler: handler.wfile.write(sent)
    with pytest.raises(Lost):
        await http.send(target(door), "POST", "/v1/x", limit_seconds=5)


async def test_an_answer_in_drops_that_nobody_waits_for_frees_its_thread_at_the_limit(stand_in):
    door, http = stand_in(), Http(threads=1, reserved=0, queue=0)
    begun, broken = threading.Event(), threading.Event()

    def drip(handler):
        begun.set()
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        try:
            while not door.released.wait(0.02):
                handler.wfile.write(b"x")
        except OSError:
            broken.set()

    door.raw = drip
    asking = asyncio.create_task(http.send(target(door), "POST", "/v1/x", limit_seconds=0.5))
    assert await asyncio.to_thread(begun.wait, 5)
    asking.cancel()
    assert await asyncio.to_thread(broken.wait, 5)
    http.close()


async def test_a_redirect_is_an_answer_and_is_not_followed(http, stand_in):
    door, elsewhere = stand_in("one"), stand_in("two")

    def redirect(handler):
        handler.send_response(307)
        handler.send_header("Location", f"{elsewhere.url}/v1/x")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    door.raw = redirect
    assert (await http.send(target(door), "POST", "/v1/x", limit_seconds=5)).status == 307
    assert elsewhere.strangers == 0


async def test_a_name_that_is_not_resolved_in_time_is_not_reached_and_holds_no_thread(stand_in, monkeypatch):
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.1)
    may_end, asked, resolve = threading.Event(), [], socket.getaddrinfo

    def slow(host, *arguments, **options):
        if host == "127.0.0.1":
            return resolve(host, *arguments, **options)
        asked.append(host)
        may_end.wait(10)
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    door, http = stand_in(), Http(threads=1, reserved=0, queue=0)
    nowhere = Target.of(f"https://sidecar.example:{target(door).port}", door.certificate)
    for _ in range(5):
        with pytest.raises(Unreachable, match="no address"):
            await http.send(nowhere, "POST", "/v1/x", limit_seconds=10)
    assert asked == ["sidecar.example"]
    assert (await http.send(target(door), "POST", "/wake", limit_seconds=10)).status == 204
    may_end.set()
    http.close()


async def test_the_host_is_asked_for_by_its_name_whatever_its_address(http, stand_in, monkeypatch):
    door, hosts = stand_in(), []
    door.raw = lambda handler: (
        hosts.append(handler.headers["Host"]),
        handler.send_response(204),
        handler.end_headers(),
    )
    monkeypatch.setattr(http._resolver, "addresses", addresses("127.0.0.1"))
    named = Target.of(f"https://sidecar.example:{target(door).port}", door.certificate)
    assert (await http.send(named, "GET", "/v1/x", limit_seconds=5)).status == 204
    assert hosts == [f"sidecar.example:{target(door).port}"]


async def test_of_several_addresses_the_first_that_takes_the_connection_is_used(http, stand_in, monkeypatch):
    door = stand_in()
    monkeypatch.setattr(http._resolver, "addresses", addresses("::1", "127.0.0.1"))
    named = Target.of(f"https://sidecar.example:{target(door).port}", door.certificate)
    assert (await http.send(named, "POST", "/wake", limit_seconds=5)).status == 204


async def test_a_handshake_in_drops_is_no_connection_and_leaves_time_for_another(stand_in, monkeypatch):
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.3)
    http, ended = Http(), threading.Event()

    def drip(listener):
        connection, _ = listener.accept()
        with connection:
            # A handshake record that is announced and never whole.
            for drop in b"\x16\x03\x03\x40\x00" + bytes(200):
                if ended.wait(0.05):
                    return
                with suppress(OSError):
                    connection.sendall(bytes([drop]))

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        dripping = threading.Thread(target=drip, args=(listener,))
        dripping.start()
        at = Target.of(f"https://127.0.0.1:{listener.getsockname()[1]}", stand_in().certificate)
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="no connection in time"):
            await http.send(at, "POST", "/v1/x", limit_seconds=10)
        assert time.monotonic() - begun < 8  # the drops would go on for ten
        ended.set()
        dripping.join()
    http.close()


async def test_proxy_variables_are_not_heeded(http, stand_in, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await http.send(target(stand_in()), "POST", "/wake", limit_seconds=5)).status == 204


async def test_when_all_places_are_taken_the_next_is_refused_at_once_and_later_let_in(stand_in):
    http = Http(threads=1, reserved=0, queue=0)
    door = stand_in()
    door.hang()
    first = asyncio.create_task(http.send(target(door), "POST", "/v1/x", limit_seconds=10))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await http.send(target(door), "POST", "/v1/x", limit_seconds=10)
    door.released.set()
    with pytest.raises(Lost):
        await first
    door.raw = None
    assert (await http.send(target(door), "POST", "/wake", limit_seconds=10)).status == 204
    http.close()


async def test_one_caller_leaves_places_to_others(stand_in):
    http = Http(threads=4, reserved=0, queue=0)
    door = stand_in()
    door.hang()
    held = [
        asyncio.create_task(http.send(target(door), "POST", "/v1/x", limit_seconds=10, whose="greedy"))
        for _ in range(3)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Busy) as caught:
        await http.send(target(door), "POST", "/v1/x", limit_seconds=10, whose="greedy")
    assert caught.value.own
    other = asyncio.create_task(http.send(target(door), "POST", "/v1/x", limit_seconds=10, whose="modest"))
    await asyncio.sleep(0)
    with pytest.raises(Busy) as caught:
        await http.send(target(door), "POST", "/v1/x", limit_seconds=10, whose="late")
    assert not caught.value.own
    door.released.set()
    for one in (*held, other):
        with pytest.raises(Lost):
            await one
    http.close()


async def test_patient_requests_leave_threads_to_the_others(stand_in):
    http = Http(threads=2, reserved=1, queue=0)
    door, brisk = stand_in("one"), stand_in("two")
    door.hang()
    first = asyncio.create_task(http.send(target(door), "POST", "/v1/x", limit_seconds=10, patient=True))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await http.send(target(door), "POST", "/v1/x", limit_seconds=10, patient=True)
    assert (await http.send(target(brisk), "POST", "/wake", limit_seconds=10)).status == 204
    door.released.set()
    with pytest.raises(Lost):
        await first
    http.close()


async def test_a_request_that_waits_too_long_for_a_thread_is_never_sent(stand_in):
    http = Http(threads=1, reserved=0, queue=1)
    door, other = stand_in("one"), stand_in("two")
    door.hang()
    first = asyncio.create_task(http.send(target(door), "POST", "/v1/x", limit_seconds=10))
    await asyncio.sleep(0)
    with pytest.raises(Unreachable):
        await http.send(target(other), "POST", "/wake", limit_seconds=0.1)
    door.released.set()
    with pytest.raises(Lost):
        await first
    http.close()
    assert other.wakes == 0


async def test_what_waits_for_a_thread_when_the_pool_closes_was_not_sent(stand_in):
    door, http = stand_in(), Http(threads=1, reserved=0, queue=1)
    begun = threading.Event()
    door.raw = lambda handler: (begun.set(), door.released.wait(10))
    first = asyncio.create_task(http.send(target(door), "POST", "/v1/x", limit_seconds=5))
    assert await asyncio.to_thread(begun.wait, 5)
    waiting = asyncio.create_task(http.send(target(door), "POST", "/v1/x", limit_seconds=5))
    await asyncio.sleep(0)
    http.close()
    with pytest.raises(Unreachable, match="the mount ends"):
        await waiting
    door.close()
    with pytest.raises(Lost):
        await first


async def test_a_closed_pool_begins_nothing(stand_in):
    http = Http()
    http.close()
    with pytest.raises(Unreachable):
        await http.send(target(stand_in()), "POST", "/wake", limit_seconds=1)


def self_signed():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "one")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "https://127.0.0.1", "https://:1", "https://a:b@c:1", "https://h:1/x", "https://h:x", ""],
)
def test_an_address_is_https_with_host_and_port(url):
    with pytest.raises(ValueError, match="url"):
        Target.of(url, self_signed())


@pytest.mark.parametrize("pem", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_certificate_is_one_certificate(pem):
    with pytest.raises(ValueError, match="certificate"):
        Target.of("https://127.0.0.1:1", pem)


def test_two_certificates_are_one_too_many():
    with pytest.raises(ValueError, match="certificate"):
        Target.of("https://127.0.0.1:1", self_signed() + self_signed())
