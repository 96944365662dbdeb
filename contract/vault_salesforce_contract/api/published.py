"""`published/<role>`: the sidecar hands over a committed credential."""

from vault_plugin_sdk.framework.fields import fields_of
from vault_plugin_sdk.framework.path import Description
from vault_salesforce_contract.published import PublishedCredential

PUBLISHED = Description(
    "published/{role}",
    help="The sidecar hands over a committed credential; a root path. A read gives no secret.",
    fields=fields_of(PublishedCredential),
    tolerant=True,
)
