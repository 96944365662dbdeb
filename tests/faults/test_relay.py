"""The lines do what they are told: what reaches the other side, and what the caller sees of it."""

import http.client
import http.server
import threading
import time
from contextlib import closing

import pytest
from faults.harness.calls import Call
from faults.harness.deeds import STALE_READ, TO_ORG, TO_VAULT, Deed
from faults.harness.relay import HttpLine, Line, Loop
from faults.harness.script import Aim, Moment, Script

LOST = (OSError, http.client.HTTPException)
PATIENCE_SECONDS = 20.0


class OtherSide:
    """Answers each request with how many came before it."""

    def __init__(self):
        self.heard = []
        side = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = str(len(side.heard)).encode()
                side.heard.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.place = self.server.server_address
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def other():
    made = OtherSide()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def loop():
    made = Loop()
    yield made
    made.close()


@pytest.fixture
def script():
    return Script()


@pytest.fixture
def line(loop, other, script):
    made = HttpLine(loop, lambda: other.place, script, lambda method, target, head, body: Call("x.read", target[1:]))
    yield made
    made.close()


def ask(line, path="/r", seconds=PATIENCE_SECONDS):
    with closing(http.client.HTTPConnection("127.0.0.1", line.port, timeout=seconds)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def until(holds):
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds() and time.monotonic() < end:
        threading.Event().wait(0.01)
    assert holds()


@pytest.mark.parametrize(
    "deed", {deed.name: deed for deed in (*TO_VAULT, *TO_ORG)}.values(), ids=lambda deed: deed.name
)
def test_a_call_is_lost_doubled_or_late_as_its_deed_says_and_the_next_one_is_not(line, other, script, deed):
    deed = Deed(**vars(deed) | {"late_seconds": deed.late_seconds / 20, "slow_seconds": deed.slow_seconds / 20})
    script.begin({Aim("r", "x.read", 2): deed}, {})
    assert ask(line) == (200, "0")
    if deed.answers in ("truth", "second"):
        assert ask(line) == (200, {"truth": "1", "second": "2"}[deed.answers])
    elif deed.answers == "said":
        assert ask(line) == (deed.status, deed.body)
    else:
        with pytest.raises(LOST):
            ask(line, seconds=0.5 if deed.answers == "silence" else PATIENCE_SECONDS)
    until(lambda: len(other.heard) == 1 + deed.reaches)
    assert script.fired["r"] == [f"x.read 2: {deed.name}"]
    assert ask(line) == (200, str(1 + deed.reaches))


def test_a_stale_read_is_the_answer_before_the_last(line, other, script):
    script.begin({Aim("r", "x.read", 3): STALE_READ}, {})
    assert [ask(line)[1] for _ in range(4)] == ["0", "1", "0", "2"]
    assert len(other.heard) == 3


@pytest.mark.parametrize("after", [False, True])
def test_a_moment_is_held_before_or_after_the_other_side_heard_of_it(line, other, script, after):
    moment, answers = Moment(after), []
    script.begin({}, {Aim("r", "x.read", 1): moment})
    asking = threading.Thread(target=lambda: answers.append(ask(line)))
    asking.start()
    assert moment.come.wait(PATIENCE_SECONDS)
    assert (len(other.heard), answers) == (1 if after else 0, [])
    moment.acted.set()
    asking.join()
    assert answers == [(200, "0")]


@pytest.mark.parametrize("mode", ["cut", "reset", "black hole", "half-open"])
def test_nothing_comes_back_over_a_broken_line_and_everything_over_a_healed_one(line, other, mode):
    line.behave(mode)
    with pytest.raises(LOST):
        ask(line, seconds=0.5)
    assert len(other.heard) == (1 if mode == "half-open" else 0)
    line.behave("")
    assert ask(line)[0] == 200


def test_a_line_that_knows_no_http_is_broken_in_the_same_ways(loop, other):
    line = Line(loop, lambda: other.place)
    assert ask(line) == (200, "0")
    line.behave("black hole")
    with pytest.raises(LOST):
        ask(line, seconds=0.5)
    line.behave("")
    assert ask(line) == (200, "1")
    line.close()


def test_everything_can_be_refused_until_it_is_not(line, other):
    (sealed,) = (deed for deed in TO_VAULT if deed.name == "sealed")
    line.refuse_all(sealed)
    assert ask(line) == (503, sealed.body)
    line.refuse_all(None)
    assert ask(line) == (200, "0")
