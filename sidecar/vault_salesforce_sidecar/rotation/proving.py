"""A secret that was handed in, or that was kept: one login proves it, through the machine and the journal."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus

from vault_plugin_sdk.logical.errors import TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.asking import Situation, again
from vault_salesforce_sidecar.rotation.budget import LOCKOUT_SECONDS
from vault_salesforce_sidecar.rotation.journal import digest_of
from vault_salesforce_sidecar.rotation.machine import Request, Secret, State
from vault_salesforce_sidecar.rotation.parts import Account
from vault_salesforce_sidecar.rotation.start import Rotations

Change = Callable[[Situation, JournalEntry], JournalEntry]
Allow = Callable[[Situation], None]


class Proving:
    """Proves secrets through the same machine, budget and journal as every rotation."""

    def __init__(self, rotations: Rotations) -> None:
        self._rotations = rotations
        self._carrier, self._beginning = rotations.carrier, rotations.beginning
        self._parts, self._desk = rotations.carrier.parts, rotations.carrier.desk

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

    def _prove_each(self, account: Account, secrets: Sequence[Secret], deadline: float, change: Change) -> JournalEntry:
        """Prove one of these, with one login each, until one logs in, or no login is left."""
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
        return record

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

    def _command(self, verb: str, name: str) -> str:
        return f"vault write -f {self._rotations.mount}/{verb}/{name}"
