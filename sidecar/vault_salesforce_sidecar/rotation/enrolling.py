"""Creating a role: look, prove the given credential with one login, publish it, store the role."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.rotation.actions import Actions
from vault_salesforce_sidecar.rotation.asking import Situation
from vault_salesforce_sidecar.rotation.chores import PUSH
from vault_salesforce_sidecar.rotation.journal import digest_of, fresh, with_fault
from vault_salesforce_sidecar.rotation.keepsakes import TAKEN_UP, USELESS, kept_secrets, put_back
from vault_salesforce_sidecar.rotation.machine import Request, Secret, State
from vault_salesforce_sidecar.rotation.parts import Account, open_account
from vault_salesforce_sidecar.rotation.proving import Proving
from vault_salesforce_sidecar.rotation.roster import FIRST_TOKEN
from vault_salesforce_sidecar.rotation.views import RESET_PAGE
from vault_salesforce_sidecar.rotation.waiting import check_proven
from vault_salesforce_sidecar.store import Conflict

ENROL_SECONDS: Final = 45.0  # longer than any call: a role is stored after its proof, also when the client has left


class Enrolling(Proving):
    """Makes roles."""

    def enrol(
        self,
        name: str,
        role: StaticRole,
        password: SecretStr | None,
        security_token: SecretStr | None,
        caller: Caller,
    ) -> tuple[str, ...]:
        """Create a role: look, prove the given credential with one login, publish it, store the role.

        Returns: Warnings.

        Raises:
            CallerError: 400 a secret is missing; 409 the account belongs to another role, or may not be used.
            OperatorError: 424: the login was refused, or cannot succeed; no role is stored.
            TransientError: 429: no login is left, or this very credential was refused not long ago.
            KvUnavailable: Vault did not say.
        """
        account = open_account(self._parts, name, role)
        password, token = password or None, security_token or None
        before = self._desk.look(account).record  # whose the account is, before anything is asked of the org
        kept = self._kept(account, before, token) if password is None and role.verify != "record" else []
        if not kept:
            _check_secrets(account, password, token)
        self._check_user(account)
        self._make_entry(account)
        warnings: list[str] = []
        if kept:
            warnings += self._prove_kept(account, kept, before, caller)
        elif password is None:
            warnings.append(f"nothing is published until the first: {self._command('rotate', name)}")
        elif token is None and account.wants_token:
            self._wait_for_first_token(account, password, caller)
            warnings.append(f"version 1 is published when its security token comes by mail. {RESET_PAGE}")
        else:
            if token is not None and account.trusted:
                warnings.append("security_token is not used: from a trusted address a login proves nothing of it")
            warnings += self._prove_or_keep(account, Secret(password, None if account.trusted else token), caller)
        try:
            self._parts.roles.put(name, role)
        except Conflict:
            raise CallerError(f"role {name!r} was created just now", status=HTTPStatus.CONFLICT) from None
        self._carrier.roster.know_role(name, role)
        self._owe_nothing(account)
        self._parts.changed()
        return tuple(warnings)

    def _prove_or_keep(self, account: Account, secret: Secret, caller: Caller) -> tuple[str, ...]:
        """Prove the credential; of a user who has no login, but an app, the first change of it is the proof."""
        if account.role.verify == "record":
            return self._keep_unproven(account, secret, caller)
        try:
            return self._prove_first(account, secret.password, secret.token, caller)
        except OperatorError as exc:
            if not account.by_app or account.role.verify != "auto" or exc.code not in findings.NO_WAY_IN:
                raise
            return self._keep_unproven(account, secret, caller)

    def _keep_unproven(self, account: Account, secret: Secret, caller: Caller) -> tuple[str, ...]:
        def change(situation: Situation) -> JournalEntry:
            record = self._beginning.anew(situation, situation.record, caller, "create")
            return replace(
                with_fault(record, None),
                state=State.WITHDRAWN.value,
                reason="",
                since=self._parts.clock.now(),
                current_password=secret.password,
                current_token=secret.token,
                first_password=digest_of(record, secret.password),
                refused_digest="",
                refused_at=None,
            )

        stored = self._desk.edit(account, change)
        if stored is not None:
            self._carrier.roster.note(stored)
        return (f"no login can prove the password: nothing is published until {self._command('rotate', account.name)}",)

    def _kept(self, account: Account, before: JournalEntry, token: SecretStr | None) -> list[Secret]:
        """What a deleted role of this name left for it; a token that is given goes with each."""
        kept = kept_secrets(before, account.name, account.config, self._parts.clock.now())
        return [Secret(one.password, None if account.trusted else token or one.token) for one in kept]

    def _prove_first(
        self, account: Account, password: SecretStr, token: SecretStr | None, caller: Caller
    ) -> tuple[str, ...]:
        secret = Secret(password, token)

        def change(situation: Situation, record: JournalEntry) -> JournalEntry:
            record = self._renewed(situation, record, caller, "create")
            return replace(
                record,
                first_password=digest_of(record, password),
                first_token=digest_of(record, token) if token else "",
                # Who gives one from an untrusted address says that a login from there needs one.
                wants_token=record.wants_token or token is not None,
            )

        record = self._prove(account, Request.RESYNC, secret, wait=ENROL_SECONDS, change=change)
        return self._of_first(account, record)

    def _prove_kept(
        self, account: Account, kept: Sequence[Secret], before: JournalEntry, caller: Caller
    ) -> tuple[str, ...]:
        """Prove what a deleted role left; in vain, and the entry is as it left it."""

        def change(situation: Situation, record: JournalEntry) -> JournalEntry:
            return self._renewed(situation, record, caller, "create")

        deadline = self._parts.clock.monotonic() + ENROL_SECONDS
        try:
            record = self._prove_each(account, kept, deadline, change)
            return (*self._of_first(account, record), TAKEN_UP)
        except (OperatorError, TransientError) as exc:
            if not account.role.self_managed and isinstance(exc, OperatorError):
                return (f"{USELESS}; {self._command('rotate', account.name)} sets another",)
            self._desk.edit(account, lambda found: _put_back(found, before))
            if isinstance(exc, TransientError):
                raise
            raise OperatorError(f"{USELESS}: {exc.sentence}", code=exc.code, remedy=exc.remedy) from exc

    def _of_first(self, account: Account, record: JournalEntry) -> tuple[str, ...]:
        """What a role is made with, once it is proven. Raises: as `enrol`."""
        if record.fault_code == findings.EXPIRED.code:
            return (f"{findings.EXPIRED.cause} {self._command('rotate', account.name)}",)
        check_proven(account, record, self._rotations.mount)
        if State(record.state) is not State.SETTLED:
            raise TransientError(
                f"the login of {account.username!r} is still under way; write the role again",
                code="under_way",
                retry_after_seconds=10,
            )
        return ()

    def _check_user(self, account: Account) -> None:
        """Look at the user, where the connection has an identity that may. Raises: OperatorError 424."""
        if not account.administered:
            return
        actions = Actions(account, self._carrier.credentials, self._parts.clock, lambda: None, self._parts.counted)
        fault = actions.look_at_user()
        if fault is not None:
            raise OperatorError(fault.cause, code=fault.code, remedy=fault.remedy)

    def _make_entry(self, account: Account) -> None:
        """Make the account's entry, or take over what a deleted role left; earlier passwords and charges stay."""

        def change(situation: Situation) -> JournalEntry | None:
            record = situation.record
            if situation.stored is None or (record.role == account.name and record.state != State.DELETED):
                return None if situation.stored else record
            if record.state == State.DELETED and record.owed:
                raise TransientError(
                    f"the deletion of role {record.role!r} is not finished", code="under_way", retry_after_seconds=5
                )
            return replace(
                fresh(account.username, account.name),
                kept=record.kept,
                charges=record.charges,
                salt=record.salt,
                sent_by=record.sent_by,
                refused_digest=record.refused_digest,
                refused_at=record.refused_at,
                token_seen=record.token_seen,
            )

        stored = self._desk.edit(account, change)
        if stored is not None:
            self._carrier.roster.note(stored)

    def _wait_for_first_token(self, account: Account, password: SecretStr, caller: Caller) -> None:
        mailbox = account.mailbox
        if mailbox is None:
            raise CallerError("security_token is missing: the connection has no mailbox that it could come by")
        try:
            mark = mailbox.mark()
        except MailboxUnavailable as exc:
            raise OperatorError(f"the mailbox cannot be read: {exc}", code="mailbox_unavailable") from exc

        def change(situation: Situation) -> JournalEntry:
            record = self._beginning.anew(situation, situation.record, caller, "create")
            return replace(
                record,
                state=State.WITHDRAWN.value,
                reason=FIRST_TOKEN,
                since=self._parts.clock.now(),
                current_password=password,
                current_token=None,
                mailbox_mark=mark,
                first_password=digest_of(record, password),
            )

        stored = self._desk.edit(account, change)
        if stored is not None:
            self._carrier.roster.note(stored)

    def _owe_nothing(self, account: Account) -> None:
        """The push of the first version waited for the role to be stored."""
        stored = self._carrier.reread(account.username)
        if stored is not None and PUSH in stored.record.owed:
            self._carrier.do_chores(stored)


def _check_secrets(account: Account, password: SecretStr | None, token: SecretStr | None) -> None:
    """Raises CallerError 400 where what is given cannot make a role."""
    role = account.role
    if password is None and role.self_managed:
        raise CallerError("password is missing: the user changes their own, and it begins with the one of now")
    if password is None and token is not None:
        raise CallerError("security_token without a password proves nothing")
    if role.verify == "record" and not account.by_app and (role.self_managed or password is not None):
        raise CallerError(
            "verify=record is for users that nobody logs in as: self_login=jwt_bearer, or self_managed=false and no "
            "password"
        )
    missing = password is not None and token is None and account.wants_token
    if missing and role.security_token_from == "manual":  # noqa: S105 - where tokens come from
        raise CallerError("security_token is missing: security_token_from=manual")


def _put_back(found: Situation, before: JournalEntry) -> JournalEntry | None:
    ours = found.entry.state is State.WITHDRAWN and found.record.role == before.role
    return put_back(found.record, before) if ours else None
