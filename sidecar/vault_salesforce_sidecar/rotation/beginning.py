"""How a rotation begins: who may begin one, from which state, and with what."""

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, EngineError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import tokens
from vault_salesforce_sidecar.rotation.actions import Actions
from vault_salesforce_sidecar.rotation.asking import (
    IN_HAND,
    NO_ATTEMPTS_LEFT,
    Situation,
    again,
    begun,
    check_budget,
    is_fresh,
)
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.chores import HISTORY
from vault_salesforce_sidecar.rotation.holds import HELD, is_stoppable
from vault_salesforce_sidecar.rotation.journal import queued_by, with_queued
from vault_salesforce_sidecar.rotation.machine import FREE, REST, Request, Secret, State
from vault_salesforce_sidecar.rotation.parts import Account, open_account
from vault_salesforce_sidecar.rotation.passwords import new_password, unfit
from vault_salesforce_sidecar.rotation.roster import FIRST_TOKEN
from vault_salesforce_sidecar.rotation.runner import Run
from vault_salesforce_sidecar.rotation.triggers import LEASE, Verdict, judge
from vault_salesforce_sidecar.store import Stored

log = structlog.get_logger(__name__)


class Beginning:
    """Begins rotations, each by one check-and-set, and hands them to the carrier."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier, self._parts, self._desk = carrier, carrier.parts, carrier.desk

    def rotate(
        self,
        account: Account,
        caller: Caller,
        cause: str,
        *,
        allow_token_wait: bool = False,
        end_sessions: bool = False,
        rotation_id: str = "",
        allow: Callable[[Situation], None] = lambda _: None,
    ) -> Run:
        """Begin a rotation, or a new round of one that rests with its candidate.

        Args:
            account: Whose.
            caller: Who asked.
            cause: Why.
            allow_token_wait: Also where somebody may have to hand the new security token in.
            end_sessions: The user's other sessions end after it, also where the role does not say so.
            rotation_id: Its id; empty: a new one.
            allow: Raises where it must not be begun as things are.

        Raises: CallerError 409, TransientError 429, KvUnavailable: nothing was begun.
        """

        def allowed(situation: Situation) -> None:
            if situation.entry.state not in REST:
                return  # the table says no
            allow(situation)
            self._check_hold(situation)
            if is_fresh(situation.entry):
                self._check_fresh(situation, allow_token_wait=allow_token_wait)
            self.check_budget(situation)

        def change(situation: Situation, record: JournalEntry) -> JournalEntry:
            ends = end_sessions or account.role.end_sessions
            if not is_fresh(situation.entry):
                return replace(again(record, caller, cause), end_sessions=ends or situation.record.end_sessions)
            # What was queued is this one, whoever comes first: it was promised once.
            record = self.anew(situation, record, caller, cause, rotation_id or situation.record.queued)
            lease = record.began if cause == LEASE else record.last_lease_rotation
            ends = ends or (situation.record.queued == record.rotation_id and situation.record.queued_end_sessions)
            return replace(record, last_lease_rotation=lease, way=account.way.value, end_sessions=ends)

        run = self._desk.ask(account, Request.ROTATE, Secret(self.new_password(account)), change, allowed)
        self._carrier.carry(run)
        return run

    def new_password(self, account: Account) -> SecretStr:
        """A candidate by the role's policy. Raises: OperatorError 424: Vault's policy makes none that can be sent."""
        policy = account.role.password_policy
        if not policy:
            return new_password(account.username)
        password = self._parts.password_from_policy(policy)
        if fault := unfit(password):
            raise OperatorError(
                f"Vault's password policy {policy!r} does not do for Salesforce: {fault}",
                code="password_policy",
                remedy="mend that policy, or leave the role's password_policy empty for the built-in one",
            )
        return password

    def trigger(
        self, role: str, cause: str, version: int | None, rotation_id: str | None, caller: Caller | None = None
    ) -> bool:
        """Begin for a trigger, if it may; False: not now. Raises: KvUnavailable, EngineError."""
        who = caller if caller and caller.display_name else Caller(display_name=cause)
        known = self._carrier.roster.role(role)
        if known is not None and self._parts.holds.waits(role, known.config):
            return False
        try:
            account = open_account(self._parts, role)
        except CallerError as exc:
            return exc.status == HTTPStatus.NOT_FOUND
        self._carrier.roster.know_role(role, account.role)

        def verdict(situation: Situation) -> Verdict:
            now = self._parts.clock.now()
            return judge(account.role, situation.record, cause, version=version, rotation_id=rotation_id, now=now)

        def allow(situation: Situation) -> None:
            if verdict(situation) is not Verdict.BEGIN:
                raise CallerError("not now", status=HTTPStatus.CONFLICT)

        situation = self._desk.look(account)
        if situation.stored is not None:
            self._carrier.roster.note(situation.stored)
        first = verdict(situation)
        if first is not Verdict.BEGIN:
            return first is Verdict.VOID
        try:
            self.rotate(account, who, cause, allow=allow)
        except EngineError:
            return False
        return True

    def queued(self, account: Account, stored: Stored[JournalEntry]) -> None:
        """Begin the rotation that was asked for while another one ran; where it may not be, the history says why.

        Raises: TransientError, KvUnavailable, Conflict: it stays queued.
        """
        queued = stored.record.queued
        if not queued or State(stored.record.state) not in FREE:
            return
        if self._parts.holds.waits(account.name, account.role.config):
            return  # it was promised, and is kept

        def allow(situation: Situation) -> None:
            if situation.record.queued != queued:
                raise CallerError("it has begun already", status=HTTPStatus.CONFLICT, code=IN_HAND)

        def drop(situation: Situation) -> JournalEntry | None:
            if situation.record.queued != queued:
                return None
            return with_queued(situation.record, "", Caller())

        caller = queued_by(stored.record)
        try:
            self.rotate(account, caller, "force", allow_token_wait=True, rotation_id=queued, allow=allow)
        except EngineError as exc:
            if exc.code in (IN_HAND, HELD):
                return
            if isinstance(exc, TransientError) and exc.code != NO_ATTEMPTS_LEFT:
                raise
            log.warning("a queued rotation is dropped", role=account.name, rotation_id=queued, reason=exc.sentence)
            now = self._parts.clock.now()
            dropped = begun(stored.record, caller, "force", queued)
            dropped = replace(dropped, began=now, since=now, state=State.WITHDRAWN.value, reason=exc.sentence)
            self._carrier.chores.remember(dropped)  # its id was given out
            self._desk.edit(account, drop)

    def anew(
        self, situation: Situation, record: JournalEntry, caller: Caller, cause: str, rotation_id: str = ""
    ) -> JournalEntry:
        """The record of a rotation that begins; the one before is written into the history first, if that is owed."""
        if HISTORY in record.owed:
            self._carrier.chores.remember(situation.record)
        account = situation.account
        # A token changes no password: the mails that counted before still count, and each is tried once.
        same_mails = situation.record.reason == FIRST_TOKEN or cause == tokens.TOKEN
        return replace(
            begun(record, caller, cause, rotation_id),
            mailbox_mark=record.mailbox_mark if same_mails else None,
            tokens_tried=record.tokens_tried if same_mails else (),
            began=self._parts.clock.now(),
            owed=tuple(chore for chore in record.owed if chore != HISTORY),
            wants_token=account.wants_token or (record.wants_token and not account.trusted),
            role=account.name,
            username=account.username,
        )

    def check_budget(self, situation: Situation) -> None:
        """Raises TransientError 429 where no login may be made."""
        account = situation.account
        if account.role.verify == "record" and not account.by_app:
            return
        actions = Actions(account, self._carrier.credentials, self._parts.clock, lambda: None, self._parts.counted)
        check_budget(situation, lambda: actions.failed_logins(situation.record.forgiven), self._carrier.mount)

    def _check_hold(self, situation: Situation) -> None:
        """Raises CallerError 409 where the connection is held, and nothing was sent that would have to be finished."""
        entry, config = situation.entry, situation.account.role.config
        held = self._parts.holds.check(config) if is_fresh(entry) or is_stoppable(entry) else None
        if held is not None:
            raise held.refusal(self._carrier.mount)

    def _check_fresh(self, situation: Situation, *, allow_token_wait: bool) -> None:
        account, record, mount = situation.account, situation.record, self._carrier.mount
        if record.reason == FIRST_TOKEN:
            raise CallerError(
                f"role {account.name!r} waits for its first security token",
                status=HTTPStatus.CONFLICT,
                code="wrong_state",
                remedy="press Reset My Security Token as that user",
            )
        check_published(situation, mount)
        if account.role.self_managed and not situation.kv[0].password:
            raise CallerError(
                f"no password of role {account.name!r} is known that its user could change",
                status=HTTPStatus.CONFLICT,
                code="unpublished",
                remedy=f"vault write {mount}/resync/{account.name} password=-",
            )
        self.check_gate(situation, allow_token_wait=allow_token_wait)

    def check_gate(self, situation: Situation, *, allow_token_wait: bool) -> None:
        """Raises CallerError 409 where a rotation may leave consumers without a token, and nobody said that it may."""
        account, record, mount = situation.account, situation.record, self._carrier.mount
        trusted, mailbox = account.trusted, account.mailbox is not None
        why = tokens.gate(account.role, record, trusted=trusted, mailbox=mailbox)
        if why is not None and not allow_token_wait:
            raise CallerError(
                f"rotating role {account.name!r} might leave its consumers without a security token: {why}; "
                "set allow_security_token_wait=true to rotate all the same",
                status=HTTPStatus.CONFLICT,
                code="allow_security_token_wait",
                remedy=f"vault write {mount}/rotate/{account.name} allow_security_token_wait=true",
            )


def check_published(situation: Situation, mount: str) -> None:
    """Raises CallerError 409 where KV's newest version is not ours: it is never logged in with."""
    if situation.is_foreign:
        name = situation.account.name
        raise CallerError(
            f"the newest KV version of {name!r} is not one that this engine published",
            status=HTTPStatus.CONFLICT,
            code="foreign_version",
            remedy=f"vault write {mount}/resync/{name} try=current",
        )


def check_token_fits(situation: Situation, mount: str) -> None:
    """Raises CallerError 409 where a new token would be tried with a password, at rest, that is not ours."""
    if situation.entry.state in FREE and situation.record.reason != FIRST_TOKEN:
        check_published(situation, mount)
