"""`resync/<role>`: tell the engine what is true now."""

from vault_plugin_sdk.framework.fields import SECRET, TEXT, Field
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.api.rotate import WAIT
from vault_salesforce_contract.text import login_name_fault, secret_fault

RESYNC = Description(
    "resync/{role}",
    help="Say what the user's password is now, or have one that the engine holds tried, or a new one set.",
    operations=(Operation.UPDATE,),
    fields={
        "password": Field(SECRET, "The user's password; write-only.", default=None, check=secret_fault),
        "security_token": Field(SECRET, "The user's security token; write-only.", default=None, check=secret_fault),
        "try": Field(
            TEXT,
            "Instead of a password, one that the engine or the mount holds; set, reset: a new one by an admin.",
            default=None,
            choices=("candidate", "current", "published", "served", "set", "reset"),
        ),
        "username": Field(
            TEXT,
            "The login name that the user has now, where somebody changed it in Salesforce: the role follows.",
            default=None,
            check=login_name_fault,
        ),
        "wait": WAIT,
    },
    detail="""
For somebody who changed the password in Salesforce, and for roles whose status says so. What logs in is published as a
new version; what does not changes nothing, and counts towards the lockout. Without fields the engine tries what it
holds: the published password, one of a rotation in flight, earlier ones, with one login each. Where KV was restored
from an older copy without the mount, try=served proves the mount's own copy.

Where nobody knows the password any more, an administrator gives a stuck role's user a new one: try=set, within
admin_may_rotate of the connection. It is written down before it is sent, proven by a login, and published; what the
engine held before is kept. try=reset has Salesforce make a temporary password first, which also unlocks the user: for
an identity that may reset passwords but not unlock users. The user must be able to log in without a security token, and
if the answer is lost nobody knows the password until it is repeated.

A user who was renamed in Salesforce is still the same user: username=<new name> moves the role, with all that is known
of it, to that name, once the connection's identity, or a login, has shown that it is the user with the same id. The new
version names the user as they are called now.

Next: `vault read sf/status/<role>`.
""".strip(),
    examples=(
        "vault write sf/resync/crm password=-",
        "vault write sf/resync/crm password=@password.txt security_token=@token.txt",
        "vault write sf/resync/crm try=current",
        "vault write sf/resync/crm username=integration@new.example.com",
        "vault write sf/resync/crm try=set",
    ),
)
