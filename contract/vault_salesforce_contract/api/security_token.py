"""`security-token/<role>`: hand in a new security token."""

from vault_plugin_sdk.framework.fields import SECRET, Field
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.api.rotate import WAIT
from vault_salesforce_contract.text import secret_fault

SECURITY_TOKEN = Description(
    "security-token/{role}",
    help="Hand in the security token that Salesforce mailed; one login proves it, then it is published.",
    operations=(Operation.UPDATE,),
    fields={
        "security_token": Field(SECRET, "The new security token; write-only.", default=None, check=secret_fault),
        "mail": Field(SECRET, "In place of it, the whole mail that brought it; write-only.", default=None),
        "wait": WAIT,
    },
    detail="""
For roles whose status is `awaiting`, and wherever somebody reset the token by hand. With `-` for a value the command
waits for it, so that it stays out of the shell's history. A token that is refused counts towards the lockout.

`mail` takes the mail as it was received, header and all: what a mail program saves or shows as its source. One that
does not name this user, or that holds no token, is refused before anything is tried.

Next: `vault read sf/status/<role>`.
""".strip(),
    examples=(
        "vault write sf/security-token/crm security_token=-",
        "vault write sf/security-token/crm security_token=@token.txt",
        "vault write sf/security-token/crm mail=@token.eml",
    ),
)
