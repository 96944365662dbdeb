"""Registration and heartbeat, with a plugin of the test's own at the other end."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vault_salesforce_contract.registration import (
    CONTRACT,
    OLDEST_CONTRACT,
    PARTS,
    DueMark,
    Held,
    RegistrationAnswer,
    digests,
    in_parts,
    part_of,
)
from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.settings import from_environ
from vault_salesforce_sidecar.store import KvUnavailable
from vault_salesforce_sidecar.vault.register import APART_SECONDS, COPIES_AT_ONCE, NotUnderstood, Registrar

HELD = {"crm": Held(3, "r3")}
PART = part_of("crm")


def pem_of(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Plugin:
    """What answers at `sf/sidecar/<instance>`."""

    def __init__(self):
        self.answer = RegistrationAnswer("acc", "sf/", pem_of(Ed25519PrivateKey.generate()), CONTRACT, "0.1.0", (), ())
        self.written = []
        self.answers = None
        self.fault = None
        self.heard = threading.Semaphore(0)

    def write(self, path, data):
        self.written.append((path, data))
        self.heard.release()
        if self.fault:
            raise self.fault
        return (self.answers() if self.answers else self.answer).to_data()


class Rotations:
    """What is told to the rotations."""

    mount = ""

    def __init__(self):
        self.requested, self.republished, self.ahead = [], [], []
        self.looked = threading.Semaphore(0)
        self.kv = HELD
        self.in_hand = ("erp",)
        self.pushed, self.go_on = threading.Semaphore(0), threading.Event()
        self.asked = threading.Semaphore(0)

    def held(self):
        return dict(self.kv)

    def changing(self):
        return self.in_hand

    def request(self, role, cause, version, rotation_id=None, caller=None):
        self.requested.append((role, cause, version, rotation_id))
        self.asked.release()
        if role == "slow":
            assert self.go_on.wait(5)
        if role == "broken":
            raise RuntimeError("boom")
        return True

    def copies_ahead(self, copies):
        self.ahead.append(dict(copies))
        self.looked.release()

    def republish(self, roles):
        self.republished.extend(roles)
        for _ in roles:
            self.pushed.release()


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
def fault():
    return []


@pytest.fixture
def registrar(plugin, rotations, clock, registered, fault):
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
        fault=lambda: fault[-1] if fault else None,
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
        "oldest_contract": OLDEST_CONTRACT,
        "published": list(digests(in_parts(HELD))),
        "changing": ["erp"],
        "reason": "",
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


def test_what_the_plugin_lacks_is_pushed_and_told_until_the_plugin_has_it(registrar, plugin, rotations):
    plugin.answer = replace(plugin.answer, differing=(PART,), held={PART: {"crm": Held(2, "r2")}})
    registrar.beat()
    assert rotations.pushed.acquire(timeout=5)
    assert rotations.republished == ["crm"]
    plugin.answer = replace(plugin.answer, differing=(), held={})
    registrar.beat()
    registrar.beat()
    assert [data.get("lacking") for _, data in plugin.written] == [None, 1, 0]


def test_a_plugin_that_knows_more_is_left_alone_and_told_that_it_lacks_nothing(registrar, plugin, rotations):
    plugin.answer = replace(plugin.answer, differing=(PART,), held={PART: {"crm": Held(4, "r4")}})
    registrar.beat()
    registrar.beat()
    assert rotations.republished == []
    assert plugin.written[1][1]["lacking"] == 0
    assert rotations.looked.acquire(timeout=5)
    assert rotations.ahead[0] == {"crm": Held(4, "r4")}


def test_copies_are_handed_over_in_batches_with_a_heartbeat_between_them(registrar, plugin, rotations):
    rotations.kv = {f"role-{number}": Held(1, "r") for number in range(2 * COPIES_AT_ONCE + 7)}
    whole, taken = in_parts(rotations.kv), [0]

    def answer():
        taken.append(len(rotations.republished))
        held = in_parts({role: rotations.kv[role] for role in rotations.republished})
        differing = tuple(part for part in range(PARTS) if held[part] != whole[part])
        return replace(plugin.answer, differing=differing, held={part: held[part] for part in differing})

    plugin.answers = answer
    registrar.start()
    for _ in rotations.kv:
        assert rotations.pushed.acquire(timeout=10)
    assert sorted(rotations.republished) == sorted(rotations.kv)
    assert max(after - before for before, after in pairwise(taken)) <= COPIES_AT_ONCE


def test_what_was_pushed_in_vain_is_not_pushed_again_before_the_next_regular_heartbeat(registrar, plugin, rotations):
    plugin.answer = replace(plugin.answer, differing=(PART,), held={PART: {}})
    registrar.start()
    assert rotations.pushed.acquire(timeout=5)
    assert rotations.pushed.acquire(timeout=5)  # the first answer was not yet known to be in vain
    assert not rotations.pushed.acquire(timeout=1)


def test_before_it_is_up_it_says_why_and_nothing_of_what_kv_holds(registrar, plugin, rotations, registered, fault):
    fault.append("salesforce/ takes writes without check-and-set")
    plugin.answer = replace(plugin.answer, due=(DueMark("crm", 3, "r3"),), differing=(PART,), held={PART: {}})
    registrar.beat()
    data = plugin.written[0][1]
    assert data["reason"] == "salesforce/ takes writes without check-and-set"
    assert data["published"] == []
    assert "lacking" not in data
    assert (rotations.requested, rotations.republished, registered) == ([], [], [])
    assert registrar.trust
    fault.clear()
    plugin.answer = replace(plugin.answer, due=(), differing=(), held={})
    registrar.beat()
    assert registered == ["registered"]


def test_what_one_plugin_process_told_is_forgotten_with_its_key(registrar, plugin, rotations):
    plugin.answer = replace(plugin.answer, differing=(PART,), held={PART: {"crm": Held(9, "r9")}})
    registrar.beat()
    plugin.answer = replace(plugin.answer, public_key=pem_of(Ed25519PrivateKey.generate()), differing=(PART,), held={})
    registrar.beat()
    registrar.beat()
    assert [data.get("lacking") for _, data in plugin.written] == [None, 0, None]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"contract": OLDEST_CONTRACT - 1}, "upgrade the plugin"), ({"public_key": "no key"}, "key")],
)
def test_a_plugin_that_is_not_understood_is_not_trusted(registrar, plugin, change, sentence):
    plugin.answer = replace(plugin.answer, **change)
    with pytest.raises(NotUnderstood, match=sentence):
        registrar.beat()
    assert registrar.trust is None


def test_a_newer_plugin_that_took_the_registration_is_trusted(registrar, plugin):
    plugin.answer = replace(plugin.answer, contract=CONTRACT + 1)
    registrar.beat()
    assert registrar.trust is not None


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


def test_however_often_strangers_wake_it_heartbeats_keep_apart(registrar, plugin, clock, monkeypatch):
    paused, go_on, wait = threading.Semaphore(0), threading.Semaphore(0), clock.wait

    def held(event, seconds):
        if seconds != APART_SECONDS:
            return wait(event, seconds)
        paused.release()
        assert go_on.acquire(timeout=5)
        return event.is_set()

    monkeypatch.setattr(clock, "wait", held)
    registrar.start()
    for heartbeats in (1, 2):
        assert paused.acquire(timeout=5)
        for _ in range(100):
            registrar.soon()
        assert len(plugin.written) == heartbeats
        go_on.release()
    assert paused.acquire(timeout=5)
    registrar.stop()
    go_on.release()


def test_what_is_news_can_be_waited_for_until_the_plugin_has_heard_it(registrar, plugin, rotations):
    registrar.start()
    for in_hand in (("crm",), ("erp",), ()):
        rotations.in_hand = in_hand
        registrar.told(registrar.soon(), 5)
        assert plugin.written[-1][1]["changing"] == list(in_hand)


def test_nobody_waits_long_for_a_plugin_that_does_not_hear(registrar):
    number = registrar.soon()  # and its thread was never started
    begun = time.monotonic()
    registrar.told(number, 0.05)
    assert 0.04 < time.monotonic() - begun < 5


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
