"""`creds/<role>`: the credential under a lease."""

from vault_plugin_sdk.framework.path import Description

CREDS = Description(
    "creds/{role}",
    help="The role's credential under a lease on this version; `ttl` bounds how long a reader holds an old one.",
)
