"""What an operator does once: the mounts, the plugin, the sidecar's policy and login, a connection and a role."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus

from vault_salesforce.dev.orgsim import OrgSim, User
from vault_salesforce.dev.rest import Rest
from vault_salesforce.dev.waiting import until
from vault_salesforce.policy import policy
from vault_salesforce_plugin.install import Installed

CREDENTIAL_VERSIONS = 10  # the least that the engine accepts: who reads an old version still finds it
CONNECTION, ROLE = "demo", "crm"
POLICY = "vault-salesforce-sidecar"


@dataclass(frozen=True)
class Mounts:
    """Where things are in Vault."""

    engine: str = "sf"
    kv: str = "salesforce"
    engine_kv: str = "salesforce-engine"


@dataclass(frozen=True)
class AppRole:
    """The sidecar's login."""

    role_id: str
    secret_id: str = field(repr=False)


def mount_kv(vault: Rest, mounts: Mounts) -> None:
    """Make the two KV v2 mounts, with check-and-set required. Raises: Refused, OSError, TimeoutError."""
    for mount, versions in ((mounts.kv, CREDENTIAL_VERSIONS), (mounts.engine_kv, 0)):
        vault.ask("POST", f"v1/sys/mounts/{mount}", {"type": "kv", "options": {"version": "2"}})
        settings = {"cas_required": True, "max_versions": versions}
        # A new KV v2 mount refuses with 400 for a moment, while it makes its keys.
        until(partial(_accepts, vault, f"v1/{mount}/config", settings), f"the KV mount {mount}/")


def mount_engine(vault: Rest, mounts: Mounts, installed: Installed) -> None:
    """Register the plugin and mount it. Raises: Refused, OSError."""
    launcher = {"command": installed.path.name, "sha256": installed.sha256, "version": installed.version}
    vault.ask("PUT", f"v1/sys/plugins/catalog/secret/{installed.name}", launcher)
    mount = {"type": installed.name, "config": {"plugin_version": installed.version}}
    vault.ask("POST", f"v1/sys/mounts/{mounts.engine}", mount)


def sidecar_policy(mounts: Mounts) -> str:
    """The sidecar's policy, as HCL."""
    return policy("sidecar", mount=mounts.engine, kv=mounts.kv, engine_kv=mounts.engine_kv)


def sidecar_login(vault: Rest, mounts: Mounts) -> AppRole:
    """Make the sidecar's policy and its AppRole. Raises: Refused, OSError."""
    vault.ask("PUT", f"v1/sys/policies/acl/{POLICY}", {"policy": sidecar_policy(mounts)})
    vault.ask("POST", "v1/sys/auth/approle", {"type": "approle"})
    role = f"v1/auth/approle/role/{POLICY}"
    vault.ask("POST", role, {"token_policies": [POLICY], "token_no_default_policy": True, "token_period": "20m"})
    role_id = vault.ask("GET", f"{role}/role-id").data["role_id"]
    secret_id = vault.ask("POST", f"{role}/secret-id", {}).data["secret_id"]
    return AppRole(str(role_id), str(secret_id))


def crm_user() -> User:
    """The user of the role `crm`, with a password that nobody else has."""
    return User("crm@demo.example", f"Start-1-{secrets.token_urlsafe(12)}")


def make_crm(vault: Rest, mounts: Mounts, orgsim: OrgSim, user: User) -> None:
    """Make the connection `demo` and the role `crm`, whose token comes by mail, up to its first version.

    Raises:
        Refused, OSError: A server did not do it.
        TimeoutError: The mail, or the login with its token, did not come.
    """
    connection = {
        "login_url": orgsim.url,
        "allowed_roles": ["*"],
        "mailbox": f"maildir:{orgsim.mail}",
        "sidecar_address": "untrusted",
    }
    vault.ask("POST", f"v1/{mounts.engine}/config/{CONNECTION}", connection)
    role = {
        "config": CONNECTION,
        "username": user.username,
        "password": user.password,
        "security_token_from": "mailbox",
        "lease_rotation_interval": 0,
    }
    vault.ask("POST", f"v1/{mounts.engine}/static-roles/{ROLE}", role)
    # No token was given: it comes with the mail that the user asks for, which also shows that such mails arrive.
    orgsim.control().ask("POST", f"users/{user.username}/reset-security-token")
    until(
        lambda: vault.send("GET", f"v1/{mounts.engine}/version/{ROLE}").data.get("version"),
        f"the first version of {ROLE}",
    )


def _accepts(vault: Rest, path: str, settings: Mapping[str, object]) -> bool:
    return vault.send("POST", path, settings).status < HTTPStatus.BAD_REQUEST
