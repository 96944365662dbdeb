"""Secrets that people hand in: one login proves them, then they are published."""

from dataclasses import replace
from http import HTTPStatus
from typing import Final

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import machine
from vault_salesforce_sidecar.rotation.asking import Situation, with_token_tried
from vault_salesforce_sidecar.rotation.beginning import check_token_fits
from vault_salesforce_sidecar.rotation.chores import PUSH
from vault_salesforce_sidecar.rotation.enrolling import Enrolling
from vault_salesforce_sidecar.rotation.journal import digest_of
from vault_salesforce_sidecar.rotation.machine import Request, Secret
from vault_salesforce_sidecar.rotation.parts import Account, PushFailed, open_account
from vault_salesforce_sidecar.rotation.proving import Proving
from vault_salesforce_sidecar.rotation.start import Rotations
from vault_salesforce_sidecar.rotation.tokens import TOKEN, handed_in_token
from vault_salesforce_sidecar.rotation.views import RotationView
from vault_salesforce_sidecar.rotation.waiting import check_proven
from vault_salesforce_sidecar.store import Conflict, KvUnavailable, Stored

_NOTHING: Final = SecretStr("")
SERVED: Final = "served"  # what the mount serves, where KV holds less


class HandedIn(Proving):
    """Proves what is handed in, through the same machine, budget and journal as every rotation."""

    def __init__(self, rotations: Rotations) -> None:
        super().__init__(rotations)
        self.enrol = Enrolling(rotations).enrol

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
        ignored += self._rotations.replan(name)
        self._push_anew(account)
        return tuple(ignored)

    def security_token(
        self, role: str, given: SecretStr | None, caller: Caller, wait: float, mail: SecretStr | None = None
    ) -> RotationView:
        """Prove a new security token: with the candidate that waits for it, else with the current password.

        Args:
            role: Which role.
            given: The token, or None.
            caller: Who asks.
            wait: How many seconds to watch.
            mail: In place of the token, the whole mail that brought it.

        Raises: CallerError 400, 404, 409; OperatorError 424; TransientError 429; KvUnavailable.
        """
        account = open_account(self._parts, role)
        if account.trusted:
            raise CallerError(
                "from a trusted address a login proves nothing of a security token",
                status=HTTPStatus.CONFLICT,
                code="trusted_address",
            )
        token = handed_in_token(account, given, mail)

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
        situation = self._desk.look(account, behind=True)
        least = 0
        if try_ == SERVED:
            copy, least = _served(account, self._parts.served(role))
            secrets = [copy]
        else:
            secrets = secrets_to_try(situation, password or None, security_token or None, try_)
        deadline = self._parts.clock.monotonic() + wait

        def change(found: Situation, record: JournalEntry) -> JournalEntry:
            record = self._renewed(found, record, caller, "resync")
            return replace(record, published_version=max(least, record.published_version))

        record = self._prove_each(account, secrets, deadline, change)
        check_proven(account, record, self._rotations.mount)
        return self._view(account, record)

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


def _served(account: Account, found: tuple[Secret, int] | None) -> tuple[Secret, int]:
    """The mount's copy, and its version: the next one must be above it. Raises CallerError 409: there is none."""
    if found is None:
        raise CallerError(f"the mount serves nothing of role {account.name!r}", status=HTTPStatus.CONFLICT)
    copy, version = found
    return Secret(copy.password, None if account.trusted else copy.token), version


def secrets_to_try(
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
