"""Secrets that people hand in: one login proves them, then they are published."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import findings, machine
from vault_salesforce_sidecar.rotation.actions import Actions
from vault_salesforce_sidecar.rotation.asking import Situation, again, with_token_tried
from vault_salesforce_sidecar.rotation.beginning import check_token_fits
from vault_salesforce_sidecar.rotation.budget import LOCKOUT_SECONDS
from vault_salesforce_sidecar.rotation.chores import PUSH
from vault_salesforce_sidecar.rotation.journal import digest_of, fresh
from vault_salesforce_sidecar.rotation.machine import Request, Secret, State
from vault_salesforce_sidecar.rotation.parts import Account, PushFailed, open_account
from vault_salesforce_sidecar.rotation.roster import FIRST_TOKEN
from vault_salesforce_sidecar.rotation.start import Rotations
from vault_salesforce_sidecar.rotation.tokens import TOKEN
from vault_salesforce_sidecar.rotation.views import RESET_PAGE, RotationView
from vault_salesforce_sidecar.rotation.waiting import check_proven
from vault_salesforce_sidecar.store import Conflict, KvUnavailable, Stored

ENROL_SECONDS: Final = 45.0  # longer than any call: a role is stored after its proof, also when the client has left
_NOTHING: Final = SecretStr("")
Change = Callable[[Situation, JournalEntry], JournalEntry]
Allow = Callable[[Situation], None]


class HandedIn:
    """Proves what is handed in, through the same machine, budget and journal as every rotation."""

    def __init__(self, rotations: Rotations) -> None:
        self._rotations = rotations
        self._carrier, self._beginning = rotations.carrier, rotations.beginning
        self._parts, self._desk = rotations.carrier.parts, rotations.carrier.desk

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
        _check_secrets(account, password, token)
        self._desk.look(account)  # whose the account is, before anything is asked of the org
        self._check_user(account)
        self._make_entry(account)
        warnings = []
        if password is None:
            warnings.append(f"nothing is published until the first: {self._command('rotate', name)}")
        elif token is None and account.wants_token:
            self._wait_for_first_token(account, password, caller)
            warnings.append(f"version 1 is published when its security token comes by mail. {RESET_PAGE}")
        else:
            if token is not None and account.trusted:
                warnings.append("security_token is not used: from a trusted address a login proves nothing of it")
            warnings += self._prove_first(account, password, None if account.trusted else token, caller)
        try:
            self._parts.roles.put(name, role)
        except Conflict:
            raise CallerError(f"role {name!r} was created just now", status=HTTPStatus.CONFLICT) from None
        self._carrier.roster.know_role(name, role)
        self._owe_nothing(account)
        self._parts.changed()
        return tuple(warnings)

    def update(
        self,
        name: str,
        known: Stored[StaticRole],
        role: StaticRole,
        password: SecretStr | None,
        security_token: SecretStr | None,
    ) -> tuple[str, ...]:
        """Change a role. Secrets that infrastructure tools send again are ignored.

        Returns: Warnings.
        Raises: CallerError: 400 for other secrets, 409 where somebody changed the role in between. KvUnavailable.
        """
        account = open_account(self._parts, name, role)
        record = self._desk.look(account).record
        ignored = []
        for field, secret, first, current in (
            ("password", password, record.first_password, record.current_password),
            ("security_token", security_token, record.first_token, record.current_token),
        ):
            if not secret:
                continue
            if secret != current and digest_of(record, secret) != first:
                raise CallerError(
                    f"{field} of an existing role is not written here",
                    code="use_resync",
                    remedy=f"vault write {self._rotations.mount}/resync/{name} {field}=-",
                )
            ignored.append(f"{field} was ignored: the engine looks after it since the role was created")
        try:
            self._parts.roles.put(name, role, known.version)
        except Conflict:
            raise CallerError(
                f"role {name!r} was changed just now; read it again", status=HTTPStatus.CONFLICT
            ) from None
        self._carrier.roster.know_role(name, role)
        self._push_anew(account)
        return tuple(ignored)

    def security_token(self, role: str, token: SecretStr, caller: Caller, wait: float) -> RotationView:
        """Prove a new security token: with the candidate that waits for it, else with the current password.

        Raises: CallerError 404, 409; OperatorError 424; TransientError 429; KvUnavailable.
        """
        account = open_account(self._parts, role)
        if account.trusted:
            raise CallerError(
                "from a trusted address a login proves nothing of a security token",
                status=HTTPStatus.CONFLICT,
                code="trusted_address",
            )
        if not token:
            raise CallerError("security_token is empty")

        def allow(situation: Situation) -> None:
            check_token_fits(situation, self._rotations.mount)

        def change(situation: Situation, record: JournalEntry) -> JournalEntry:
            record = with_token_tried(self._renewed(situation, record, caller, TOKEN), token, mailed=False)
            return replace(record, wants_token=True)

        record = self._prove(account, Request.TOKEN, Secret(_NOTHING, token), wait=wait, change=change, allow=allow)
        if record.reason == machine.TOKEN_REFUSED:
            raise OperatorError(
                record.fault_cause or "the security token was refused",
                code=record.fault_code or None,
                remedy="hand in the newest token, or press Reset My Security Token as that user for another one",
            )
        check_proven(account, record, self._rotations.mount)
        return self._view(account, record)

    def resync(
        self,
        role: str,
        caller: Caller,
        *,
        password: SecretStr | None,
        security_token: SecretStr | None,
        try_: str | None,
        wait: float,
    ) -> RotationView:
        """Prove what is said to be true now, or what the engine holds, with one login each, and publish it.

        Raises: CallerError 400, 404, 409; OperatorError 424; TransientError 429; KvUnavailable.
        """
        account = open_account(self._parts, role)
        situation = self._desk.look(account)
        secrets = _to_try(situation, password or None, security_token or None, try_)
        deadline = self._parts.clock.monotonic() + wait

        def change(found: Situation, record: JournalEntry) -> JournalEntry:
            return self._renewed(found, record, caller, "resync")

        record = situation.record
        for number, secret in enumerate(secrets):
            try:
                left = max(0.0, deadline - self._parts.clock.monotonic())
                record = self._prove(account, Request.RESYNC, secret, wait=left, change=change)
            except TransientError:
                if number == 0:
                    raise
                break
            if State(record.state) not in (State.WITHDRAWN, State.STUCK):
                break
        check_proven(account, record, self._rotations.mount)
        return self._view(account, record)

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
            )

        record = self._prove(account, Request.RESYNC, secret, wait=ENROL_SECONDS, change=change)
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

    def _prove(
        self,
        account: Account,
        request: Request,
        secret: Secret,
        *,
        wait: float,
        change: Change,
        allow: Allow | None = None,
    ) -> JournalEntry:
        """Ask, carry on, and wait for the end; the entry then."""

        def allowed(situation: Situation) -> None:
            if allow is not None:
                allow(situation)
            self._check_not_refused(situation, secret)
            self._beginning.check_budget(situation)

        def changed(situation: Situation, record: JournalEntry) -> JournalEntry:
            record = change(situation, record)
            # Taken back at the end, unless it was refused.
            return replace(record, refused_digest=digest_of(record, secret), refused_at=self._parts.clock.now())

        run = self._desk.ask(account, request, secret, changed, allowed)
        self._carrier.carry(run)
        record = run.stored.record
        return self._rotations.waiting.until_rest(account, record.rotation_id, wait) or record

    def _renewed(self, situation: Situation, record: JournalEntry, caller: Caller, cause: str) -> JournalEntry:
        """A rotation of its own where nothing is in flight; else what is in flight goes on."""
        if situation.entry.candidate is not None:
            return again(record, caller, cause)
        return self._beginning.anew(situation, record, caller, cause)

    def _check_not_refused(self, situation: Situation, secret: Secret) -> None:
        record, now = situation.record, self._parts.clock.now()
        if not record.refused_at or record.refused_digest != digest_of(record, secret):
            return
        left = record.refused_at + timedelta(seconds=LOCKOUT_SECONDS) - now
        if left > timedelta(0):
            raise TransientError(
                "this very credential was refused not long ago; nothing was tried",
                status=HTTPStatus.TOO_MANY_REQUESTS,
                code="refused_before",
                remedy=record.fault_remedy or None,
                retry_after_seconds=int(left.total_seconds()) + 1,
            )

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

    def _push_anew(self, account: Account) -> None:
        """The plugin learns the lengths of leases from what is pushed; where it is away, the push is owed."""
        stored = self._carrier.reread(account.username)
        if stored is None or not stored.record.published_version:
            return
        try:
            self._carrier.chores.push(account.name, stored.record)
        except (PushFailed, KvUnavailable):
            owed = self._desk.edit(account, lambda found: _owing_push(found.record))
            if owed is not None:
                self._carrier.roster.note(owed)

    def _view(self, account: Account, record: JournalEntry) -> RotationView:
        return self._rotations.waiting.watch(account, record.rotation_id, 0, joined=False)

    def _command(self, verb: str, name: str) -> str:
        return f"vault write -f {self._rotations.mount}/{verb}/{name}"


def _check_secrets(account: Account, password: SecretStr | None, token: SecretStr | None) -> None:
    """Raises CallerError 400 where what is given cannot make a role."""
    role = account.role
    if password is None and role.self_managed:
        raise CallerError("password is missing: the user changes their own, and it begins with the one of now")
    if password is None and token is not None:
        raise CallerError("security_token without a password proves nothing")
    if role.verify == "record" and (role.self_managed or password is not None):
        raise CallerError("verify=record is for users that nobody logs in as: self_managed=false, and no password")
    missing = password is not None and token is None and account.wants_token
    if missing and role.security_token_from == "manual":  # noqa: S105 - where tokens come from
        raise CallerError("security_token is missing: security_token_from=manual")


def _to_try(
    situation: Situation, password: SecretStr | None, token: SecretStr | None, held: str | None
) -> list[Secret]:
    """The pairs to be proven, in order. Raises CallerError 400, 409 where there is none."""
    entry, account = situation.entry, situation.account
    published = entry.current if situation.is_foreign else situation.kv[0]
    if password is not None:
        if token is None and password == published.password:
            token = published.token
        return [Secret(password, None if account.trusted else token)]
    if token is not None:
        raise CallerError("a security_token alone is handed in at security-token/<role>")
    if held is not None:
        named = {"candidate": entry.candidate, "current": entry.current, "published": published}[held]
        secrets = [named] if named else []
    else:
        kept = [Secret(one.password, published.token) for one in situation.record.kept]
        secrets = [published, *([entry.candidate] if entry.candidate else []), *kept]
    secrets = [secret for secret in secrets if secret.password]
    if not secrets:
        raise CallerError(
            f"the engine holds no {held or 'password'} of role {account.name!r}", status=HTTPStatus.CONFLICT
        )
    return secrets


def _owing_push(record: JournalEntry) -> JournalEntry:
    return replace(record, owed=tuple(sorted({*record.owed, PUSH})))
