"""Whole rotations with a hostile answer at each step: nothing is lost, nobody is locked, and it ends."""

import gc
import time
import tracemalloc
from contextlib import suppress

import pytest
from deployment import ADMIN, ADMIN_PASSWORD, PASSWORD, USERNAME, Deployment, Simulator
from relay import Relay, Spoil

MEMORY = 16 << 20  # bytes, of a whole rotation
AN_HOUR = 3600.0
MOST_LOGINS = 3
CALL_SECONDS = 0.3  # of a call to an org that does not end
RANGES = {"login_ranges": ["127.0.0.1"]}
STEPS = {
    "first login": ("login", 0),
    "change": ("change", 0),
    "proof": ("login", 1),
    "look": ("look", 0),
}


def answer(body=b"", status="200 OK", head=""):
    return f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def envelope(inner):
    return f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{inner}</e:Body></e:Envelope>'.encode()


def half(connection, real):
    connection.sendall(real[: len(real) * 2 // 3] if real else b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<half")


def flood(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(1 << 14):  # a gigabyte, were it all taken
        connection.sendall(b"x" * 65536)


def drip(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    connection.settimeout(0.02)
    while True:
        connection.sendall(b"<")
        with suppress(TimeoutError):
            if not connection.recv(1):
                return


HTML = b"<!DOCTYPE html><html><body>Please sign in<br></body></html>"
BOMB = b'<!DOCTYPE l [<!ENTITY a "x"><!ENTITY b "' + b"&a;" * 5000 + b'">]><l>' + b"&b;" * 5000 + b"</l>"
ANSWERS = {
    "HTML 503": answer(HTML, "503 Service Unavailable"),
    "half": half,
    "packed": answer(b"\x1f\x8b\x08\x00", head="Content-Encoding: gzip\r\n"),
    "an XML bomb": answer(BOMB),
    "flood": flood,
    "the answer to another call": answer(envelope("<getUserInfoResponse><result/></getUserInfoResponse>")),
}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    made = Simulator(tmp_path_factory.mktemp("mail"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def relay(simulator):
    made = Relay(simulator.running.url)
    yield made
    made.stop()


@pytest.fixture
def enrolled(simulator, relay):
    """A role at version 1, behind the relay, made anew as often as it is asked for."""
    made = []

    def enrol(*, self_managed, seconds=AN_HOUR):
        relay.spoil(None)
        admin = {"username": ADMIN, "password": ADMIN_PASSWORD, "manage_users": True} | RANGES
        simulator.anew({}, [{"username": USERNAME, "password": PASSWORD} | RANGES, admin], [])
        config = {"login_url": relay.url}
        if not self_managed:
            config |= {"auth_method": "password", "username": ADMIN, "password": ADMIN_PASSWORD}
            config |= {"admin_may_rotate": ["*@acme.example"]}
        made.append(Deployment(simulator, config, {"self_managed": self_managed, "security_token_from": "none"}))
        made[-1].orgs._longest_call_seconds = CALL_SECONDS
        made[-1].enrol(None)
        simulator.clock.seconds += seconds  # after an hour the org's record of the last change tells seconds apart
        return made[-1]

    yield enrol
    for deployment in made:
        deployment.close()


def logins(deployment):
    counters = deployment.simulator.user().counters
    return counters.logins + counters.failed_logins


def must_hold(deployment, before, what):
    """The promise: the live password is published or kept, nobody is locked, and somebody is told why."""
    user, entry = deployment.simulator.user(), deployment.entry
    assert entry["state"] in ("settled", "withdrawn", "stuck"), (what, entry["state"])
    assert user.counters.lockouts == 0, what
    assert logins(deployment) - before <= MOST_LOGINS, what
    assert user.password in deployment.kept, what
    if entry["state"] != "stuck":
        assert deployment.published["password"] == user.password, what
    else:
        assert entry["reason"], what


@pytest.mark.parametrize("self_managed", [True, False], ids=["by itself", "by an administrator"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("reaches", [False, True], ids=["before", "after"])
def test_a_hostile_answer_loses_nothing(relay, enrolled, self_managed, step, reaches):
    which, skip = STEPS[step]
    for name, spoiling in ANSWERS.items():
        deployment = enrolled(self_managed=self_managed)
        before = logins(deployment)
        # The administrator's session is there already: the only login is the proof.
        relay.spoil(Spoil(which, spoiling, reaches, skip if self_managed else 0))
        deployment.rotate()
        assert relay.spoilt
        must_hold(deployment, before, (step, name))


@pytest.mark.parametrize("seconds", [AN_HOUR, 30], ids=["long after", "soon after"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("reaches", [False, True], ids=["before", "after"])
def test_nor_do_hostile_answers_for_ever(relay, enrolled, step, reaches, seconds):
    which, skip = STEPS[step]
    deployment = enrolled(self_managed=True, seconds=seconds)
    before = logins(deployment)
    relay.spoil(Spoil(which, ANSWERS["HTML 503"], reaches, skip, times=None))
    deployment.rotate()
    must_hold(deployment, before, step)
    relay.spoil(None)
    deployment.rotate()
    assert deployment.simulator.user().password in deployment.kept


def test_a_flood_takes_little_memory(relay, enrolled):
    deployment = enrolled(self_managed=True)
    relay.spoil(Spoil("change", flood, reaches=True))
    gc.collect()
    tracemalloc.start()
    try:
        deployment.rotate()
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    assert relay.spoilt


def test_answers_that_drip_end_in_time(relay, enrolled):
    deployment = enrolled(self_managed=True)
    before = logins(deployment)
    relay.spoil(Spoil("change", drip, reaches=True))
    began = time.monotonic()
    deployment.rotate()
    assert time.monotonic() - began < CALL_SECONDS + 5.0
    must_hold(deployment, before, "drip")
    assert deployment.published["password"] == deployment.simulator.user().password != PASSWORD


def test_a_redirect_ends_a_rotation_at_once_and_names_where_it_leads(relay, enrolled):
    elsewhere = answer(status="302 Found", head="Location: https://acme.my.salesforce.com/?sid=secret\r\n")
    deployment = enrolled(self_managed=True)
    before = logins(deployment)
    relay.spoil(Spoil("login", elsewhere, reaches=False))
    deployment.rotate()
    assert (deployment.entry["state"], deployment.entry["fault_code"], relay.spoilt) == (
        "withdrawn",
        "sent_elsewhere",
        1,
    )
    assert "acme.my.salesforce.com" in str(deployment.entry)
    assert "sid=" not in str(deployment.entry)
    must_hold(deployment, before, "redirect")
