"""`rotate/<role>`: rotate now."""

from vault_plugin_sdk.framework.fields import BOOLEAN, DURATION, INTEGER, TEXT, Field
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.text import name_fault

MAX_WAIT_SECONDS = 10
WAIT = Field(
    DURATION,
    "How long to wait for the end before answering.",
    default=MAX_WAIT_SECONDS,
    minimum=0,
    maximum=MAX_WAIT_SECONDS,
)

ROTATE = Description(
    "rotate/{role}",
    help="Rotate the role's password now, or join the rotation that is under way.",
    operations=(Operation.UPDATE,),
    fields={
        "expected_version": Field(
            INTEGER, "Rotate only if this is the published version; else 409.", default=None, minimum=0
        ),
        "rotation_id": Field(TEXT, "Only watch this rotation.", default=None, check=name_fault),
        "wait": WAIT,
        "allow_security_token_wait": Field(
            BOOLEAN, "Rotate although the new security token may have to be handed in.", default=False
        ),
        "force": Field(BOOLEAN, "Rotate once more after the one that is under way.", default=False),
    },
    detail="Not done within `wait`: 200 with done=false; the rotation goes on. 5xx and 429 promise that none began.",
)
