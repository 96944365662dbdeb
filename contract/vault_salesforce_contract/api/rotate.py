"""`rotate/<role>`: rotate now."""

from vault_plugin_sdk.framework.fields import BOOLEAN, DURATION, INTEGER, TEXT, Field
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.text import name_fault

MAX_WAIT_SECONDS = 10
WAIT = Field(
    DURATION,
    "How long to wait for the end before answering.",
    default=MAX_WAIT_SECONDS,
    minimum=0,
    maximum=MAX_WAIT_SECONDS,
)

ROTATE = Description(
    "rotate/{role}",
    help="Rotate the role's password now, or join the rotation that is under way.",
    operations=(Operation.UPDATE,),
    fields={
        "expected_version": Field(
            INTEGER,
            "Rotate only if this is the published version, else 409: asked twice, it rotates once.",
            default=None,
            minimum=0,
        ),
        "rotation_id": Field(
            TEXT, "Only watch this rotation, by the id that an earlier answer told.", default=None, check=name_fault
        ),
        "wait": WAIT,
        "allow_security_token_wait": Field(
            BOOLEAN, "Rotate although the new security token may have to be handed in.", default=False
        ),
        "force": Field(BOOLEAN, "Rotate once more after the one that is under way.", default=False),
        "end_sessions": Field(
            BOOLEAN, "End the user's other sessions once the new version is published, as after a leak.", default=False
        ),
    },
    detail="""
`done` says that a new version is published; `version` and `kv_path` say where. Not done within `wait`: 200 with
done=false, and the rotation goes on. 5xx and 429 promise that none began. Who asks while one is under way joins it.

A password that leaked: end_sessions=true also ends the sessions that were opened with it, at least once, after the new
version is proven and published. They end by the connection's identity, or by the user's own session where its app opens
one; `history` and `status` say so where nobody may end them.

Next: where done is false, `vault read sf/status/<role>` says what it waits for, and the next step.
""".strip(),
    examples=(
        "vault write -f sf/rotate/crm",
        "vault write sf/rotate/crm expected_version=7 wait=0",
        "vault write sf/rotate/crm allow_security_token_wait=true",
        "vault write sf/rotate/crm end_sessions=true",
    ),
)
