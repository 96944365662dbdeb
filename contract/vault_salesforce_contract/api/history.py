"""`history/<role>`: the rotations of a role."""

from vault_plugin_sdk.framework.path import Description

HISTORY = Description(
    "history/{role}",
    help="Each rotation: cause, who asked, evidence, how it ended; newest first, bounded.",
)
