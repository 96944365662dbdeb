"""Watching a rotation from outside: how far it is, for at most so many seconds."""

from http import HTTPStatus
from typing import Final

from vault_plugin_sdk.logical.errors import CallerError, OperatorError
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import machine
from vault_salesforce_sidecar.rotation.asking import no_attempts_left
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.machine import REST, Fate, State
from vault_salesforce_sidecar.rotation.parts import Account
from vault_salesforce_sidecar.rotation.views import RotationView, sentence
from vault_salesforce_sidecar.store import KvUnavailable

ELSEWHERE_SECONDS: Final = 0.5  # between two looks at a rotation that another sidecar carries on


class Waiting:
    """Waits for rotations; it holds a thread of the caller's, and nothing else."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier, self._clock = carrier, carrier.parts.clock

    def watch(self, account: Account, rotation_id: str, seconds: float, *, joined: bool) -> RotationView:
        """The rotation as it is once it is over, or after so many seconds. Raises: CallerError 404, KvUnavailable."""
        record = self.until_rest(account, rotation_id, seconds)
        if record is not None and record.rotation_id == rotation_id:
            return self._view(account, record, joined=joined)
        queued = record is not None and record.queued == rotation_id
        rows = () if queued else self._carrier.chores.history(account.name)
        row = next((row for row in rows if row.rotation_id == rotation_id and not row.is_note), None)
        if row is None and not queued:
            raise CallerError(
                f"no rotation {rotation_id!r} of role {account.name!r} is known", status=HTTPStatus.NOT_FOUND
            )
        done = row is not None and row.outcome == State.SETTLED
        ended = "it waits its turn" if row is None else f"it ended {row.outcome.replace('_', ' ')}: {row.reason}"
        return RotationView(
            role=account.name,
            rotation_id=rotation_id,
            state="rotating" if queued else ("ok" if done else "parked"),
            done=done,
            version=row.version if row else (record.published_version if record else 0),
            kv_path=self._kv_path(account),
            last_vault_rotation=row.ended if row else (record.last_rotation if record else None),
            joined=joined,
            warning=None if done else f"{ended}; see: {self._watch_command(account)}",
        )

    def until_rest(self, account: Account, rotation_id: str, seconds: float) -> JournalEntry | None:
        """The account's entry once this rotation is over with its chores tried, or after so many seconds.

        Where this sidecar stops, at once: whoever waits here would keep it from ending.
        """
        key = account.username.lower()
        deadline = self._clock.monotonic() + seconds
        here = False
        while True:
            ended = self._carrier.jobs.next_end(key)
            running = self._carrier.jobs.concerns(key)
            here = here or running  # then memory is as fresh as KV
            record = self._record(account, rotation_id, here=here)
            left = deadline - self._clock.monotonic()
            waits_for_it = record is not None and rotation_id in (record.rotation_id, record.queued)
            if left <= 0 or record is None or not waits_for_it:
                return record
            if not running and record.rotation_id == rotation_id and self._is_over(account, record):
                return record
            if not running and self._carrier.stopping.is_set():
                return record  # it goes on, but not here
            self._clock.wait(ended, left if running else min(left, ELSEWHERE_SECONDS))

    def _record(self, account: Account, rotation_id: str, *, here: bool) -> JournalEntry | None:
        seen = self._carrier.roster.seen(account.username)
        # Memory does not know what another sidecar began, or queued, since.
        is_known = seen is not None and rotation_id in (seen.record.rotation_id, seen.record.queued)
        if seen is not None and is_known and here:
            return seen.record
        try:
            stored = self._carrier.reread(account.username)
        except KvUnavailable:
            if seen is None or not is_known:
                raise
            return seen.record  # it has begun, and an error would say that nothing had
        return stored.record if stored else None

    def _is_over(self, account: Account, record: JournalEntry) -> bool:
        state = State(record.state)
        return state in REST and not (state is State.AWAITING_TOKEN and account.mailbox is not None)

    def _view(self, account: Account, record: JournalEntry, *, joined: bool) -> RotationView:
        state = State(record.state)
        done = state is State.SETTLED
        return RotationView(
            role=account.name,
            rotation_id=record.rotation_id,
            state=_name(state),
            done=done,
            version=record.published_version,
            kv_path=self._kv_path(account),
            last_vault_rotation=record.last_rotation,
            joined=joined,
            warning=None if done else self._warning(account, record),
            refusal=_refusal(record),
        )

    def _warning(self, account: Account, record: JournalEntry) -> str:
        if State(record.state) not in REST:
            return f"not done yet, it goes on by itself; watch it with: {self._watch_command(account)}"
        return f"{sentence(record)} The next step is shown by: {self._watch_command(account)}"

    def _watch_command(self, account: Account) -> str:
        return f"vault read {self._carrier.mount}/status/{account.name}"

    def _kv_path(self, account: Account) -> str:
        return f"{self._carrier.parts.kv_mount}/creds/{account.name}"


def check_proven(account: Account, record: JournalEntry, mount: str) -> None:
    """Raises what a refused login of something handed in comes to: OperatorError 424, or TransientError 429."""
    if record.state not in (State.WITHDRAWN, State.STUCK):
        return
    if record.reason == machine.NO_ATTEMPTS:
        raise no_attempts_left(account, mount)
    raise _refused(record)


def _refusal(record: JournalEntry) -> OperatorError | None:
    """The error of a rotation that the org ended before anything was changed."""
    unchanged = record.state in (State.WITHDRAWN, State.STUCK) and record.fate == Fate.UNSENT.name.lower()
    return _refused(record) if unchanged and record.fault_code else None


def _refused(record: JournalEntry) -> OperatorError:
    return OperatorError(
        record.fault_cause or sentence(record),
        code=record.fault_code or None,
        remedy=record.fault_remedy or None,
    )


def _name(state: State) -> str:
    if state not in REST:
        return "rotating"
    names = {State.SETTLED: "ok", State.WITHDRAWN: "parked", State.AWAITING_TOKEN: "awaiting", State.STUCK: "stuck"}
    return names.get(state, "deleted")
