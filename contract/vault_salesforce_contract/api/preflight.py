"""`preflight/<role>`: everything that a rotation of this role depends on, looked at without changing anything."""

from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation

PREFLIGHT = Description(
    "preflight/{role}",
    help="What a rotation of this role depends on: a row per check. Changes nothing, sends no user's password.",
    operations=(Operation.READ,),
    detail="""
Each row has `check`, `result`, `detail` and `fix`; `result` of the whole is that of its worst row.

ok           as it should be.
warning      a rotation works now; `fix` says what to do before it does not.
failed       a rotation would be refused, or its outcome be of no use: `fix` is the one thing to do.
not visible  the connection's identity may not see it: `detail` says what that needs. No fault.
skipped      of no meaning here, or the org did not answer in time.

What is seen is seen by the connection's own identity; without one, by the session that its app opens as the user
(self_login=jwt_bearer). At most that one login is made, and its session is kept for rotations.

Next: take each `fix`, the failed rows first; then `vault write -f sf/rotate/<role>`.
""".strip(),
    examples=("vault read -format=json sf/preflight/crm", "vault-salesforce doctor --role crm"),
)
