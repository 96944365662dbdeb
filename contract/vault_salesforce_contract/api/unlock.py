"""`unlock/<role>`: clear the attempt budget after the user was unlocked."""

from vault_plugin_sdk.framework.fields import TEXT, Field
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.text import login_name_fault

UNLOCK = Description(
    "unlock/{role}",
    help="The user was unlocked in Salesforce: count failed logins from zero again.",
    operations=(Operation.UPDATE,),
    fields={
        "username": Field(
            TEXT,
            "Only where the role could not be created: the user it was to be for.",
            default=None,
            check=login_name_fault,
        ),
    },
)
