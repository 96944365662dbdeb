"""`status/<role>`: how a role is, and the next step."""

from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation

STATUS = Description(
    "status/{role}",
    help="The role's state, why, since when, and the one next step; never a secret.",
    operations=(Operation.READ, Operation.LIST),
)
