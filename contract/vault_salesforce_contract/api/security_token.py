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
        "security_token": Field(SECRET, "The new security token; write-only.", check=secret_fault),
        "wait": WAIT,
    },
)
