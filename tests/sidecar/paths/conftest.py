"""An engine without Vault and Salesforce: its stores in memory, its doers' faces alone."""

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from vault_plugin_sdk.framework.fields import from_stored, to_stored
from vault_plugin_sdk.framework.path import Router
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller, Operation, Request
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.claims import Claims
from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.engine import Engine
from vault_salesforce_sidecar.paths import PATHS
from vault_salesforce_sidecar.rotation.holds import Holds
from vault_salesforce_sidecar.rotation.organizations import Organizations
from vault_salesforce_sidecar.store import Store


@dataclass(frozen=True)
class View:
    """A rotation, as it is watched."""

    seen: Any
    refusal: Any = None

    def to_response(self):
        return Response(data={"seen": self.seen})


class Rotations:
    """Notes what it is asked."""

    def __init__(self, kv, clock):
        self.asked = []
        self.known = {}
        self.refusal = None
        self.holds = Holds(kv, clock)
        self.organizations = Organizations(kv, self.holds, clock)

    def rotate(self, role, caller, **options):
        self.asked.append(("rotate", role, options))
        return View(options["wait"], self.refusal)

    def delete(self, role, caller):
        self.asked.append(("delete", role))

    def unlock(self, role, caller, username):
        self.asked.append(("unlock", role, caller.display_name, username))
        return ("locks are not visible",) if username is None else ()

    def status(self, role):
        if role not in self.known:
            raise CallerError(f"there is no role {role!r}", status=404)
        return self.known[role]

    def statuses(self):
        return self.known

    def history(self, role):
        return []


class HandedIn:
    """Stores a role whose password is `right`, and refuses any other."""

    def __init__(self, roles):
        self.roles = roles
        self.asked = []

    def enrol(self, name, role, password, security_token, caller):
        self.asked.append(("enrol", name, password, security_token))
        if password is None or password.reveal() != "right":
            raise CallerError("the org refused it", status=424, code="INVALID_LOGIN")
        self.roles.put(name, role)
        return ("proven",)

    def update(self, name, known, role, password, security_token):
        self.asked.append(("update", name, password, security_token))
        self.roles.put(name, role, known.version)
        return ()

    def security_token(self, role, token, caller, wait, mail):
        self.asked.append(("security_token", role, token or mail))
        return View(wait)

    def resync(self, role, caller, **given):
        self.asked.append(("resync", role, given))
        return View(given["wait"])


class Mending:
    """Repairs what it is asked to."""

    def __init__(self):
        self.asked = []

    def mend(self, role, caller, how, wait):
        self.asked.append((role, caller.display_name, how, wait))
        return View(wait)


class FakeEngine:
    """The parts of an engine that paths ask for."""

    user_of, check_mailbox, _holds = Engine.user_of, Engine.check_mailbox, Engine._holds

    def __init__(self, kv, mailbox_root):
        self.kv = kv
        self.clock = SystemClock()
        self.settings = SimpleNamespace(mailbox_root=mailbox_root)
        self.connections = Store(kv, "config", dump=to_stored, load=partial(from_stored, Config))
        self.roles = Store(kv, "static-roles", dump=to_stored, load=partial(from_stored, StaticRole))
        self.claims = Claims(kv, self.clock, self._holds)
        self.rotations = Rotations(kv, self.clock)
        self.handed_in = HandedIn(self.roles)
        self.mending = Mending()
        self.places, self.placed = 1, []
        self.router = Router(PATHS)

    @contextmanager
    def waiting(self, seconds, caller, role):
        yield seconds if self.places else 0

    @contextmanager
    def place(self, caller, about):
        self.placed.append((caller.display_name, about))
        yield

    def require_password_policy(self, name):
        if name != "strong":
            raise CallerError(f"Vault has no password policy {name!r}")

    def store_connection(self, name, config, version):
        self.connections.put(name, config, version)

    def ask(self, operation, path, **data):
        """One request, through the router."""
        request = Request(Operation(operation), path, data, Caller(display_name="ann"))
        match = self.router.resolve(request)
        return match.answer(match.call(self, request.caller))


@pytest.fixture
def engine(memory_kv, tmp_path):
    return FakeEngine(memory_kv, str(tmp_path))


@pytest.fixture
def org(engine):
    """A connection `org` without an identity, that every role may use."""
    engine.ask("update", "config/org", login_url="https://a.my.salesforce.com", allowed_roles=["*"])
    return "org"


@pytest.fixture
def crm(engine, org):
    """A role on it."""
    engine.ask("update", "static-roles/crm", config=org, username="crm@example.com", password="right")
    return "crm"
