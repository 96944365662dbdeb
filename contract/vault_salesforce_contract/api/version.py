"""`version/<role>`: which version is current; cheap to poll, no secret."""

from vault_plugin_sdk.framework.path import Description

VERSION = Description(
    "version/{role}",
    help="The published version and whether a change is under way; ask it before a login.",
    detail="""
No secret, and cheap to poll. While `changing` is true a login may fail, and count towards the lockout: wait.

Next: read static-creds/<role> or creds/<role> where `version` is newer than what you have.
""".strip(),
    examples=("vault read sf/version/crm",),
)
