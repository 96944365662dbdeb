"""`version/<role>`: which version is current; cheap to poll, no secret."""

from vault_plugin_sdk.framework.path import Description

VERSION = Description(
    "version/{role}",
    help="The published version and whether a change is under way; ask it before a login.",
)
