"""An administrator's repair: a new password for a stuck role's user, whose live one nobody knows any more."""

from dataclasses import replace
from http import HTTPStatus
from typing import Final

from vault_plugin_sdk.logical.errors import CallerError, OperatorError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.rotation.actions import Actions
from vault_salesforce_sidecar.rotation.asking import Situation, not_now
from vault_salesforce_sidecar.rotation.machine import Request, Secret, State
from vault_salesforce_sidecar.rotation.parts import Account, Way, check_named, open_account
from vault_salesforce_sidecar.rotation.start import Rotations
from vault_salesforce_sidecar.rotation.views import RotationView

CAUSE: Final = "resync"
SET, RESET = "set", "reset"
MENDS: Final = frozenset({SET, RESET})


class Mending:
    """Begins repairs; from then on they are rotations like any other, with a candidate of their own."""

    def __init__(self, rotations: Rotations) -> None:
        self._rotations, self._carrier = rotations, rotations.carrier
        self._parts = rotations.carrier.parts

    def mend(self, role: str, caller: Caller, how: str, wait: float) -> RotationView:
        """Have the connection's identity give a stuck role's user a new password, and prove and publish that.

        Args:
            role: Which role.
            caller: Who asks.
            how: `set`, or `reset`: by way of a temporary password of the org's, which also unlocks the user.
            wait: How many seconds to watch it.

        Raises:
            CallerError: 404 no such role; 409 it is not stuck, or the identity may not.
            OperatorError: 424: the org, or what is seen of the user, forbids it; nothing was changed.
            TransientError: 429 no login is left to prove it with.
            KvUnavailable: Vault did not say.
        """
        account = open_account(self._parts, role)
        self._check_identity(account)
        if how == RESET:
            self._check_can_reset(account)

        def allow(situation: Situation) -> None:
            if situation.entry.state is not State.STUCK:
                raise self._refusal(account, situation.record)
            if how == RESET and situation.record.wants_token:
                raise self._tokens_stand_against(account)
            self._rotations.beginning.check_budget(situation)

        allow(self._carrier.desk.look(account))
        self._look(account, how)
        way = Way.ADMIN_SET if how == SET else Way.ADMIN_RESET

        def change(situation: Situation, record: JournalEntry) -> JournalEntry:
            record = self._rotations.beginning.anew(situation, record, caller, CAUSE)
            return replace(record, way=way.value, end_sessions=account.role.end_sessions)

        candidate = Secret(self._rotations.beginning.new_password(account))
        request = Request.SET if how == SET else Request.RESET
        run = self._carrier.desk.ask(account, request, candidate, change, allow)
        self._carrier.carry(run)
        view = self._rotations.waiting.watch(account, run.stored.record.rotation_id, wait, joined=False)
        # What gave no answer may have been done: that is no refusal.
        if view.refusal is not None and view.refusal.code != findings.NO_ANSWER.code:
            raise view.refusal
        return view

    def _check_identity(self, account: Account) -> None:
        if not account.administered:
            raise CallerError(
                f"connection {account.role.config!r} has no identity that could set a password",
                status=HTTPStatus.CONFLICT,
                code="no_identity",
                remedy=f"set the password in Salesforce, and then: {self._by_hand(account)}",
            )
        check_named(account.role, account.config)

    def _check_can_reset(self, account: Account) -> None:
        if account.wants_token:
            raise self._tokens_stand_against(account)
        if account.role.verify == "record" and not account.by_app:
            raise CallerError(
                "verify=record: nobody can log in with a temporary password",
                status=HTTPStatus.CONFLICT,
                code="not_for_reset",
                remedy=self._command(account, SET),
            )

    def _tokens_stand_against(self, account: Account) -> CallerError:
        return CallerError(
            "a temporary password has no security token, without which this user does not log in from here",
            status=HTTPStatus.CONFLICT,
            code="not_for_reset",
            remedy=self._command(account, SET),
        )

    def _refusal(self, account: Account, record: JournalEntry) -> CallerError:
        refused = not_now(account.name, record)
        return CallerError(
            f"{refused.sentence}: an administrator's repair is for one that is stuck",
            status=HTTPStatus.CONFLICT,
            code=refused.code,
            remedy=f"vault read {self._rotations.mount}/status/{account.name}",
        )

    def _look(self, account: Account, how: str) -> None:
        """Look at the user before anything is written. Raises: OperatorError 424."""
        clock, counted = self._parts.clock, self._parts.counted
        fault = Actions(account, self._carrier.credentials, clock, lambda: None, counted).look_before_set()
        if fault is None or (fault is findings.LOCKED and how == RESET):
            return
        remedy = fault.remedy
        if fault is findings.LOCKED:
            remedy = f"vault write -f {self._rotations.mount}/unlock/{account.name}"
        raise OperatorError(fault.cause, code=fault.code, remedy=remedy)

    def _by_hand(self, account: Account) -> str:
        return f"vault write {self._rotations.mount}/resync/{account.name} password=-"

    def _command(self, account: Account, how: str) -> str:
        return f"vault write {self._rotations.mount}/resync/{account.name} try={how}"
