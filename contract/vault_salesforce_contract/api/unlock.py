"""`unlock/<role>`: clear the attempt budget after the user was unlocked."""

from vault_plugin_sdk.framework.path import Description

UNLOCK = Description(
    "unlock/{role}",
    help="The user was unlocked in Salesforce: count failed logins from zero again.",
)
