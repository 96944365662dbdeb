"""A web thread is for a peer whose whole request is here."""

import socket
import ssl
import threading
from types import SimpleNamespace

import pytest

from vault_salesforce_sidecar.doors import admission
from vault_salesforce_sidecar.doors.admission import Admission
from vault_salesforce_sidecar.doors.tls import make_certificate

CERTIFICATE = make_certificate("one", "127.0.0.1")
LIMIT = 1000
PATIENCE_SECONDS = 10


class Door:
    """Two web threads, each of which reads the whole request and answers with its length."""

    def __init__(self):
        self.admission = Admission(2, CERTIFICATE.context, LIMIT)
        self.answered = threading.Semaphore(0)
        self.jobs = []

    def connect(self):
        """A peer's end of a new connection."""
        ours, theirs = socket.socketpair()
        peer = SimpleNamespace(sock=ours)
        job = self.admission.submit(self._answer, peer)
        job.add_done_callback(lambda _: peer.sock.close())
        self.jobs.append(job)
        theirs.settimeout(PATIENCE_SECONDS)
        return theirs

    def greet(self, plain=None):
        """A connection after its handshake."""
        client = ssl.create_default_context(cadata=CERTIFICATE.pem)
        return client.wrap_socket(plain or self.connect(), server_hostname="127.0.0.1")

    def ask(self, request, connection=None):
        """What a whole request is answered with."""
        with connection or self.greet() as made:
            made.sendall(request)
            return made.recv(100)

    def _answer(self, peer):
        content = b""
        while part := peer.sock.recv(7):
            content += part
        peer.sock.sendall(str(len(content)).encode())
        self.answered.release()
        return False


@pytest.fixture
def door():
    made = Door()
    yield made
    made.admission.shutdown()
    made.admission._thread.join(PATIENCE_SECONDS)
    assert not made.admission._thread.is_alive()


GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        GET,
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: h\r\ncontent-LENGTH:  3  \r\n\r\nabc",
        b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000,
    ],
)
def test_a_whole_request_is_answered(door, request_):
    assert door.ask(request_) == str(len(request_)).encode()


def test_a_request_may_come_in_drops_and_a_thread_gets_it_whole(door):
    request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    with door.greet() as connection:
        for number in range(len(request)):
            assert not door.answered.acquire(blocking=False)
            connection.sendall(request[number : number + 1])
        assert connection.recv(100) == str(len(request)).encode()


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\nab",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\nab",
        b"GET / HTTP/1.1\r\nX: " + b"x" * admission.MAX_HEAD_BYTES,
    ],
    ids=["too long", "in chunks", "of no length", "endless head"],
)
def test_what_will_be_refused_is_not_waited_for(door, head):
    answer = door.ask(head)
    assert answer
    assert int(answer) <= len(head)


def test_peers_that_say_nothing_or_little_hold_no_thread(door):
    silent = [door.connect() for _ in range(20)]
    begun = [door.connect() for _ in range(20)]
    for connection in begun:
        connection.sendall(b"\x16\x03")
    greeted = [door.greet() for _ in range(20)]
    for connection in greeted:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na")
    assert door.ask(GET) == str(len(GET)).encode()
    assert not any(job.done() for job in door.jobs[:60])
    for connection in (*silent, *begun, *greeted):
        connection.close()
    assert [job.result(PATIENCE_SECONDS) for job in door.jobs] == [False] * 61


def test_whoever_is_not_in_in_time_is_sent_away(door, monkeypatch):
    monkeypatch.setattr(admission, "ARRIVAL_SECONDS", 0.2)
    with door.connect() as silent, door.greet() as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        assert silent.recv(10) == b""
        assert slow.recv(10) == b""
    assert not door.answered.acquire(blocking=False)


def test_of_too_many_the_oldest_has_to_go(door, monkeypatch):
    monkeypatch.setattr(admission, "ARRIVALS", 3)
    crowd = [door.connect() for _ in range(10)]
    assert door.ask(GET) == str(len(GET)).encode()
    assert crowd[0].recv(10) == b""
    crowd[-1].settimeout(0.2)
    with pytest.raises(TimeoutError):
        crowd[-1].recv(10)
    for connection in crowd:
        connection.close()


def test_what_they_sent_is_bounded_together(door, monkeypatch):
    monkeypatch.setattr(admission, "BUFFERED_BYTES", 1500)
    first, second = door.greet(), door.greet()
    with first, second:
        for connection in (first, second):
            connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + b"x" * 900)
        assert first.recv(10) == b""
        second.sendall(b"x" * 100)
        assert second.recv(10)


def test_a_peer_that_does_not_take_its_answer_is_not_waited_for(door, monkeypatch):
    monkeypatch.setattr(admission, "REPLY_SECONDS", 0.2)
    failed = threading.Event()

    def answer(peer):
        try:
            while True:
                peer.sock.sendall(b"x" * 100_000)
        except TimeoutError:
            failed.set()
        return False

    door._answer = answer
    with door.greet() as connection:
        connection.sendall(GET)
        assert failed.wait(PATIENCE_SECONDS)


def test_a_peer_that_speaks_no_tls_is_sent_away(door):
    with door.connect() as connection:
        connection.sendall(GET)
        assert door.jobs[0].result(PATIENCE_SECONDS) is False
    assert door.ask(GET)
