"""`hold` and `hold/<config>`: the brake, for all connections or for one."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from vault_plugin_sdk.framework.coerce import coerce
from vault_plugin_sdk.framework.fields import ABSENT, DURATION, REQUIRED, TEXT, TIME, Field
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation

LONGEST_REASON = 500
_SECONDS_OF_A_DATE = 1_000_000_000  # above it a number is seconds since 1970: no hold is meant to last thirty years


def until_of(text: str, now: datetime) -> datetime | None:
    """The time that a client means by a time or a duration from now; None for an empty text: no end.

    Raises: ValueError, whose text completes the sentence "until …".
    """
    if not text:
        return None
    with suppress(ValueError):
        seconds = int(coerce(DURATION, text))
        if seconds < _SECONDS_OF_A_DATE:
            return now + timedelta(seconds=seconds)
    try:
        until: datetime = coerce(TIME, text)
    except ValueError:
        raise ValueError("must be a time such as 2030-01-31T09:00:00Z, or a duration such as 4h") from None
    return until


def _until_fault(text: str) -> str | None:
    try:
        until_of(text, datetime.now(UTC))
    except ValueError as fault:
        return str(fault)
    return None


def _reason_fault(text: str) -> str | None:
    if not text.strip() or len(text) > LONGEST_REASON or not text.isprintable():
        return f"must be one line of at most {LONGEST_REASON} characters that says why"
    return None


_OPERATIONS = (Operation.CREATE, Operation.UPDATE, Operation.READ, Operation.DELETE)
_FIELDS = {
    "reason": Field(
        TEXT,
        "Why, in one line: whoever asks for a rotation is told; may be left out where a hold is changed.",
        default=ABSENT,
        initial=REQUIRED,
        check=_reason_fault,
    ),
    "until": Field(
        TEXT,
        "When it ends by itself: a time, or a duration from now, such as 4h; empty: when somebody ends it.",
        default=ABSENT,
        initial="",
        check=_until_fault,
    ),
}
_DETAIL = """
While a hold is on no change of a password begins, and no login is made for one. What has left is finished: a rotation
that has sent its change is carried on, so that no password is lost. Reads, leases and their renewal, resync,
security-token and unlock go on. `rotate` answers 409 with the reason and who held; leases that end and schedules wait,
and begin once the hold is over, spread over some time.

The engine pulls the brake itself, on one connection, where three of its accounts were refused for the same reason
within 15 minutes, and where the org behind the connection is not the one that it was: `cause` is then `same_fault` or
`another_org`. Such a hold has no end of its own. Deleting it lets rotations begin again; another org is accepted at
config/<name> alone, with organization_id.

Where Vault went back in time (`restored`), and where a sidecar was started with VAULT_SALESFORCE_START_HELD
(`start_held`), every connection is held, and nothing at all is done by itself, not even what has left is finished: no
login is made but for what a person asks for. Look with `vault-salesforce doctor --after-restore`, then delete the hold.
""".strip()

HOLD = Description(
    "hold/{config}",
    help="The brake for one connection: while it is on, no password of its roles is changed.",
    operations=(*_OPERATIONS, Operation.LIST),
    fields=_FIELDS,
    detail=f"{_DETAIL}\n\nNext: mend the cause, then `vault delete sf/hold/<config>`.",
    examples=(
        "vault write sf/hold/prod reason='release weekend' until=48h",
        "vault read sf/hold/prod",
        "vault list -detailed sf/hold",
        "vault delete sf/hold/prod",
    ),
)

HOLD_ALL = Description(
    "hold",
    help="The brake for all connections: while it is on, no password is changed.",
    operations=_OPERATIONS,
    fields=_FIELDS,
    detail=f"{_DETAIL}\n\nNext: mend the cause, then delete the hold.",
    examples=(
        "vault write sf/hold reason='Salesforce is under maintenance' until=2030-01-31T09:00:00Z",
        "vault read sf/hold",
        "vault delete sf/hold",
    ),
)
