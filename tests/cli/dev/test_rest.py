"""One request, one answer, whatever its status; no answer is an OSError."""

import http.server
import json
import threading

import pytest

from vault_salesforce.dev.rest import Refused, Rest


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers what the path asks for: a status, and the body that came."""

    def answer(self):
        self.server.seen.append((self.command, self.path, self.headers.get("X-Vault-Token")))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = int(self.path.rpartition("/")[2])
        self.send_response(status)
        content = body or (b"<html>no JSON</html>" if status == 502 else b'{"errors": ["one", "two"]}')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_LIST = answer  # noqa: N815 - the base class's names

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.seen = []
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def rest(server):
    return Rest(f"http://127.0.0.1:{server.server_port}", {"X-Vault-Token": "t"})


def test_a_body_goes_there_and_an_answer_comes_back(rest, server):
    answer = rest.ask("POST", "a/200", {"data": {"n": 1}})
    assert answer.data == {"n": 1}
    assert server.seen == [("POST", "/a/200", "t")]


def test_a_refusal_is_an_answer_when_it_is_sent(rest):
    answer = rest.send("GET", "a/400")
    assert (answer.status, answer.sentences) == (400, "one; two")


def test_a_refusal_is_raised_when_success_is_asked_for(rest):
    with pytest.raises(Refused, match="GET a/400: 400 one; two"):
        rest.ask("GET", "a/400")


def test_what_is_no_json_is_kept_as_an_error(rest):
    assert "no JSON" in rest.send("GET", "a/502").sentences


def test_a_list_is_handed_on_as_data(rest):
    assert rest.ask("POST", "a/200", {"x": 1}).body == json.loads('{"x": 1}')


def test_nothing_is_sent_twice(rest, server):
    rest.send("LIST", "a/503")
    assert len(server.seen) == 1


def test_nobody_there_is_an_oserror():
    with pytest.raises(OSError, match="GET a"):
        Rest("http://127.0.0.1:1").send("GET", "a")
