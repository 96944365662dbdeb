"""Unlocking: Salesforce's lock is cleared where somebody may, and failed logins are counted from zero again."""

from dataclasses import replace
from http import HTTPStatus

import structlog

from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.log import asked_by
from vault_salesforce_sidecar.records.history_entry import UNLOCKED
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import findings, machine
from vault_salesforce_sidecar.rotation.asking import Situation, not_now
from vault_salesforce_sidecar.rotation.beginning import Beginning
from vault_salesforce_sidecar.rotation.budget import forgivable, logins_left
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.holds import HELD
from vault_salesforce_sidecar.rotation.journal import with_fault
from vault_salesforce_sidecar.rotation.machine import REST, Request, State
from vault_salesforce_sidecar.rotation.parts import Account, open_account
from vault_salesforce_sidecar.rotation.sessions import Sessions
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent, OrgRefused, User
from vault_salesforce_sidecar.store import Conflict

log = structlog.get_logger(__name__)

CAUSE = "unlock"
RETRY_SECONDS = 10
LOCKS_UNSEEN = (
    "the connection's identity does not see whether the user is locked in Salesforce (that needs Manage Users): "
    "failed logins are counted from zero on your word"
)
# Reasons for which a rotation that sent nothing rests, and that are over once logins may be made again.
_FOR_WANT_OF_LOGINS = frozenset({machine.NO_ATTEMPTS, machine.DOOR_SHUT})


class Unlocking:
    """Unlocks accounts; each time is in the role's history and in the log."""

    def __init__(self, carrier: Carrier, beginning: Beginning) -> None:
        self._carrier, self._beginning = carrier, beginning
        self._parts = carrier.parts

    def unlock(self, role: str, caller: Caller, username: str | None = None) -> tuple[str, ...]:
        """See `Rotations.unlock`."""
        if username is not None and self._parts.roles.get(role) is None:
            self._forgive(role, username, caller)
            return ()
        account = open_account(self._parts, role)
        if username is not None and username.lower() != account.username.lower():
            raise CallerError(f"the role {role!r} is another user's: leave username out")

        def change(situation: Situation) -> JournalEntry:
            asked = machine.ask(situation.entry, Request.UNLOCK, None, situation.kv)
            if asked is None:
                raise not_now(role, situation.record)
            return replace(_forgiven(situation.record), forgiven=looked_into)

        looked_into = 0
        change(self._carrier.desk.look(account))  # before anything is asked of the org
        warnings = self._unlock_in_org(account) if account.administered else ()
        looked_into = self._looked_into(account)
        stored = self._carrier.desk.edit(account, change)
        if stored is None:
            return warnings
        self._carrier.roster.note(stored)
        self._note(stored.record, caller)
        if State(stored.record.state) is State.STUCK and stored.record.candidate_password is not None:
            try:
                self._beginning.rotate(account, caller, CAUSE)
            except CallerError as exc:
                if exc.code != HELD:  # then it is for whoever ends the hold to rotate it
                    raise
        return warnings

    def _looked_into(self, account: Account) -> int:
        """How much of the org's own count of failed logins in a row counts no more; 0 where nobody can read it.

        Raises: CallerError 409 where the user is not locked, and one more failure would lock them.
        """
        if not account.sees_record:
            return 0
        sessions = Sessions(account, self._parts.clock, lambda: None)
        user = sessions.glance()
        failed_logins = (user.failed_logins or 0) if user else 0
        if user is None or user.is_locked is not False:
            return failed_logins
        forgiven = forgivable(failed_logins, sessions.lockout_limit())
        if forgiven is None:
            raise CallerError(
                f"{account.username!r} is not locked, but one more failed login would lock them; nothing was changed",
                status=HTTPStatus.CONFLICT,
                code="last_login",
                remedy="end what logs in with a wrong password, and log in once as that user: that counts from zero",
            )
        return forgiven

    def _unlock_in_org(self, account: Account) -> tuple[str, ...]:
        """Clear the lock, if the identity sees one. Returns: A warning where it sees no locks at all."""
        org = account.org
        sessions = Sessions(account, self._parts.clock, lambda: None)
        try:
            user = _there(sessions.find_user(by_admin=True))
            user_id = user.user_id
            if user.is_locked:
                sessions.as_admin(lambda admin: org.unlock(admin, user_id))
                log.info("unlocked in Salesforce", role=account.name, username=account.username)
        except OrgRefused as refused:
            fault = refused.fault
            raise OperatorError(
                f"Salesforce did not unlock {account.username!r}, and nothing was changed: {fault.cause}",
                code=fault.code,
                remedy=fault.remedy,
            ) from refused
        except (Lost, NotSent) as exc:
            raise TransientError(
                f"Salesforce gave no answer about {account.username!r}; no failed login was counted anew",
                code="no_answer",
                retry_after_seconds=RETRY_SECONDS,
            ) from exc
        return (LOCKS_UNSEEN,) if user.is_locked is None else ()

    def _forgive(self, role: str, username: str, caller: Caller) -> None:
        """Clear the charges of an account whose role was refused when it was to be created."""
        journal = self._carrier.journal
        stored = journal.get(username)
        if stored is None or stored.record.role != role:
            raise CallerError(
                f"no role {role!r} was ever to be created for that user",
                status=HTTPStatus.NOT_FOUND,
                code="no_such_role",
            )
        if State(stored.record.state) not in REST:
            raise not_now(role, stored.record)
        try:
            journal.put(username, replace(stored.record, charges=0, refused_digest=""), stored.version)
        except Conflict:
            raise not_now(role, stored.record) from None
        self._note(stored.record, caller)

    def _note(self, record: JournalEntry, caller: Caller) -> None:
        log.info(
            "unlocked",
            role=record.role,
            username=record.username,
            **asked_by(caller),
        )
        reason = f"failed logins of {record.username} are counted from zero again"
        try:
            self._carrier.chores.note_request(record, caller, cause=CAUSE, outcome=UNLOCKED, reason=reason)
        except ValueError as exc:  # of a newer release, or spoilt
            log.warning("a history is left alone", role=record.role, reason=str(exc))


def _there(user: User | None) -> User:
    if user is None:
        raise OrgRefused(findings.NO_USER)
    return user


def _forgiven(record: JournalEntry) -> JournalEntry:
    stood_in_the_way = not logins_left(record.charges) and record.reason in _FOR_WANT_OF_LOGINS
    if record.state == State.WITHDRAWN and stood_in_the_way:
        record = replace(with_fault(record, None), reason="")
    return replace(record, charges=0, tokens_tried=(), refused_digest="", not_before=None)
