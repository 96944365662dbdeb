"""`creds/<role>`: the credential under a lease."""

from vault_plugin_sdk.framework.path import Description

CREDS = Description(
    "creds/{role}",
    help="The role's credential under a lease on this version; `ttl` bounds how long a reader holds an old one.",
    detail="""
Renew the lease at two thirds of it. Once there is a newer version, a renewal answers 2 seconds: read again.
While the version is due or being changed the lease reaches 10 seconds at most, the answer carries a warning, and the
lease's end triggers nothing. rotate_on_lease_end of the role says whose end makes the version due; a lease keeps to the
rule that it was lent under.

Next: `vault lease renew <lease_id>`, or let an agent do it; see docs/consumers.md.
""".strip(),
    examples=("vault read sf/creds/crm",),
)
