"""`static-creds/<role>`: the credential without a lease."""

from vault_plugin_sdk.framework.path import Description

STATIC_CREDS = Description(
    "static-creds/{role}",
    help="The role's credential, without a lease; answered while no sidecar can be reached.",
)
