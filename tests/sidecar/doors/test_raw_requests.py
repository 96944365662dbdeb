"""What a peer may write on a connection: each of it is one request, read in one way, or none."""

import json
import re
import secrets
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sidecar_process import PATIENCE_SECONDS, Process, address_of, environ_of, trusting

from vault_salesforce_sidecar.doors.admission import MAX_HEAD_BYTES
from vault_salesforce_sidecar.serve import MAX_FIELDS, MAX_LINE_BYTES

SECRET = f"Planted-{secrets.token_hex(8)}"  # in every request; never in an answer or a line of the log
BEARER = f"Authorization: Bearer {SECRET}\r\n"
BODY = f'{{"password":"{SECRET}"}}'
WHOLE = f"POST /v1/rotate/crm HTTP/1.1\r\nHost: h\r\n{BEARER}"
SECOND = "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = f"{WHOLE}Transfer-Encoding: chunked\r\n\r\n"
SIZE = f"{len(BODY):x}"

# Where a body ends, said in two ways, in a wrong way, or in none.
AMBIGUOUS = {
    "length and chunks": f"{WHOLE}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SECOND}",
    "chunks and length": f"{WHOLE}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{SECOND}",
    "two lengths": f"{WHOLE}Content-Length: {len(BODY)}\r\nContent-Length: 0\r\n\r\n{BODY}",
    "one length twice": f"{WHOLE}Content-Length: {len(BODY)}\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}",
    "a list of lengths": f"{WHOLE}Content-Length: {len(BODY)}, {len(BODY)}\r\n\r\n{BODY}",
    "a signed length": f"{WHOLE}Content-Length: +{len(BODY)}\r\n\r\n{BODY}",
    "a negative length": f"{WHOLE}Content-Length: -1\r\n\r\n{BODY}",
    "a length in hex": f"{WHOLE}Content-Length: 0x10\r\n\r\n{BODY}",
    "a length with a point": f"{WHOLE}Content-Length: 1.0\r\n\r\n{BODY}",
    "a length of other digits": f"{WHOLE}Content-Length: ٣\r\n\r\n{BODY}",
    "a length beyond all bounds": f"{WHOLE}Content-Length: {'9' * 40}\r\n\r\n{BODY}",
    "no number": f"{WHOLE}Content-Length: \r\n\r\n{BODY}",
    "two codings": f"{WHOLE}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{SECOND}",
    "chunks twice": f"{WHOLE}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n{SECOND}",
    "chunks, then something": f"{WHOLE}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{SECOND}",
    "nearly chunks": f"{WHOLE}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{SECOND}",
    "chunks behind a tab": f"{WHOLE}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{SECOND}",
    "packed": f"{WHOLE}Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n{SECOND}",
    "chunks in HTTP/1.0": CHUNKED.replace("1.1", "1.0") + f"0\r\n\r\n{SECOND}",
    "chunks": f"{CHUNKED}{SIZE}\r\n{BODY}\r\n0\r\n\r\n{SECOND}",
    "a chunk without an end": f"{CHUNKED}{SIZE}\r\n{BODY}",
    "a chunk of hex in C": f"{CHUNKED}0x{SIZE}\r\n{BODY}\r\n0\r\n\r\n",
    "a negative chunk": f"{CHUNKED}-1\r\n{BODY}\r\n0\r\n\r\n",
    "a chunk beyond all bounds": f"{CHUNKED}{'f' * 40}\r\n{BODY}",
    "a chunk that is longer than it says": f"{CHUNKED}1\r\n{BODY}\r\n0\r\n\r\n{SECOND}",
    "a chunk with a bare line feed": f"{CHUNKED}{SIZE}\n{BODY}\n0\n\n{SECOND}",
    "an endless extension": f"{CHUNKED}1;{'x' * 70_000}\r\n",
    "a trailer": f"{CHUNKED}0\r\nAuthorization: Bearer x\r\n\r\n",
}
MALFORMED = {
    "a folded line": f"{WHOLE}X-A: a\r\n b\r\n\r\n",
    "a folded length": f"{WHOLE}Content-Length:\r\n {len(BODY)}\r\n\r\n{BODY}",
    "a blank before the colon": f"{WHOLE}Content-Length : {len(BODY)}\r\n\r\n{BODY}",
    "a blank before the name": f"POST /v1/rotate/crm HTTP/1.1\r\n Host: h\r\n{BEARER}\r\n",
    "an underscore": f"{WHOLE}Content_Length: {len(BODY)}\r\n\r\n{BODY}",
    "no colon": f"{WHOLE}Host\r\n\r\n",
    "no name": f"{WHOLE}: h\r\n\r\n",
    "a NUL in a value": f"{WHOLE}X-A: a\0b\r\n\r\n",
    "a bare return in a value": f"{WHOLE}X-A: a\rContent-Length: 9\r\n\r\n",
    "bare line feeds": WHOLE.replace("\r\n", "\n") + "\n",
    "a name that is no ASCII": f"{WHOLE}Ä: a\r\n\r\n",
    "no version": "GET /health/live\r\n\r\n",
    "another version": "GET /health/live HTTP/3.0\r\nHost: h\r\n\r\n",
    "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "two blanks": "GET  /health/live HTTP/1.1\r\nHost: h\r\n\r\n",
    "a method in small letters": "get /health/live HTTP/1.1\r\nHost: h\r\n\r\n",
    "a method that is a sentence": "GET/x{} /health/live HTTP/1.1\r\nHost: h\r\n\r\n",
    "a line that is too long": f"GET /{'x' * MAX_LINE_BYTES} HTTP/1.1\r\nHost: h\r\n\r\n",
    "too many fields": WHOLE + "".join(f"X-{n}: {n}\r\n" for n in range(MAX_FIELDS)) + "\r\n",
    "too long a field": f"{WHOLE}X-A: {'x' * MAX_HEAD_BYTES}\r\n\r\n",
    "an endless head": WHOLE + "X-A: b\r\n" * 6000,
    "no request": "\r\n\r\n\r\n\r\n",
    "nonsense": "\x01\x02\x03\r\n\r\n",
    "a secret with a NUL": WHOLE.replace(SECRET, f"{SECRET}\0") + "\r\n",
    "a secret for a name": f"{WHOLE}{SECRET} : {SECRET}\r\n\r\n",
    "a secret for a line": f"{WHOLE}{SECRET}\r\n\r\n",
    "a secret for a request": f"{SECRET} {SECRET} {SECRET}\r\n\r\n",
    "a secret for a method": f"{SECRET}{{}} / HTTP/1.1\r\n\r\n",
    "a secret for a version": f"GET / {SECRET}\r\n\r\n",
    "a secret that is expected": f"{WHOLE}Expect: {SECRET}\r\n\r\n",
    "a secret for a coding": f"{WHOLE}Transfer-Encoding: {SECRET}\r\n\r\n",
    "a PROXY line": "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + SECOND,
}
# Said in one way: answered once, whatever stands behind it.
WELL_FORMED = {
    "two requests at once": (SECOND + SECOND, 200),
    "a body that is longer than it says": (f"{WHOLE}Content-Length: 2\r\n\r\n{{}}{SECOND}", 401),
    "a body of a request that has none": (f"GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n{SECOND}", 200),
    "keep-alive": (f"GET /health/live HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n{SECOND}", 200),
    "HTTP/1.0": ("GET /health/live HTTP/1.0\r\n\r\n", 200),
    "a switch to another protocol": (
        f"{SECOND[:-2]}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQA\r\n\r\n",
        200,
    ),
    "a web socket": (
        f"{SECOND[:-2]}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        400,
    ),
    "another method behind the method": (f"{WHOLE}X-HTTP-Method-Override: DELETE\r\nContent-Length: 0\r\n\r\n", 401),
    "another address behind the address": (f"{SECOND[:-2]}X-Original-URL: /v1/rotate/crm\r\n\r\n", 200),
    "a proxy that is none": (f"{SECOND[:-2]}X-Forwarded-Proto: http\r\nForwarded: for=10.0.0.1\r\n\r\n", 200),
    "a whole address": ("GET https://evil.example/health/live HTTP/1.1\r\nHost: h\r\n\r\n", 200),
    "a way to elsewhere": ("CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: h\r\n\r\n", 404),
    "an echo": (f"TRACE /health/live HTTP/1.1\r\nHost: h\r\n{BEARER}\r\n", 405),
    "a question to all": ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 404),
    "a body that is too long": (f"{WHOLE}Content-Length: 1048577\r\n\r\n{BODY}", 413),
    "a body that never was": (f"{WHOLE}Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", 401),
    "a token that is too long": (f"POST /v1/rotate/crm HTTP/1.1\r\nAuthorization: Bearer {'x' * 30_000}\r\n\r\n", 401),
}


class Sidecar:
    """A process that is up, and one request on a connection of its own."""

    def __init__(self, environ):
        self.process = Process(environ)
        self.url = self.process.logged("listening")["url"]
        self.process.logged("up")
        self.context = trusting(self.url)

    def send(self, text):
        """All that comes back until the sidecar closes."""
        content = text.encode("utf-8") if isinstance(text, str) else text
        plain = socket.create_connection(address_of(self.url), timeout=PATIENCE_SECONDS)
        with self.context.wrap_socket(plain, server_hostname="127.0.0.1") as peer:
            answer = b""
            try:
                peer.sendall(content)
                while part := peer.recv(65_536):
                    answer += part
            except ConnectionError:
                pass  # it was closed while there was still something to send
        return answer.decode("utf-8", "replace")

    def statuses(self, text):
        """The status of each answer."""
        answer = self.send(text)
        assert SECRET not in answer
        statuses = [int(status) for status in re.findall(r"^HTTP/1\.[01] (\d{3})", answer, re.MULTILINE)]
        return [status for status in statuses if status != 100]


@pytest.fixture(scope="module")
def sidecar(server, tmp_path_factory):
    made = Sidecar(environ_of(server, tmp_path_factory.mktemp("sidecar")))
    yield made
    made.process.popen.kill()
    made.process.popen.wait(PATIENCE_SECONDS)
    assert made.process.ended()


@pytest.fixture
def quiet(sidecar):
    """Whatever was sent: it is up afterwards, and says nothing of a fault or of what was sent."""
    yield sidecar
    assert sidecar.statuses("GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n") == [200]
    log = "".join(sidecar.process.lines)
    assert SECRET not in log
    assert "Traceback" not in log
    assert [line for line in map(json.loads, sidecar.process.lines) if line["level"] in ("error", "critical")] == []


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_a_body_whose_end_is_doubtful_is_refused_with_all_that_follows(quiet, what):
    assert quiet.statuses(AMBIGUOUS[what]) in ([400], [411], [413], [501])


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_request_is_refused(quiet, what):
    statuses = quiet.statuses(MALFORMED[what])
    assert len(statuses) <= 1
    assert all(400 <= status < 500 or status in (501, 505) for status in statuses)


@pytest.mark.parametrize("what", WELL_FORMED)
def test_one_connection_is_one_request(quiet, what):
    text, status = WELL_FORMED[what]
    assert quiet.statuses(text) == [status]


def test_whoever_does_not_finish_is_sent_away_without_an_answer_after_its_time(quiet):
    begun = time.monotonic()
    unfinished = ("", "GET /health/live HTTP/1.1\r\nHost: h\r\n", f"{WHOLE}Content-Length: 10\r\n\r\n{{")
    with ThreadPoolExecutor() as crowd:
        assert list(crowd.map(quiet.send, unfinished)) == ["", "", ""]
    assert time.monotonic() - begun < PATIENCE_SECONDS
