"""`unlock/<role>`: clear Salesforce's lock, and the attempt budget."""

from vault_plugin_sdk.framework.fields import TEXT, Field
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.text import login_name_fault

UNLOCK = Description(
    "unlock/{role}",
    help="Unlock the user in Salesforce, or say that it is not locked: failed logins are counted from zero again.",
    operations=(Operation.UPDATE,),
    fields={
        "username": Field(
            TEXT,
            "Only where the role could not be created: the user it was to be for.",
            default=None,
            check=login_name_fault,
        ),
    },
    detail="""
After three failed logins the engine makes no more, since the fourth or fifth would lock the user. Where the connection
has an identity that sees the lock (Manage Users), it is cleared in Salesforce first; a refusal changes nothing. Else
see in Salesforce (Setup, Users) that the user is not locked, unlock it there if it is, and then say so here. A stuck
rotation goes on. No rotation unlocks a user by itself.

Next: `vault read sf/status/<role>`.
""".strip(),
    examples=(
        "vault write -f sf/unlock/crm",
        "vault write sf/unlock/crm username=integration@example.com",
    ),
)
