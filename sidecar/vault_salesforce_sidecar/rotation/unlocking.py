"""Unlocking: failed logins are counted from zero again, on the operator's word."""

from dataclasses import replace
from http import HTTPStatus

import structlog

from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.log import asked_by
from vault_salesforce_sidecar.records.history_entry import UNLOCKED
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import machine
from vault_salesforce_sidecar.rotation.asking import Situation, not_now
from vault_salesforce_sidecar.rotation.beginning import Beginning
from vault_salesforce_sidecar.rotation.budget import logins_left
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.journal import with_fault
from vault_salesforce_sidecar.rotation.machine import REST, Request, State
from vault_salesforce_sidecar.rotation.parts import open_account
from vault_salesforce_sidecar.store import Conflict

log = structlog.get_logger(__name__)

CAUSE = "unlock"
# Reasons for which a rotation that sent nothing rests, and that are over once logins may be made again.
_FOR_WANT_OF_LOGINS = frozenset({machine.NO_ATTEMPTS, machine.DOOR_SHUT})


class Unlocking:
    """Unlocks accounts; each time is in the role's history and in the log."""

    def __init__(self, carrier: Carrier, beginning: Beginning) -> None:
        self._carrier, self._beginning = carrier, beginning
        self._parts = carrier.parts

    def unlock(self, role: str, caller: Caller, username: str | None = None) -> None:
        """See `Rotations.unlock`."""
        if username is not None and self._parts.roles.get(role) is None:
            self._forgive(role, username, caller)
            return
        account = open_account(self._parts, role)
        if username is not None and username.lower() != account.username.lower():
            raise CallerError(f"the role {role!r} is another user's: leave username out")

        def change(situation: Situation) -> JournalEntry:
            asked = machine.ask(situation.entry, Request.UNLOCK, None, situation.kv)
            if asked is None:
                raise not_now(role, situation.record)
            return _forgiven(situation.record)

        stored = self._carrier.desk.edit(account, change)
        if stored is None:
            return
        self._carrier.roster.note(stored)
        self._note(stored.record, caller)
        if State(stored.record.state) is State.STUCK and stored.record.candidate_password is not None:
            self._beginning.rotate(account, caller, CAUSE)

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


def _forgiven(record: JournalEntry) -> JournalEntry:
    stood_in_the_way = not logins_left(record.charges) and record.reason in _FOR_WANT_OF_LOGINS
    if record.state == State.WITHDRAWN and stood_in_the_way:
        record = replace(with_fault(record, None), reason="")
    return replace(record, charges=0, tokens_tried=(), refused_digest="", not_before=None)
