"""`info`: versions, sidecars, and what is held."""

from vault_plugin_sdk.framework.path import Description

INFO = Description(
    "info",
    help="Versions, sidecars and when they were last heard, due marks, how much is published, and the next step.",
    detail="""
`published` counts the roles of which a copy is held here, deleted ones too. `complete` says whether that is all that KV
holds; while it is not, a read of a role that is not held is answered with 503 and not with 404. `missing` is how many
copies the sidecars found lacking when they last compared, and hand over now.

A sidecar is `usable` when it speaks this plugin's `contract` and was heard within the last minute. `reason` is what it
says of itself; its own probe, /health/ready at its address, says the same. `next_step` is what to do about the first
thing that is wrong; empty where nothing is.

Next: take `next_step`, and read again. How a single role is says `vault read sf/status/<role>`.
""".strip(),
    examples=(
        "vault read sf/info",
        "vault read -field=next_step sf/info",
    ),
)
