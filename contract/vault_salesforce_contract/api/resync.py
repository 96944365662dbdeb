"""`resync/<role>`: tell the engine what is true now."""

from vault_plugin_sdk.framework.fields import SECRET, TEXT, Field
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.api.rotate import WAIT
from vault_salesforce_contract.text import secret_fault

RESYNC = Description(
    "resync/{role}",
    help="Say what is true now: a password, or one of those that the engine holds; one login proves it.",
    operations=(Operation.UPDATE,),
    fields={
        "password": Field(SECRET, "The user's password; write-only.", default=None, check=secret_fault),
        "security_token": Field(SECRET, "The user's security token; write-only.", default=None, check=secret_fault),
        "try": Field(
            TEXT,
            "Instead of a password: one that the engine holds.",
            default=None,
            choices=("candidate", "current", "published"),
        ),
        "wait": WAIT,
    },
)
