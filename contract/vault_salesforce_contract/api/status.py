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
held         somebody, or the engine itself, holds the connection: see hold/. Whatever is due waits for its end.
stuck        what is published may not log in. Every secret that may be right is kept.
unpublished  nothing was published yet.

`reason` says why, `next_step` what to do: one command to paste, or one page of Salesforce. A value `-` waits for the
secret to be typed. `token_state` is how the security token is that readers get, since `token_since`, because of
`token_reason`: not_required, fresh, stale, unproven, survived or unknown. `logins_left` is how many logins may fail
before the engine makes no more. Times are in UTC.

`way_in` is how the password is proven (soap_login, oauth_password, or record), and `way_in_ends` when Salesforce closes
that way; `password_expires` when the org lets the password expire. `stale_consumers` are those who went on failing to
log in after the last rotation, by address and application: absent where nobody may look, empty where all is quiet.

Next: take `next_step`, after what `reason` says is to be seen to in Salesforce. Empty: nothing is to be done.
""".strip(),
    examples=(
        "vault read sf/status/crm",
        "vault read -field=next_step sf/status/crm",
        "vault list -detailed sf/status",
    ),
)
