"""Registration and heartbeat, with a plugin of the test's own at the other end."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vault_salesforce_contract.registration import CONTRACT, DueMark, Held, RegistrationAnswer, digest
from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.settings import from_environ
from vault_salesforce_sidecar.store import KvUnavailable
from vault_salesforce_sidecar.vault.register import NotUnderstood, Registrar

HELD = {"crm": Held(3, "r3")}


def pem_of(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Plugin:
    """What answers at `sf/sidecar/<instance>`."""

    def __init__(self):
        self.answer = RegistrationAnswer("acc", "sf/", pem_of(Ed25519PrivateKey.generate()), CONTRACT, "0.1.0")
        self.written = []
        self.fault = None
        self.heard = threading.Semaphore(0)

    def write(self, path, data):
        self.written.append((path, data))
        self.heard.release()
        if self.fault:
            raise self.fault
        return self.answer.to_data()


class Rotations:
    """What is told to the rotations."""

    mount = ""

    def __init__(self):
        self.requested, self.republished = [], []
        self.pushed, self.go_on = threading.Event(), threading.Event()
        self.asked = threading.Semaphore(0)

    def held(self):
        return HELD

    def changing(self):
        return ("erp",)

    def request(self, role, cause, version, rotation_id=None):
        self.requested.append((role, cause, version, rotation_id))
        self.asked.release()
        if role == "slow":
            assert self.go_on.wait(5)
        if role == "broken":
            raise RuntimeError("boom")
        return True

    def republish(self, held_by_plugin):
        self.republished.append(held_by_plugin)
        self.pushed.set()


class ManualClock(SystemClock):
    """The machine's clock, moved on by the test."""

    moved = 0.0

    def now(self):
        return datetime.now(UTC)

    def monotonic(self):
        return super().monotonic() + self.moved


@pytest.fixture
def plugin():
    return Plugin()


@pytest.fixture
def rotations():
    return Rotations()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def registered():
    return []


@pytest.fixture
def registrar(plugin, rotations, clock, registered):
    environ = {"VAULT_SALESFORCE_VAULT_ADDR": "https://vault", "VAULT_SALESFORCE_ROLE_ID": "r"}
    settings = replace(from_environ(environ, "host"), instance="one")
    made = Registrar(
        plugin,
        rotations,
        settings,
        clock,
        url="https://127.0.0.1:8443",
        certificate="PEM",
        version="0.1.0",
        registered=lambda: registered.append("registered"),
    )
    yield made
    made.stop()


def test_a_heartbeat_says_where_the_sidecar_is_and_what_it_holds(registrar, plugin):
    registrar.beat()
    path, data = plugin.written[0]
    assert path == "sf/sidecar/one"
    assert data == {
        "url": "https://127.0.0.1:8443",
        "certificate": "PEM",
        "version": "0.1.0",
        "contract": CONTRACT,
        "published": digest(HELD.items()),
        "changing": ["erp"],
    }


def test_the_answer_is_whom_to_trust(registrar, rotations, registered):
    assert (registrar.trust, bool(registrar.reason)) == (None, True)
    registrar.beat()
    registrar.beat()
    assert (registrar.trust.accessor, registrar.reason, rotations.mount) == ("acc", None, "sf")
    assert registered == ["registered"]


def test_due_marks_are_served_each_by_itself(registrar, plugin, rotations):
    plugin.answer = replace(plugin.answer, due=(DueMark("broken", 1, "a"), DueMark("crm", 3, "r3", "lease")))
    registrar.beat()
    assert rotations.asked.acquire(timeout=5)
    assert rotations.asked.acquire(timeout=5)
    assert rotations.requested == [("broken", "lease", 1, "a"), ("crm", "lease", 3, "r3")]


def test_a_due_mark_that_takes_long_holds_up_no_heartbeat(registrar, plugin, rotations):
    plugin.answer = replace(plugin.answer, due=(DueMark("slow", 1, "a"), DueMark("crm", 3, "r3")))
    registrar.beat()
    registrar.beat()
    assert len(plugin.written) == 2
    rotations.go_on.set()
    assert rotations.asked.acquire(timeout=5)
    assert rotations.asked.acquire(timeout=5)
    assert [role for role, *_ in rotations.requested] == ["slow", "crm"]


def test_what_the_plugin_lacks_is_pushed(registrar, plugin, rotations):
    plugin.answer = replace(plugin.answer, held={"crm": Held(2, "r2")})
    registrar.beat()
    assert rotations.pushed.wait(5)
    assert rotations.republished == [{"crm": Held(2, "r2")}]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"contract": CONTRACT + 1}, "contract"), ({"public_key": "no key"}, "key")],
)
def test_a_plugin_that_is_not_understood_is_not_trusted(registrar, plugin, change, sentence):
    plugin.answer = replace(plugin.answer, **change)
    with pytest.raises(NotUnderstood, match=sentence):
        registrar.beat()
    assert registrar.trust is None


def test_a_sidecar_that_was_not_answered_for_long_says_so(registrar, clock, plugin):
    registrar.beat()
    clock.moved = 59
    assert registrar.reason is None
    clock.moved = 61
    assert "heartbeat" in registrar.reason


def test_the_thread_beats_at_once_and_whenever_it_is_asked(registrar, plugin):
    registrar.start()
    assert plugin.heard.acquire(timeout=5)
    registrar.soon()
    assert plugin.heard.acquire(timeout=5)


def test_a_failed_heartbeat_is_a_reason_and_not_an_end(registrar, plugin):
    plugin.fault = KvUnavailable("Vault is sealed")
    registrar.start()
    assert plugin.heard.acquire(timeout=5)
    registrar.refresh(5)
    assert registrar.reason == "Vault is sealed"
    plugin.fault = None
    registrar.refresh(5)
    assert registrar.reason is None


def test_refresh_returns_only_after_a_heartbeat_that_began_later(registrar, plugin):
    registrar.start()
    assert plugin.heard.acquire(timeout=5)
    key = Ed25519PrivateKey.generate()
    plugin.answer = replace(plugin.answer, public_key=pem_of(key))
    registrar.refresh(5)
    assert registrar.trust.public_key == key.public_key()
