"""`history/<role>`: the rotations of a role."""

from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation

HISTORY = Description(
    "history/{role}",
    help="Each rotation: cause, who asked, evidence, how it ended; newest first, bounded.",
    operations=(Operation.READ,),
)
