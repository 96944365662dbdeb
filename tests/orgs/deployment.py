"""A sidecar's rotations against a simulator that really listens: its adapters, its mailbox, its table; KV in memory.

Both sides read one clock, which only waiting moves.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import urllib3
from fakes import CALLER, START, Accidents, InlinePool, ManualClock, MemoryKv

from salesforce_orgsim.clock import OrgClock
from salesforce_orgsim.serve import Running, start
from vault_plugin_sdk.framework.fields import from_stored, to_stored
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.mailbox.maildir import open_mailbox
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.parts import Parts
from vault_salesforce_sidecar.rotation.start import Rotations
from vault_salesforce_sidecar.salesforce.org import Orgs
from vault_salesforce_sidecar.store import Store

USERNAME = "app@acme.example"
ADMIN = "admin@acme.example"
PASSWORD = "First-pass-1"
TOKEN = "T" * 24
ADMIN_PASSWORD = "Admin-pass-1"
JOURNAL = "journal/app%40acme.example"
MAILED_AFTER = (0, 5, 30, 120, 700)  # seconds after which a mailbox is looked at again


class Simulator:
    """An org on loopback whose users and settings each combination makes anew."""

    def __init__(self, maildir: Path) -> None:
        self.maildir = maildir
        self.clock = ManualClock()
        self.running: Running = start(
            {"users": []}, maildir=maildir, clock=OrgClock(lambda: START + timedelta(seconds=self.clock.seconds))
        )
        self._http = urllib3.PoolManager()

    def control(self, method: str, path: str, document: Any = None) -> Any:
        """One request to the control port."""
        body = None if document is None else json.dumps(document)
        answer = self._http.request(
            method, f"{self.running.control_url}{path}", body=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status < 300, (method, path, answer.status, answer.data)
        return json.loads(answer.data) if answer.data else None

    def anew(self, org: Mapping[str, Any], users: list[Mapping[str, Any]], apps: list[Mapping[str, Any]]) -> None:
        """The org with these settings, users and apps alone, and an empty mailbox."""
        self.control("POST", "/reset")
        self.control("PATCH", "/org", dict(org))
        for user in users:
            self.control("POST", "/users", dict(user))
        for app in apps:
            self.control("POST", "/apps", dict(app))
        for mail in self.maildir.rglob("*"):
            if mail.is_file():
                mail.unlink()

    def user(self, username: str = USERNAME) -> Any:
        """The user as the org itself has them, secrets included."""
        found = self.running.org.user(username)
        assert found is not None
        return found

    def stop(self) -> None:
        """End it."""
        self.running.stop()
        self._http.clear()


class Deployment:
    """One role `crm` of one sidecar, through one connection."""

    def __init__(self, simulator: Simulator, config: Mapping[str, Any], role: Mapping[str, Any]) -> None:
        self.simulator, self.clock = simulator, simulator.clock
        accidents = Accidents()
        self.engine_kv = MemoryKv("engine", accidents, self.clock)
        self.creds_kv = MemoryKv("creds", accidents, self.clock)
        self.orgs = Orgs(self.clock, self.engine_kv)
        roles = Store(self.engine_kv, "static-roles", dump=to_stored, load=lambda data: from_stored(StaticRole, data))
        connections = Store(self.engine_kv, "config", dump=to_stored, load=lambda data: from_stored(Config, data))
        self.config = from_stored(
            Config,
            {"login_url": simulator.running.url, "allowed_roles": ["crm"], "mailbox": f"maildir:{simulator.maildir}"}
            | dict(config),
        )
        connections.put("demo", self.config)
        self.role = from_stored(StaticRole, {"config": "demo", "username": USERNAME} | dict(role))
        self.rotations = Rotations(
            Parts(
                engine_kv=self.engine_kv,
                creds_kv=self.creds_kv,
                roles=roles,
                connections=connections,
                open_org=self.orgs.open,
                open_mailbox=lambda _: open_mailbox(f"maildir:{simulator.maildir}", simulator.maildir.parent),
                password_from_policy=lambda _: SecretStr("From-policy-1"),
                push=lambda _role, _credential: None,
                changed=lambda: 0,
                announced=lambda _: None,
                clock=self.clock,
                instance="one",
            ),
            pool=InlinePool(),
        )
        self.rotations.start()
        self.handed_in = HandedIn(self.rotations)

    def enrol(self, token: str | None) -> None:
        """Create the role with what the user has."""
        self.handed_in.enrol("crm", self.role, SecretStr(PASSWORD), SecretStr(token) if token else None, CALLER)

    def rotate(self) -> EngineError | None:
        """Rotate, and give time to whatever goes on by itself; what was answered instead of beginning."""
        try:
            self.rotations.rotate("crm", CALLER, allow_security_token_wait=True)
        except EngineError as refused:
            return refused
        for seconds in MAILED_AFTER:
            if self.entry["state"] in ("settled", "withdrawn", "stuck"):
                break
            self.clock.seconds += seconds
            self.rotations.tick()
        return None

    def hand_in_token(self) -> None:
        """What a person does who has read the mail."""
        if token := self.simulator.user().security_token:
            self.handed_in.security_token("crm", SecretStr(token), CALLER, 0)

    @property
    def entry(self) -> dict[str, Any]:
        """The account's journal entry as it is stored."""
        return self.engine_kv.newest(JOURNAL)

    @property
    def published(self) -> dict[str, Any]:
        """What apps read."""
        return self.creds_kv.newest("creds/crm")

    @property
    def kept(self) -> set[str]:
        """Every password that a person would find in the entry or in KV."""
        entry = self.entry
        named = {entry.get(f"{name}_password") for name in ("current", "candidate", "given")}
        return (
            {text for text in named if text} | {one["password"] for one in entry["kept"]} | {self.published["password"]}
        )

    def close(self) -> None:
        """End its connections."""
        self.orgs.close()
