"""A role moves to another account: its user was renamed in Salesforce, and the journal has one entry per login name.

The order is what makes it safe: the old entry says where to, and nothing begins from then on; the new one is a copy of
it; the role's own record, by check-and-set, decides; then the old entry loses its secrets. Whoever finds a move that
broke off ends it, one way or the other, by what the role's record says.
"""

from dataclasses import replace
from http import HTTPStatus

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.asking import Situation, not_now
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.journal import fresh, with_fault
from vault_salesforce_sidecar.rotation.machine import REST, State
from vault_salesforce_sidecar.rotation.parts import Account
from vault_salesforce_sidecar.store import Conflict, Stored

log = structlog.get_logger(__name__)

MOVED = "its role has another user name now"


class Moving:
    """Moves roles, and ends moves that broke off."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier, self._parts, self._journal = carrier, carrier.parts, carrier.journal

    def move(self, account: Account, known: Stored[StaticRole], username: str) -> Account:
        """Move a role that is at rest; what is claimed for the new name must be its already.

        Args:
            account: The role with the account that it has.
            known: The role's record.
            username: The new login name.

        Returns: The role with its new account.
        Raises: CallerError 409: it is in hand, or somebody else's. Conflict, KvUnavailable: ask again.
        """
        moved = replace(known.record, username=username)
        old = self._carrier.desk.edit(account, lambda situation: _leaving(situation, username))
        if old is None:
            raise not_now(account.name, fresh(account.username, account.name))
        self._carrier.roster.note(old)
        try:
            new = self._copy(old.record, username)
            self._parts.roles.put(account.name, moved, known.version)
        except (CallerError, Conflict):
            self.mend(account.username)
            self.mend(username)  # where somebody else has mended the old one, before the copy was there
            raise
        log.info("role moved", role=account.name, username=account.username, renamed_to=username)
        self._carrier.roster.know_role(account.name, moved)
        self._carrier.roster.note(new)
        self.mend(account.username)
        return replace(account, role=moved)

    def mend(self, username: str) -> None:
        """End what is left of a move in an account's entry. Raises: Conflict, KvUnavailable: it is left for later."""
        stored = self._carrier.reread(username)
        if stored is None or not (stored.record.moving_to or stored.record.moved_from):
            return
        record = stored.record
        role = self._parts.roles.get(record.role)
        owner = role.record.username.lower() if role else ""
        if role is not None and owner != (record.moving_to or record.username).lower():
            # Whoever still carries the move out finds that somebody wrote the role, and gives up.
            self._parts.roles.put(record.role, role.record, role.version)
        if record.moving_to:
            self.mend(record.moving_to)
        is_left_behind = owner == record.moving_to.lower() if record.moving_to else owner != record.username.lower()
        after = _retired(record) if is_left_behind else replace(record, moving_to="", moved_from="")
        self._carrier.roster.note(self._journal.put(username, after, stored.version))

    def _copy(self, old: JournalEntry, username: str) -> Stored[JournalEntry]:
        """The new account's entry: all that the old one says, and what was kept of the account. Raises: CallerError."""
        there = self._journal.get(username)
        copy = with_fault(replace(old, username=username, moving_to="", moved_from=old.username, renamed_to=""), None)
        if there is not None:
            self._check_free(there.record)
            mine = {one.password for one in old.kept}
            kept = (*old.kept, *(one for one in there.record.kept if one.password not in mine))
            copy = replace(copy, kept=kept, charges=max(old.charges, there.record.charges))
        return self._journal.put(username, copy, there.version if there else None)

    def _check_free(self, there: JournalEntry) -> None:
        owner = self._parts.roles.get(there.role)
        owned = owner is not None and owner.record.username.lower() == there.username.lower()
        if owned or State(there.state) not in REST:
            raise CallerError(
                f"the user {there.username!r} belongs to role {there.role!r}",
                status=HTTPStatus.CONFLICT,
                code="account_taken",
            )


def _leaving(situation: Situation, username: str) -> JournalEntry | None:
    state = situation.entry.state
    if situation.stored is None or state not in REST or state is State.DELETED:
        raise not_now(situation.account.name, situation.record)
    return replace(situation.record, moving_to=username)


def _retired(record: JournalEntry) -> JournalEntry:
    """The entry of an account without a role: its secrets are at home elsewhere."""
    return replace(
        fresh(record.username, record.role),
        state=State.DELETED.value,
        reason=MOVED,
        since=record.since,
        current_password=SecretStr(""),
        charges=record.charges,
        salt=record.salt,
        unknown=record.unknown,
    )
