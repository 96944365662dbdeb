"""`status/<role>`: how a role is, and the next step."""

from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation

STATUS = Description(
    "status/{role}",
    help="The role's state, why, since when, and the one next step; never a secret.",
    operations=(Operation.READ, Operation.LIST),
    detail="""
ok           nothing is to be done.
due          a rotation is due, and begins by itself; or the password has expired, and `next_step` rotates it.
rotating     a rotation is under way.
awaiting     the security token that belongs to the password is missing.
parked       a rotation came to nothing, or may not begin. Nothing was changed.
drifted      somebody changed the password in Salesforce.
stuck        what is published may not log in. Every secret that may be right is kept.
unpublished  nothing was published yet.

`reason` says why, `next_step` what to do: one command to paste, or one page of Salesforce. A value `-` waits for the
secret to be typed. `logins_left` is how many logins may fail before the engine makes no more. Times are in UTC.

Next: take `next_step`, after what `reason` says is to be seen to in Salesforce. Empty: nothing is to be done.
""".strip(),
    examples=(
        "vault read sf/status/crm",
        "vault read -field=next_step sf/status/crm",
        "vault list -detailed sf/status",
    ),
)
