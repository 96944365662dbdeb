"""The engine's table of contents: its paths, its leases, what the server treats in its own way, its help."""

from vault_plugin_sdk.framework.backend import SpecialPaths
from vault_salesforce_contract import api
from vault_salesforce_plugin import credentials
from vault_salesforce_plugin.clock import Clock
from vault_salesforce_plugin.forward import Limits
from vault_salesforce_plugin.http import Http
from vault_salesforce_plugin.mount import Mount
from vault_salesforce_plugin.paths import creds, info, published, sidecar, static_creds, version

INTRODUCTION = """
Salesforce credentials, rotated.

A role is an existing Salesforce user. Its password is changed by a sidecar, which alone reaches Salesforce and keeps
all state in Vault's KV; this engine answers reads of the published credential by itself, leases it, and passes
everything else on to the sidecar.

A lease is on one version, and its `ttl` bounds how long a holder may keep an old one. When the last lease on the
current version ends, the version is due: the password does not outlive the leases that knew it.

To begin: write config/<name>, then static-roles/<name>, then rotate/<role>; read static-creds/<role> or creds/<role>.
When something is wrong, read status/<role>: it names the next step. `vault path-help` of a path shows how it is asked.

Durations are seconds, or text such as 24h; lists are lists, or text with commas. A field's value `-` is typed, `@file`
read from a file. Secrets are written and never read back, but by credentials and reveal/<role>. A list of keys takes
`after` and `limit`.
"""

PATHS = (static_creds.PATH, creds.PATH, version.PATH, info.PATH, sidecar.PATH, published.PATH)
SPECIAL = SpecialPaths(
    # So that a broad policy such as `sf/*` neither makes its holder a sidecar nor breaks the glass.
    root=("sidecar/*", "published/*", "reveal/*"),
    seal_wrap=(credentials.PREFIX,),
)


class SalesforceBackend(Mount):
    """The engine of one mount.

    Args:
        clock: The two times; the machine's where it is not given.
        limits: How long a forwarded request may take.
        http: Threads and places for such requests.
    """

    def __init__(self, clock: Clock | None = None, limits: Limits | None = None, http: Http | None = None) -> None:
        super().__init__(
            PATHS,
            secrets=(creds.SECRET,),
            special=SPECIAL,
            introduction=INTRODUCTION,
            described=api.TABLE,
            clock=clock,
            limits=limits,
            http=http,
        )
