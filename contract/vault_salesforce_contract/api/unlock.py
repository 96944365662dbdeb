"""`unlock/<role>`: clear the attempt budget after the user was unlocked."""

from vault_plugin_sdk.framework.fields import TEXT, Field
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.text import login_name_fault

UNLOCK = Description(
    "unlock/{role}",
    help="Say that the user is not locked in Salesforce: failed logins are counted from zero again.",
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
After three failed logins the engine makes no more, since the fourth or fifth would lock the user. See in Salesforce
(Setup, Users) that the user is not locked, unlock it there if it is, and then say so here. A stuck rotation goes on.

Next: `vault read sf/status/<role>`.
""".strip(),
    examples=(
        "vault write -f sf/unlock/crm",
        "vault write sf/unlock/crm username=integration@example.com",
    ),
)
