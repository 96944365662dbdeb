"""`preflight-config/<name>`: whether a connection works, looked at without changing anything."""

from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation

PREFLIGHT_CONFIG = Description(
    "preflight-config/{name}",
    help="Whether a connection works: a row per check. Changes nothing; makes at most the login of its own identity.",
    operations=(Operation.READ,),
    detail="""
Rows as in preflight/<role>: the way to the login host (name, certificate, clock), the identity's login and what it may
do, the org, the mailbox, the KV mounts. An identity that was refused not long ago is not tried again.

Next: take each `fix`, the failed rows first; then make a role, at static-roles/<name>, and read its preflight/<name>.
""".strip(),
    examples=("vault read -format=json sf/preflight-config/prod", "vault-salesforce doctor"),
)
