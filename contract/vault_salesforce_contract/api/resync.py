"""`resync/<role>`: tell the engine what is true now."""

from vault_plugin_sdk.framework.fields import SECRET, TEXT, Field
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.api.rotate import WAIT
from vault_salesforce_contract.text import secret_fault

RESYNC = Description(
    "resync/{role}",
    help="Say what the user's password is now, or have one tried that the engine holds; one login proves it.",
    operations=(Operation.UPDATE,),
    fields={
        "password": Field(SECRET, "The user's password; write-only.", default=None, check=secret_fault),
        "security_token": Field(SECRET, "The user's security token; write-only.", default=None, check=secret_fault),
        "try": Field(
            TEXT,
            "Instead of a password, one that the engine holds: of the rotation in flight, before it, or in KV.",
            default=None,
            choices=("candidate", "current", "published"),
        ),
        "wait": WAIT,
    },
    detail="""
For somebody who changed the password in Salesforce, and for roles whose status says so. What logs in is published as a
new version; what does not changes nothing, and counts towards the lockout. Without fields the engine tries what it
holds: the published password, one of a rotation in flight, earlier ones, with one login each.

Next: `vault read sf/status/<role>`.
""".strip(),
    examples=(
        "vault write sf/resync/crm password=-",
        "vault write sf/resync/crm password=@password.txt security_token=@token.txt",
        "vault write sf/resync/crm try=current",
    ),
)
