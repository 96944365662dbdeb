"""`sidecar/<instance>`: registration and heartbeat of a sidecar."""

from vault_plugin_sdk.framework.fields import fields_of
from vault_plugin_sdk.framework.path import Description
from vault_salesforce_contract.registration import Registration

SIDECAR = Description(
    "sidecar/{instance}",
    help="Registration and heartbeat of a sidecar; a root path: its policy needs `sudo`.",
    fields=fields_of(Registration),
    tolerant=True,
    detail="""
Sidecars write here by themselves, every 10 seconds; people read and delete. The first writer's identity owns a name: a
sidecar that is set up anew, with another login, is refused until the name is deleted, or takes another one.

Next: `vault read sf/info` says which sidecars are usable, and what to do where none is.
""".strip(),
    examples=(
        "vault list -detailed sf/sidecar",
        "vault read sf/sidecar/one",
        "vault delete sf/sidecar/one",
    ),
)
