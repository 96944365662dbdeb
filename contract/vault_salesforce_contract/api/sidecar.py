"""`sidecar/<instance>`: registration and heartbeat of a sidecar."""

from vault_plugin_sdk.framework.fields import fields_of
from vault_plugin_sdk.framework.path import Description
from vault_salesforce_contract.registration import Registration

SIDECAR = Description(
    "sidecar/{instance}",
    help="Registration and heartbeat of a sidecar; a root path: its policy needs `sudo`.",
    fields=fields_of(Registration),
    tolerant=True,
)
