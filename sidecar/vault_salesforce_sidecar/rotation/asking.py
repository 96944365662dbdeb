"""Requests on an account: each is one check-and-set on its journal entry, and acknowledged after it."""

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import machine
from vault_salesforce_sidecar.rotation.budget import LOCKOUT_SECONDS, logins_left
from vault_salesforce_sidecar.rotation.credentials import Credentials, Found
from vault_salesforce_sidecar.rotation.findings import EXPIRED
from vault_salesforce_sidecar.rotation.foreign import KvFault, is_foreign, kv_fault
from vault_salesforce_sidecar.rotation.journal import (
    Journal,
    digest_of,
    fresh,
    machine_entry,
    with_entry,
    with_fault,
    with_queued,
)
from vault_salesforce_sidecar.rotation.machine import FREE, REST, Entry, Request, Secret, State
from vault_salesforce_sidecar.rotation.parts import Account, Parts
from vault_salesforce_sidecar.rotation.runner import Run, charged_ahead, hold_seconds
from vault_salesforce_sidecar.store import Conflict, KvUnavailable, Stored

IN_HAND: Final = "in_hand"  # code of the error for a request that a rotation under way stands against
NO_ATTEMPTS_LEFT: Final = "no_attempts_left"
_TRIES: Final = 8
_LAG_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = (0.0, 0.5, 1.0)  # before each look whether a write happened that Vault did not speak of


class OutcomeUnknown(OperatorError):  # noqa: N818 - what happened, as a fact
    """Vault did not say whether a request was written down: it may have begun. No 5xx, which promises the opposite."""

    def __init__(self) -> None:
        super().__init__(
            "Vault did not say whether the request was written down: what was asked may have begun",
            code="outcome_unknown",
            remedy="read the role's status before asking again",
        )


@dataclass(frozen=True)
class Situation:
    """An account as it is now: the entry was read first, then what KV holds.

    Attributes:
        account: The account.
        stored: Its entry; None: there is none yet.
        record: The entry, or a fresh one.
        found: What KV holds.
    """

    account: Account
    stored: Stored[JournalEntry] | None
    record: JournalEntry
    found: Found

    @property
    def entry(self) -> Entry:
        """The machine's part of the entry."""
        return machine_entry(self.record)

    @property
    def is_foreign(self) -> bool:
        """Whether KV's newest version is not the one that we published last: somebody wrote, or deleted, there."""
        return is_foreign(self.record, self.found)

    @property
    def kv(self) -> tuple[Secret, int]:
        """What a rotation starts from: KV's pair and version; where nothing is published yet, what the entry knows."""
        expired = self.record.fault_code == EXPIRED.code and self.record.state == State.WITHDRAWN
        is_behind = self.found.version < self.record.published_version
        if self.record.published_version and self.found.secret is not None and not expired and not is_behind:
            return self.found.secret, self.found.version
        return self.entry.current, self.found.version


class Desk:
    """Writes requests into the journal.

    Args:
        parts: The world.
        journal: The entries.
        credentials: What KV holds.
        least_hold_seconds: See `runner.hold_seconds`.
    """

    def __init__(self, parts: Parts, journal: Journal, credentials: Credentials, least_hold_seconds: int) -> None:
        self._parts, self._journal, self._credentials = parts, journal, credentials
        self._least_hold_seconds = least_hold_seconds

    def look(self, account: Account, *, behind: bool = False) -> Situation:
        """The account as it is now.

        Args:
            account: Whose.
            behind: Also where KV holds less than was published, and goes on to.

        Raises:
            CallerError: 409: the account belongs to another role.
            OperatorError: This release cannot read the entry.
            TransientError: KV lags behind the entry.
            KvUnavailable: Vault did not say.
        """
        stored = self._journal.get(account.username)
        record = stored.record if stored else fresh(account.username, account.name)
        if record.role != account.name and record.state != State.DELETED and self._owns(record):
            raise CallerError(
                f"the user {account.username!r} belongs to role {record.role!r}",
                status=HTTPStatus.CONFLICT,
                code="account_taken",
            )
        # What waits for a person keeps its secrets in the entry, and needs of KV the number alone on which to write.
        behind = behind or record.state in (State.STUCK, State.AWAITING_TOKEN)
        return Situation(account, stored, record, self._read_kv(account, record, behind=behind))

    def ask(
        self,
        account: Account,
        request: Request,
        secret: Secret | None,
        change: Callable[[Situation, JournalEntry], JournalEntry] = lambda _, record: record,
        allow: Callable[[Situation], None] = lambda _: None,
    ) -> Run:
        """Ask something of an account that is at rest, and hold it from then on.

        Args:
            account: Whose.
            request: What.
            secret: As for `machine.ask`.
            change: Adds to the record what the machine does not know.
            allow: Raises where it must not be done as things are.

        Raises:
            CallerError: 409: the account is in hand, or not in a state for this.
            TransientError: 429: no attempt is left; nothing was done.
            KvUnavailable: Vault does not answer; nothing was begun.
            OutcomeUnknown: Vault did not say whether it was written.
        """
        for _ in range(_TRIES):
            # What is handed in, or was kept, is proven by a login, and published above whatever was.
            situation = self.look(account, behind=request is Request.RESYNC)
            _check_settled(situation.record)
            allow(situation)
            asked = machine.ask(situation.entry, request, secret, situation.kv)
            if asked is None:
                raise not_now(account.name, situation.record)
            now = self._parts.moment(hold_seconds(account, self._least_hold_seconds))
            asked, charged = charged_ahead(asked, account.role, may_look=account.reads_record)
            record = change(situation, with_entry(situation.record, asked, now))
            at = self._parts.clock.monotonic()
            stored = self._put(situation, record)
            if stored is not None:
                return Run(account, stored, at, charged=charged)
        raise TransientError("somebody else is writing this account's entry", code="busy", retry_after_seconds=1)

    def edit(self, account: Account, change: Callable[[Situation], JournalEntry | None]) -> Stored[JournalEntry] | None:
        """Write the entry without beginning anything; `change` returns None where nothing is to be written."""
        for _ in range(_TRIES):
            situation = self.look(account)
            record = change(situation)
            if record is None:
                return situation.stored
            stored = self._put(situation, record)
            if stored is not None:
                return stored
        raise TransientError("somebody else is writing this account's entry", code="busy", retry_after_seconds=1)

    def _put(self, situation: Situation, record: JournalEntry) -> Stored[JournalEntry] | None:
        """Write on top of what was read; None: somebody else did.

        Where Vault does not say whether it wrote, it is looked up: a 5xx promises that nothing was begun.

        Raises:
            KvUnavailable: It was not written, and will not be; of the first entry of an account: as far as was seen.
            OutcomeUnknown: It may have been written, or may be yet.
        """
        username = situation.account.username
        try:
            return self._journal.put(username, record, situation.stored.version if situation.stored else None)
        except Conflict:
            return None
        except KvUnavailable as lost:
            written = None if lost.nothing_done else self._look_up(username, record, situation.stored)
            if written is None:
                raise
            return written

    def _look_up(
        self, username: str, record: JournalEntry, before: Stored[JournalEntry] | None
    ) -> Stored[JournalEntry] | None:
        """What became of a write that Vault did not speak of, and that may still be on its way.

        Returns: What was written; None: it was not. Then what was there before is written once more, so that nothing
            that arrives later fits; only the first entry of an account has nothing before it.
        Raises: OutcomeUnknown.
        """
        for seconds in _LOOK_SECONDS:
            self._parts.clock.wait(threading.Event(), seconds)
            with suppress(Conflict, KvUnavailable):
                found = self._journal.get(username)
                if found is not None and found.record == record:
                    return found
                if before is not None and found is not None and found.version == before.version:
                    self._journal.put(username, before.record, before.version)
                return None
        if before is None:
            return None
        raise OutcomeUnknown

    def _owns(self, record: JournalEntry) -> bool:
        role = self._parts.roles.get(record.role)
        return role is not None and role.record.username.lower() == record.username.lower()

    def beside_kv(self, role: str, username: str, mount: str) -> tuple[Stored[JournalEntry] | None, KvFault | None]:
        """The entry, and what is wrong with KV beside it; both are read again where the entry moved meanwhile.

        Raises: KvUnavailable: whether all is well is not known, and not claimed.
        """
        stored = self._journal.get(username)
        for _ in range(_TRIES):
            if stored is None or stored.record.role != role:
                return stored, None
            kv_path = f"{self._parts.kv_mount}/creds/{role}"
            fault = kv_fault(stored.record, self.newest(role, stored.record), mount=mount, kv_path=kv_path)
            again = self._journal.get(username) if fault else stored
            if fault is None or (again is not None and again.version == stored.version):
                return stored, fault
            stored = again
        raise KvUnavailable(f"the journal entry of {username} changes while it is read")

    def newest(self, role: str, record: JournalEntry) -> Found:
        """What KV holds of the role; a standby that lags behind the role's entry is asked again.

        Raises: KvUnavailable.
        """
        for _ in range(_TRIES):
            found = self._credentials.read(role)
            if record.role != role or found.version >= record.published_version:
                break
            self._parts.clock.wait(threading.Event(), _LAG_SECONDS)
        return found

    def _read_kv(self, account: Account, record: JournalEntry, *, behind: bool) -> Found:
        found = self.newest(account.name, record)
        if record.role == account.name and found.version < record.published_version and not behind:
            raise TransientError(
                f"KV shows version {found.version} of {account.name!r}, the journal names {record.published_version}",
                code="kv_behind",
                remedy=f"ask again; where it stays so, status/{account.name} says what to do",
                retry_after_seconds=1,
            )
        return found


def _check_settled(record: JournalEntry) -> None:
    """Raises TransientError while the role is on its way to another account."""
    if record.moving_to or record.moved_from:
        raise TransientError(
            f"role {record.role!r} is being moved to another user name", code="busy", retry_after_seconds=5
        )


def begun(record: JournalEntry, caller: Caller, cause: str, rotation_id: str = "") -> JournalEntry:
    """The record of a rotation that begins: a new id, who asked, and nothing of the one before."""
    return replace(
        with_queued(_asked_by(record, caller, cause), "", Caller()),
        rotation_id=rotation_id or new_rotation_id(),
        evidence="",
        way="",
        end_sessions=False,
        sessions="",
        mark="",
        token_mailed=False,
    )


def again(record: JournalEntry, caller: Caller, cause: str) -> JournalEntry:
    """The record of a new round with the same candidate: a token that was tried before the round may be tried again."""
    return replace(_asked_by(record, caller, cause), tokens_tried=())


def with_token_tried(record: JournalEntry, token: SecretStr, *, mailed: bool) -> JournalEntry:
    """The record in which this token counts as tried."""
    tried = {*record.tokens_tried, digest_of(record, token)}
    return replace(record, tokens_tried=tuple(sorted(tried)), token_mailed=mailed)


def new_rotation_id() -> str:
    """A random id."""
    return secrets.token_hex(16)


def not_now(role: str, record: JournalEntry) -> CallerError:
    """The error for a request that does not fit the state."""
    state = State(record.state)
    if state not in REST:
        return CallerError(f"role {role!r} is being rotated", status=HTTPStatus.CONFLICT, code=IN_HAND)
    words = state.value.replace("_", " ")
    return CallerError(f"role {role!r} is {words}", status=HTTPStatus.CONFLICT, code="wrong_state")


def check_budget(situation: Situation, failed_logins: Callable[[], int | None], mount: str) -> None:
    """Raises TransientError 429 where no login may be made; the org's own counter has the last word."""
    if logins_left(situation.record.charges):
        return
    counted = failed_logins()
    if counted is not None and logins_left(counted):
        return
    raise no_attempts_left(situation.account, mount)


def no_attempts_left(account: Account, mount: str) -> TransientError:
    """The error for a login that was not made; its remedy also serves a role that could not be created."""
    return TransientError(
        f"no login is left for {account.username!r}: one more failure might lock the user; nothing was done",
        status=HTTPStatus.TOO_MANY_REQUESTS,
        code=NO_ATTEMPTS_LEFT,
        remedy=f"see in Salesforce that the user is not locked, then: "
        f"vault write {mount}/unlock/{account.name} username={account.username}",
        retry_after_seconds=LOCKOUT_SECONDS,
    )


def is_fresh(entry: Entry) -> bool:
    """Whether a rotate begins a new rotation here, with a new candidate."""
    return entry.state in FREE or (entry.state is State.STUCK and entry.candidate is None)


def _asked_by(record: JournalEntry, caller: Caller, cause: str) -> JournalEntry:
    """The record with who asked last, why, and without what went wrong before."""
    asked = replace(
        record,
        cause=cause,
        request_id=caller.request_id,
        display_name=caller.display_name,
        entity_id=caller.entity_id,
        accessor=caller.accessor,
    )
    return with_fault(asked, None)


def begins(situation: Situation, expected: int) -> bool:
    """Whether a rotation from this version may begin, or one is in flight or done. Raises CallerError 409: neither."""
    told = machine.answer(situation.entry, situation.found.version, expected)
    if told is machine.Answer.MISMATCH:
        raise _stale(situation, expected)
    return told is machine.Answer.BEGIN


def check_version(situation: Situation, expected: int | None) -> None:
    """Raises CallerError 409 unless a rotation from this version may begin; None: from any."""
    if expected is not None and not begins(situation, expected):
        raise CallerError("it has begun already", status=HTTPStatus.CONFLICT, code=IN_HAND)


def _stale(situation: Situation, expected: int) -> CallerError:
    return CallerError(
        f"the published version of {situation.account.name!r} is {situation.found.version}, not {expected}",
        status=HTTPStatus.CONFLICT,
        code="stale_version",
        remedy="read the credential again",
    )
