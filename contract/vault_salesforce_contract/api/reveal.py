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
    detail="""
A root path: its policy needs `sudo`. Each reading is in the role's history before it is answered. A deleted role is
revealed for as long as its secrets are kept. Ask with -wrap-ttl to hand the answer to somebody else.

Next: try the members that `try_first` names, in that order and once each: every failed login brings the user nearer to
being locked. Then say which one it is, at resync/<role>.
""".strip(),
    examples=(
        "vault read sf/reveal/crm",
        "vault read -wrap-ttl=5m -field=wrapping_token sf/reveal/crm",
    ),
)
