"""`published/<role>`: the sidecar hands over a committed credential."""

from vault_plugin_sdk.framework.fields import fields_of
from vault_plugin_sdk.framework.path import Description
from vault_salesforce_contract.published import PublishedCredential

PUBLISHED = Description(
    "published/{role}",
    help="The sidecar hands over a committed credential; a root path. A read gives no secret.",
    fields=fields_of(PublishedCredential),
    tolerant=True,
    detail="""
Sidecars write here by themselves, and hand over again what is deleted here and in KV. A read shows which version is
held, and since when.

Next: `vault read sf/info` says whether all copies are there.
""".strip(),
    examples=(
        "vault list sf/published",
        "vault read sf/published/crm",
        "vault delete sf/published/crm",
    ),
)
