"""`history/<role>`: the rotations of a role."""

from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation

HISTORY = Description(
    "history/{role}",
    help="Each rotation: cause, who asked, evidence, how it ended; newest first, the last 50.",
    operations=(Operation.READ,),
    detail="""
cause         manual, force, lease, schedule, create, resync, token, unlock, delete, reveal.
request_id    Vault's id of the request, as in the audit log and in the sidecar's log; empty where nobody asked.
display_name  who asked; with a lease's end, who was lent it; else schedule or mailbox.
outcome       settled, withdrawn, awaiting_token, stuck; deleted, unlocked, revealed.
evidence      what proved the new password: login, or the org's record of the change.

A rotation that somebody helped on, with a token or an unlock, has a row for each who did, under one rotation_id.

Next: `vault read sf/status/<role>` says how the role is now.
""".strip(),
    examples=("vault read -format=json sf/history/crm",),
)
