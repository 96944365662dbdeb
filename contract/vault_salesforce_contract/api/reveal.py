"""`reveal/<role>`: break-glass, every secret that is held of a role's account."""

from vault_plugin_sdk.framework.fields import TEXT, Field
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.text import login_name_fault

REVEAL = Description(
    "reveal/{role}",
    help="Break-glass: every secret that is held of the role's account, and which of them to try first.",
    operations=(Operation.READ,),
    query={
        "username": Field(
            TEXT,
            "The account, where the role was deleted and made anew for another user.",
            default=None,
            check=login_name_fault,
        ),
    },
    detail=(
        "A root path: its policy needs `sudo`. Each reading is in the role's history before it is answered. A deleted\n"
        "role is revealed for as long as its secrets are kept. Ask with -wrap-ttl to hand the answer to somebody else."
    ),
)
