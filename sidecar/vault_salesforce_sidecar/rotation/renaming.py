"""The Salesforce user of a role was renamed: the role follows, once it is shown that it is the same user."""

from dataclasses import replace
from http import HTTPStatus

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.log import asked_by
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.rotation.actions import Actions
from vault_salesforce_sidecar.rotation.asking import Situation, not_now
from vault_salesforce_sidecar.rotation.handed_in import secrets_to_try
from vault_salesforce_sidecar.rotation.machine import REST, Secret, State
from vault_salesforce_sidecar.rotation.moving import Moving
from vault_salesforce_sidecar.rotation.parts import Account, check_allowed, open_account
from vault_salesforce_sidecar.rotation.renamed import ID_LENGTH
from vault_salesforce_sidecar.rotation.start import Rotations
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent, OrgRefused, User

log = structlog.get_logger(__name__)


class Renaming:
    """Lets roles follow their users."""

    def __init__(self, rotations: Rotations) -> None:
        self._carrier, self._beginning = rotations.carrier, rotations.beginning
        self._parts, self._desk = rotations.carrier.parts, rotations.carrier.desk
        self._moving = Moving(rotations.carrier)

    def follow(
        self,
        role: str,
        username: str,
        caller: Caller,
        *,
        password: SecretStr | None = None,
        security_token: SecretStr | None = None,
    ) -> bool:
        """Move the role to the name that its user has now. What is published names it after the next `resync`.

        Args:
            role: Which.
            username: The name now; it is claimed for the role already.
            caller: Who asks.
            password: The user's password, where the engine does not know it.
            security_token: The token with it.

        Returns: Whether there was anything to do.

        Raises:
            CallerError: 404; 409 it is another user's name, the connection does not allow it, or the role is in hand.
            OperatorError: 424: nobody may look, and the login with the new name was refused.
            TransientError: 429: no login is left.
            Conflict, KvUnavailable: Ask again.
        """
        known = self._parts.roles.get(role)
        if known is None:
            raise CallerError(f"there is no role {role!r}", status=HTTPStatus.NOT_FOUND)
        if known.record.username.lower() == username.lower():
            return False
        account = open_account(self._parts, role)
        situation = self._desk.look(account)
        if situation.entry.state not in REST or situation.entry.state is State.DELETED:
            raise not_now(role, situation.record)
        renamed = replace(account, role=replace(account.role, username=username))
        check_allowed(role, renamed.role, account.config)
        user_id = self._seen(renamed)
        if user_id is None:
            secret = secrets_to_try(situation, password or None, security_token or None, None)[0]
            user_id = self._proven(account, username, secret)
        _check_same(situation.record, user_id, username)
        self._moving.move(account, known, username)
        log.info("role follows its user", role=role, renamed_to=username, **asked_by(caller))
        return True

    def _seen(self, account: Account) -> str | None:
        """The id of the user of that name, as the connection's identity sees it; None: nobody may look."""
        if not account.administered:
            return None
        actions = Actions(account, self._carrier.credentials, self._parts.clock, lambda: None, self._parts.counted)
        try:
            user: User | None = actions.find_user()
        except (OrgRefused, Lost, NotSent):
            return None
        if user is None:
            raise CallerError(
                f"the org has no user {account.username!r}", status=HTTPStatus.CONFLICT, code=findings.NO_USER.code
            )
        return user.user_id

    def _proven(self, account: Account, username: str, secret: Secret) -> str:
        """The id of the user who logs in with that name and what the engine holds: one login, charged beforehand."""

        def charge(situation: Situation) -> JournalEntry:
            if situation.entry.state not in REST:
                raise not_now(account.name, situation.record)
            self._beginning.check_budget(situation)
            return replace(situation.record, charges=situation.record.charges + 1)

        self._desk.edit(account, charge)
        try:
            session = account.org.log_in(username, secret.password, secret.token)
        except OrgRefused as refused:
            fault = refused.fault
            if not fault.counts:
                self._desk.edit(account, _taken_back)
            raise OperatorError(
                f"the login as {username} was refused: {fault.cause}", code=fault.code, remedy=fault.remedy
            ) from refused
        except NotSent as exc:
            self._desk.edit(account, _taken_back)
            raise _unreachable() from exc
        except Lost as exc:
            raise _unreachable() from exc
        self._desk.edit(account, lambda situation: replace(situation.record, charges=0))
        return session.user_id


def _check_same(record: JournalEntry, user_id: str, username: str) -> None:
    if record.user_id and record.user_id[:ID_LENGTH] != user_id[:ID_LENGTH]:
        raise CallerError(
            f"{username!r} is another user, {user_id}, and not {record.user_id}",
            status=HTTPStatus.CONFLICT,
            code="another_user",
            remedy="delete the role, and create it anew for that user",
        )


def _taken_back(situation: Situation) -> JournalEntry:
    return replace(situation.record, charges=max(0, situation.record.charges - 1))


def _unreachable() -> OperatorError:
    fault = findings.UNREACHABLE
    return OperatorError(fault.cause, code=fault.code, remedy=fault.remedy)
