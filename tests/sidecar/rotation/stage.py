"""One deployment in memory: KV, an org, a plugin that is pushed to, and as many sidecars as a test starts."""

from dataclasses import replace
from typing import Any

from fake_org import MemoryMailbox, ScriptedOrg
from fakes import CALLER, CRM, JOURNAL, Accidents, InlinePool, ManualClock, MemoryKv

from vault_plugin_sdk.framework.fields import from_stored, to_stored
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.machine import Secret
from vault_salesforce_sidecar.rotation.parts import Parts, PushFailed
from vault_salesforce_sidecar.rotation.start import Rotations
from vault_salesforce_sidecar.store import Store


class Stage:
    """A deployment whose one Salesforce user is `CRM`."""

    def __init__(
        self,
        *,
        self_managed: bool = True,
        token_from: str = "none",
        untrusted: bool = False,
        by_app: bool = False,
        admin: bool = False,
        **role: Any,
    ) -> None:
        self.accidents = Accidents()
        self.clock = ManualClock()
        self.engine_kv = MemoryKv("engine", self.accidents, self.clock)
        self.creds_kv = MemoryKv("creds", self.accidents, self.clock)
        self.mailbox = MemoryMailbox()
        self.org = ScriptedOrg(self.accidents, self.mailbox)
        self.org.now = self.clock.now
        self.person = self.org.add(CRM, "Old-password-1", untrusted=untrusted)
        self.pushed: dict[str, Any] = {}
        self.plugin_away = False
        self.changes = 0
        self.announced: list[int] = []
        self.config = Config(
            login_url="https://acme.my.salesforce.example",
            allowed_roles=("*",),
            mailbox="maildir:acme" if token_from == "mailbox" else "",
            sidecar_address="untrusted",
        )
        if by_app:
            self.org.apps.add(CRM)
            self.config = replace(self.config, client_id="app", private_key=SecretStr("key"))
        if admin or not self_managed:
            self.org.become_admin()
            self.config = from_stored(
                Config,
                to_stored(self.config)
                | {"auth_method": "password", "username": "admin@acme.example", "admin_may_rotate": ["*@acme.example"]},
            )
        self.role = StaticRole(
            config="demo",
            username=CRM,
            self_managed=self_managed,
            self_login="jwt_bearer" if by_app else "password",
            security_token_from=token_from,
            rotation_period=3600,
            **role,
        )
        self.roles = Store(
            self.engine_kv, "static-roles", dump=to_stored, load=lambda data: from_stored(StaticRole, data)
        )
        self.connections = Store(self.engine_kv, "config", dump=to_stored, load=lambda data: from_stored(Config, data))
        self.connections.put("demo", self.config)

    def sidecar(self, instance: str = "one", *, start: bool = True, **settings: Any) -> Rotations:
        """A sidecar that has started, unless the test starts it."""
        parts = Parts(
            engine_kv=self.engine_kv,
            creds_kv=self.creds_kv,
            roles=self.roles,
            connections=self.connections,
            open_org=lambda _: self.org,
            open_mailbox=lambda config: self.mailbox if config.mailbox else None,
            password_from_policy=lambda _: SecretStr("From-policy-1"),
            push=self._push,
            changed=self._changed,
            announced=self._announced,
            clock=self.clock,
            instance=instance,
            served=self._served,
        )
        rotations = Rotations(parts, **({"pool": InlinePool()} | settings))
        if start:
            rotations.start()
        return rotations

    def enrolled(self, **settings: Any) -> Rotations:
        """A sidecar with the role `crm`, whose version 1 is published."""
        rotations = self.sidecar(**settings)
        token = SecretStr(self.person.token) if self.role.security_token_from != "none" else None
        HandedIn(rotations).enrol("crm", self.role, SecretStr(self.person.password), token, CALLER)
        self.person.logins = 0
        self.accidents.calls = 0
        self.accidents.names.clear()
        return rotations

    @property
    def entry(self) -> dict[str, Any]:
        """The account's journal entry as it is stored."""
        return self.engine_kv.newest(JOURNAL)

    @property
    def published(self) -> dict[str, Any]:
        """What apps read."""
        return self.creds_kv.newest("creds/crm")

    @property
    def is_live(self) -> bool:
        """Whether what apps read logs in."""
        password, token = self.published["password"], self.published["security_token"]
        return password == self.person.password and token == (self.person.token if self.person.untrusted else "")

    def _changed(self) -> int:
        self.changes += 1
        return self.changes

    def _announced(self, number: int) -> None:
        self.announced.append(number)

    def _served(self, role: str) -> tuple[Secret, int] | None:
        copy = self.pushed.get(role)
        return (Secret(copy.password, copy.security_token or None), copy.version) if copy else None

    def _push(self, role: str, credential: Any) -> None:
        if self.plugin_away:
            raise PushFailed("the plugin is away")
        self.accidents.around("push", lambda: self.pushed.__setitem__(role, credential))
