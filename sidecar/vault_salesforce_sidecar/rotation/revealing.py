"""Break-glass: every secret that is held of an account, told only once the reading is in the role's history."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog

from vault_plugin_sdk.framework.coerce import jsonable
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.log import asked_by
from vault_salesforce_sidecar.records.history_entry import REVEALED
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.budget import logins_left
from vault_salesforce_sidecar.rotation.credentials import Found
from vault_salesforce_sidecar.rotation.journal import machine_entry
from vault_salesforce_sidecar.rotation.machine import (
    CHANGED_OUTSIDE,
    CURRENT,
    CURRENT_REFUSED,
    FOREIGN_VERSION,
    FREE,
    OUT_OF_TRIES,
    Entry,
    Fate,
    State,
)
from vault_salesforce_sidecar.rotation.start import Rotations

log = structlog.get_logger(__name__)

OLD, NEW, GIVEN, KEPT = "current_password", "candidate_password", "given_password", "kept"


@dataclass(frozen=True)
class Likely:
    """Where the live password is looked for by hand: every login that fails brings the user nearer to being locked.

    Attributes:
        first: The members of the journal entry to try, likeliest first.
        why: Why in this order, as a sentence.
    """

    first: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Revealed:
    """What is held of an account.

    Attributes:
        record: Its journal entry.
        published: What KV holds of the role; None where that is of another account.
    """

    record: JournalEntry
    published: Found | None

    def to_data(self) -> dict[str, Any]:
        """The answer, secrets included; the entry's own members are called as in the journal."""
        record, found = self.record, self.published
        told = likely(machine_entry(record))
        members: dict[str, Any] = {
            "role": record.role,
            "username": record.username,
            "state": record.state,
            "reason": record.reason,
            "since": record.since,
            "rotation_id": record.rotation_id,
            "fate": record.fate,
            "logins_left": logins_left(record.charges),
            "try_first": told.first,
            "why": told.why,
            "current_password": record.current_password,
            "current_token": record.current_token,
            "candidate_password": record.candidate_password,
            "candidate_token": record.candidate_token,
            "given_password": record.given_password,
            "given_token": record.given_token,
            "kept": [{"password": one.password.reveal(), "until": jsonable(one.until)} for one in record.kept],
        }
        if found is not None and found.secret is not None:
            members |= {
                "published_password": found.secret.password,
                "published_token": found.secret.token,
                "published_version": found.version,
                "last_vault_rotation": found.last_rotation,
            }
        return {name: _json(value) for name, value in members.items() if value or value == 0}


class Revealing:
    """Reveals what the journal and KV hold of one account at a time."""

    def __init__(self, rotations: Rotations) -> None:
        self._carrier, self._parts = rotations.carrier, rotations.carrier.parts

    def reveal(self, role: str, caller: Caller, username: str | None = None) -> Revealed:
        """Every secret of a role's account, in whatever state it is; of a deleted role as long as they are kept.

        Args:
            role: Whose.
            caller: Who reads; the reading is in the role's history and in the log before this returns.
            username: The account, where the role had another one before.

        Raises:
            CallerError: 404: nothing is held under that name.
            OperatorError: 503: the entry cannot be read, or the reading not be noted; nothing is revealed.
            Conflict, KvUnavailable: The reading could not be noted, or Vault did not say; nothing is revealed.
        """
        known = self._parts.roles.get(role)
        account = username or (known.record.username if known else self._former_account(role))
        stored = self._carrier.reread(account) if account else None
        if stored is None or stored.record.role != role:
            raise CallerError(
                f"no secret is held of an account of the role {role!r}",
                status=HTTPStatus.NOT_FOUND,
                code="nothing_held",
                remedy="name the account: username=<login name>",
            )
        record = stored.record
        is_its_own = known is None or known.record.username.lower() == record.username.lower()
        revealed = Revealed(record, self._carrier.credentials.read(role) if is_its_own else None)
        self._note(record, caller)
        return revealed

    def _former_account(self, role: str) -> str | None:
        """The account that a deleted role had last."""
        records = [seen.record for seen in self._carrier.roster.entries() if seen.record.role == role]
        last = max(records, key=lambda record: record.since or self._parts.clock.now(), default=None)
        return last.username if last else None

    def _note(self, record: JournalEntry, caller: Caller) -> None:
        reason = f"the secrets of {record.username} were read"
        try:
            self._carrier.chores.note_request(record, caller, cause="reveal", outcome=REVEALED, reason=reason)
        except ValueError as exc:
            raise OperatorError(
                f"the history of the role {record.role!r} cannot be written: {exc}",
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                code="unreadable_history",
                remedy="run the release that wrote it, or a later one; or read the journal entry in Vault by hand",
            ) from exc
        log.warning(
            "secrets revealed",
            role=record.role,
            username=record.username,
            state=record.state,
            rotation_id=record.rotation_id,
            remote_address=caller.remote_address,
            **asked_by(caller),
        )


def likely(entry: Entry) -> Likely:
    """Which of the entry's secrets is live, as far as it can be known without a login. PURE."""
    if entry.state in FREE:
        return Likely((OLD,), "no change is under way")
    if entry.state is State.PUBLISHING:
        return Likely((GIVEN if entry.given else NEW,), "it has logged in, and was about to be published")
    if entry.state is State.DELETED:
        return Likely((OLD, KEPT), "the role was deleted; kept is what it knew besides, newest first")
    if entry.state is State.PROVING and entry.given:
        others = likely(entry._replace(given=None))
        return Likely((GIVEN, *others.first), f"somebody has just said that it is live; else {others.why}")
    if entry.resets:
        return Likely((KEPT,), "a reset was about to be sent; if it took effect, nobody knows the password")
    stuck_because = entry.reason if entry.state is State.STUCK else ""
    if stuck_because == FOREIGN_VERSION:
        return Likely((NEW,), "it has logged in; the version in KV is somebody else's")
    if stuck_because in (CURRENT_REFUSED, CHANGED_OUTSIDE) or entry.candidate is None:
        return Likely((OLD, KEPT), "no change of ours is open; if it fails, somebody else changed it, or locked it")
    if stuck_because == OUT_OF_TRIES:
        return Likely((OLD, NEW), "it still logged in after every change that was sent")
    return _of_change(entry)


def _of_change(entry: Entry) -> Likely:
    """Which of the old and the new password is live, by what is known of the changes sent."""
    if entry.fate is Fate.DONE:
        return Likely((NEW, OLD), "Salesforce said that it changed the password")
    if CURRENT in entry.refused:
        return Likely((NEW, OLD), "a change was sent, and the old password did not log in since")
    if entry.by_admin and entry.state is not State.APPLYING and entry.fate in (Fate.UNSENT, Fate.REFUSED):
        return Likely((KEPT, OLD), "an administrator's repair changed nothing; what was live before may be kept")
    # What is being applied may have been sent since this was written.
    if entry.state is not State.APPLYING and entry.fate is Fate.UNSENT:
        return Likely((OLD,), "no change was sent")
    if entry.state is not State.APPLYING and entry.fate is Fate.REFUSED:
        return Likely((OLD, NEW), "Salesforce said that it did not change the password")
    return Likely((NEW, OLD), "a change was sent, or was about to be, and no answer came")


def _json(value: Any) -> Any:
    return value.reveal() if isinstance(value, SecretStr) else jsonable(value)
