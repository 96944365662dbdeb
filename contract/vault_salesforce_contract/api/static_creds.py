"""`static-creds/<role>`: the credential without a lease."""

from vault_plugin_sdk.framework.path import Description

STATIC_CREDS = Description(
    "static-creds/{role}",
    help="The role's credential, without a lease; answered while no sidecar can be reached.",
    detail="""
`password_token` is password and security token joined: what SOAP, jsforce and most drivers send. Keep the session: it
survives a rotation. On INVALID_LOGIN read again: a newer version is worth one login, the same one none.

Next: for a bound on how long a reader holds an old version, read creds/<role> instead.
""".strip(),
    examples=(
        "vault read sf/static-creds/crm",
        "vault read -field=password_token sf/static-creds/crm",
    ),
)
