"""Sessions that are kept and shared: of the connections' own identities, and of users whom an app speaks for.

None is asked for again where that might lock a user, or use up the logins of an hour.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.salesforce import faults, faults_oauth
from vault_salesforce_sidecar.salesforce.attempts import KeptAttempts, NoAttempts
from vault_salesforce_sidecar.salesforce.interface import Fault, Lost, NotSent, OrgRefused, Session, Verdict
from vault_salesforce_sidecar.store import KvUnavailable

LOCKOUT_SECONDS = 900.0  # Salesforce's default lockout interval
HEAR_SECONDS = 5.0  # after which somebody who said at another sidecar that a login may be tried is heard here
_LOST_SECONDS = 60.0
_BLOCKED_SECONDS = 30.0
_NOT_SENT_SECONDS = 2.0
_RATE_SECONDS = 900.0
_USERS_KEPT = 4096
_LOGINS, _LOGINS_SECONDS = 20, 600.0  # far below Salesforce's 3,600 an hour, and more than sessions that live need


class Identity(NamedTuple):
    """Who logs in, where and with what; another secret is another identity, which nothing has refused yet.

    `can_lock`: a failed login may count towards a lockout. `itself`: who asks is at work for this very user, not for
    another one by means of it.
    """

    login_url: str
    auth_method: str
    username: str
    secrets: tuple[SecretStr, ...]
    can_lock: bool = True
    itself: bool = False


_Outcome = Session | OrgRefused | Lost | NotSent


@dataclass
class _Known:
    """What is known of one identity.

    Attributes:
        session: The one in use.
        flight: The login under way.
        failure: What the last login ended with, and the answer of all until `held_until`.
        forgiven: How often somebody had said, before that login, that the identity may log in again.
        heard_at: When that was looked up last.
        logins: When the last ones succeeded.
    """

    session: Session | None = None
    flight: "Future[_Outcome] | None" = None
    failure: OrgRefused | Lost | NotSent | None = None
    held_until: float = 0.0
    forgiven: int = 0
    heard_at: float = 0.0
    logins: deque[float] = field(default_factory=lambda: deque(maxlen=_LOGINS))


class AdminSessions:
    """The sessions of all identities of this process.

    Args:
        clock: Its monotonic time measures the waits.
        attempts: Where logins that may lock a user are counted.
    """

    def __init__(self, clock: Clock, attempts: KeptAttempts) -> None:
        self._clock, self._attempts = clock, attempts
        self._lock = threading.Lock()
        self._all: OrderedDict[Identity, _Known] = OrderedDict()

    def get(self, identity: Identity, log_in: Callable[[], Session], longest_seconds: float | None = None) -> Session:
        """The identity's session; at most one login is under way for it, and its outcome is everybody's.

        Args:
            identity: Whose.
            log_in: Makes one login.
            longest_seconds: Whose login lies further back, is not good enough; None: any that lives.

        Raises:
            OrgRefused: By the org now, or by an earlier answer that still holds; its verdict is BLOCKED.
            Lost: As `log_in`, or not long ago.
            NotSent: As `log_in`, or just now; or the login could not be counted.
        """
        if identity.can_lock:
            self._hear(identity)
        with self._lock:
            known = self._all.setdefault(identity, _Known())
            self._all.move_to_end(identity)
            self._drop_the_oldest()
            if known.session and (longest_seconds is None or self._age(known) < longest_seconds):
                return known.session
            flight = known.flight
            if flight is None:
                self._raise_if_held(known, identity)
                mine = known.flight = Future()
        if flight is None:
            flight = mine
            self._fly(identity, known, mine, log_in)
        outcome = flight.result()
        if isinstance(outcome, Session):
            return outcome
        raise _told(outcome, identity)

    def forget(self, session: Session) -> None:
        """This one has ended: whoever has it, the next `get` opens another."""
        with self._lock:
            for known in self._all.values():
                if known.session and known.session.id == session.id:
                    known.session = None

    def forgive(self, identity: Identity) -> None:
        """Whoever mended the identity says so: what was refused before is tried again, by other sidecars as well.

        Raises: KvUnavailable.
        """
        if identity.can_lock:
            self._attempts.forgive(identity.username)
        with self._lock:
            if known := self._all.get(identity):
                known.failure = None

    def _hear(self, identity: Identity) -> None:
        """Whoever mended the identity may have said so to another sidecar."""
        with self._lock:
            known, now = self._all.get(identity), self._clock.monotonic()
            if known is None or known.failure is None or now < known.heard_at + HEAR_SECONDS:
                return
            known.heard_at = now
        forgiven = self._attempts.forgiven(identity.username)
        with self._lock:
            if forgiven is not None and forgiven > known.forgiven:
                known.failure = None

    def _age(self, known: _Known) -> float:
        return self._clock.monotonic() - known.logins[-1]

    def _drop_the_oldest(self) -> None:
        """Keep the sessions of users few; what is known of the connections' own identities stays."""
        if len(self._all) <= _USERS_KEPT:
            return
        spare = next((who for who, known in self._all.items() if who.itself and known.flight is None), None)
        if spare:
            del self._all[spare]

    def _raise_if_held(self, known: _Known, identity: Identity) -> None:
        now = self._clock.monotonic()
        if known.failure and now < known.held_until:
            raise _told(known.failure, identity)
        if len(known.logins) == _LOGINS and now - known.logins[0] < _LOGINS_SECONDS:
            raise OrgRefused(faults.SESSIONS_DO_NOT_LAST)

    def _fly(
        self, identity: Identity, known: _Known, flight: "Future[_Outcome]", log_in: Callable[[], Session]
    ) -> None:
        outcome: _Outcome = Lost("the login broke off")
        try:
            outcome = self._log_in(identity, known, log_in)
        finally:
            with self._lock:
                self._note(known, outcome)
                known.flight = None
            flight.set_result(outcome)

    def _log_in(self, identity: Identity, known: _Known, log_in: Callable[[], Session]) -> _Outcome:
        """Make the login, counted where it may lock the user; how it ended."""
        if identity.can_lock:
            try:
                known.forgiven = self._attempts.charge(identity.username).forgiven
            except NoAttempts:
                return OrgRefused(faults.NO_ATTEMPTS_LEFT)
            except KvUnavailable as exc:
                return NotSent(f"the login could not be counted: {exc.sentence}")
        outcome: _Outcome = Lost("the login broke off")
        try:
            outcome = log_in()
            if outcome.password_expired:
                outcome = OrgRefused(faults.TABLE["INVALID_OPERATION_WITH_EXPIRED_PASSWORD"])
        except OrgRefused as exc:
            outcome = OrgRefused(exc.fault)  # without the traceback, whose frames hold the secrets of the login
        except (Lost, NotSent) as exc:
            outcome = type(exc)(*exc.args)
        finally:
            if identity.can_lock:
                self._account_for(identity, outcome)
        return outcome

    def _account_for(self, identity: Identity, outcome: _Outcome) -> None:
        """What becomes of the charge of a login that was made."""
        if isinstance(outcome, Session):
            self._attempts.succeeded(identity.username)
        elif _hold(outcome)[1]:
            self._attempts.failed(identity.username)
        else:
            self._attempts.take_back(identity.username)

    def _note(self, known: _Known, outcome: _Outcome) -> None:
        now = self._clock.monotonic()
        if isinstance(outcome, Session):
            known.session, known.failure = outcome, None
            known.logins.append(now)
            return
        known.failure, known.heard_at = outcome, now
        known.held_until = now + _hold(outcome)[0]


def _hold(outcome: OrgRefused | Lost | NotSent) -> tuple[float, bool]:
    """How long an outcome holds, and whether the org may have counted a failed login."""
    match outcome:
        case OrgRefused(fault=Fault(counts=True)):
            return LOCKOUT_SECONDS, True
        case OrgRefused(fault=Fault(code=code)) if code in faults_oauth.RATE_LIMITED:
            return _RATE_SECONDS, False
        case OrgRefused():
            return _BLOCKED_SECONDS, False
        case Lost():
            return _LOST_SECONDS, True
    return _NOT_SENT_SECONDS, False


def _told(outcome: OrgRefused | Lost | NotSent, identity: Identity) -> OrgRefused | Lost | NotSent:
    """The outcome as its callers get it, each an exception of their own: it carries the traceback of who raised it.

    Callers may be at work for another user: of that one's password a refusal of ours judges nothing and counts nothing.
    """
    if not isinstance(outcome, OrgRefused):
        return type(outcome)(*outcome.args)
    if identity.itself:
        return OrgRefused(outcome.fault)
    cause = f"The connection's own user cannot log in. {outcome.fault.cause}"
    return OrgRefused(replace(outcome.fault, cause=cause, verdict=Verdict.BLOCKED, counts=False))
