"""`security-token/<role>`: hand in a new security token."""

from vault_plugin_sdk.framework.fields import DURATION, SECRET, Field
from vault_plugin_sdk.framework.path import Description
from vault_salesforce_contract.api.rotate import MAX_WAIT_SECONDS

SECURITY_TOKEN = Description(
    "security-token/{role}",
    help="Hand in the security token that Salesforce mailed; one login proves it, then it is published.",
    fields={
        "security_token": Field(SECRET, "The new security token; write-only."),
        "wait": Field(
            DURATION,
            "How long to wait for the end before answering.",
            default=MAX_WAIT_SECONDS,
            minimum=0,
            maximum=MAX_WAIT_SECONDS,
        ),
    },
)
