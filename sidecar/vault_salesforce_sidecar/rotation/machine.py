"""The rotation of one password: states, events, and the one table that says what follows. PURE.

A state says what is about to be done, so that every step may run twice. What an org answers about a change is a hint,
its record of the last change says where to look, and only a login proves. Passwords and tokens are compared here and
never looked into.
"""

from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from vault_plugin_sdk.framework.secretstr import SecretStr


class State(StrEnum):
    """At rest nobody holds the entry; in hand, the holder named in it acts until its time is over."""

    SETTLED = "settled"
    WITHDRAWN = "withdrawn"
    AWAITING_TOKEN = "awaiting_token"  # noqa: S105 - the name of a state
    STUCK = "stuck"
    DELETED = "deleted"
    CHECKING = "checking"
    APPLYING = "applying"
    PROVING = "proving"
    PUBLISHING = "publishing"


REST: Final = frozenset({State.SETTLED, State.WITHDRAWN, State.AWAITING_TOKEN, State.STUCK, State.DELETED})
FREE: Final = frozenset({State.SETTLED, State.WITHDRAWN})


class Event(StrEnum):
    """How the call that a state stands for went."""

    DONE = "done"
    REFUSED = "refused"  # a fault that judges the credential or the request; of the record: it moved
    OLD_REFUSED = "old_refused"  # of a change in a session that `current` did not open: that is not the live password
    TOKEN_NEEDED = "token_needed"  # noqa: S105 - the password is right, but no token came with it
    BLOCKED = "blocked"  # a fault that judges neither (login hours, API off), or LOST too often
    LOST = "lost"  # sent, and no readable answer
    RESUMED = "resumed"  # taken over from a holder that crashed or sleeps
    NO_BUDGET = "no_budget"  # the attempt was not made


class Fate(IntEnum):
    """What is known of all the changes sent for a candidate; it only ever rises."""

    UNSENT = 0
    REFUSED = 1
    UNKNOWN = 2
    DONE = 3


class Request(StrEnum):
    """What operators and triggers may ask."""

    ROTATE = "rotate"
    TOKEN = "token"  # noqa: S105 - the name of a request
    RESYNC = "resync"
    SET = "set"  # an administrator sets a new password, for nobody knows the live one
    RESET = "reset"  # an administrator has the org make a temporary one, with which the user changes to a new one
    UNLOCK = "unlock"
    DELETE = "delete"
    DRIFT = "drift"


class Answer(StrEnum):
    """What a rotate that names the version it expects comes to."""

    BEGIN = "begin"
    JOIN = "join"
    DONE = "done"
    MISMATCH = "mismatch"


class Secret(NamedTuple):
    """A password and the security token that goes with it; None: no token."""

    password: SecretStr
    token: SecretStr | None = None


class Entry(NamedTuple):
    """The part of an account's journal entry that decides.

    Attributes:
        state: What is about to be done.
        current: What KV said when the rotation began.
        base: The KV version that said it.
        candidate: Ours, random; one per rotation, whoever carries it on.
        given: An operator's, tried instead of the candidate.
        fate: What is known of the changes sent.
        tries: Changes sent in this round.
        refused: Which of `CURRENT`, `CANDIDATE` is out in this round.
        marked: The org's record of the last change was noted in this round.
        wants_token: No login without a security token.
        charges: Logins that failed, or may have, since the last one that succeeded.
        kept: Earlier passwords that a late call might still bring to life.
        reason: Why it rests where it rests.
        mends: What KV holds was known not to be live when this began, so that it never counts as if it had not begun.
        by_admin: An administrator sets the candidate, also for a user who otherwise changes their own.
        resets: An administrator's reset is about to be sent, whose answer takes the place of `current`.
    """

    state: State
    current: Secret
    base: int
    candidate: Secret | None = None
    given: Secret | None = None
    fate: Fate = Fate.UNSENT
    tries: int = 0
    refused: frozenset[str] = frozenset()
    marked: bool = False
    wants_token: bool = False
    charges: int = 0
    kept: frozenset[SecretStr] = frozenset()
    reason: str = ""
    mends: bool = False
    by_admin: bool = False
    resets: bool = False


CURRENT: Final = "current"
CANDIDATE: Final = "candidate"
MAX_TRIES: Final = 3

NEITHER: Final = "neither logs in"
CURRENT_REFUSED: Final = "current does not log in"
OUT_OF_TRIES: Final = "out of tries"
NO_ATTEMPTS: Final = "no attempts left"
DOOR_SHUT: Final = "the door is shut"
FOREIGN_VERSION: Final = "someone else wrote the KV version"
CHANGED_OUTSIDE: Final = "changed outside"
CHANGE_REFUSED: Final = "refused"
GIVEN_REFUSED: Final = "given: refused"
GIVEN_USELESS: Final = "what was given does not log in"
TOKEN_MISSING: Final = "token"  # noqa: S105 - a reason
TOKEN_REFUSED: Final = "token refused"  # noqa: S105 - a reason


def look(e: Entry) -> Entry:
    """Where the live password is looked for next: one login per secret and round, the likelier one first."""
    if CURRENT not in e.refused:
        return e._replace(state=State.CHECKING)
    candidate = _candidate(e)
    if e.wants_token and candidate.token is None:
        return e._replace(state=State.AWAITING_TOKEN, reason=TOKEN_MISSING)
    if CANDIDATE not in e.refused:
        return e._replace(state=State.PROVING)
    if e.wants_token:
        return e._replace(state=State.AWAITING_TOKEN, candidate=candidate._replace(token=None), reason=TOKEN_REFUSED)
    return stuck(e, NEITHER)


def stuck(e: Entry, reason: str) -> Entry:
    """At rest with every secret, until somebody proves something."""
    return e._replace(state=State.STUCK, given=None, reason=reason)


def withdrawn(e: Entry, reason: str) -> Entry:
    """As if it had never begun; what mends goes on to be stuck, from where the user's own ways are open again."""
    if e.mends:
        return stuck(e._replace(by_admin=False), reason)
    return e._replace(
        state=State.WITHDRAWN,
        candidate=None,
        given=None,
        fate=Fate.UNSENT,
        tries=0,
        refused=frozenset(),
        marked=False,
        reason=reason,
    )


def settled(e: Entry) -> Entry:
    """Proven and published; what else was known is kept for a while."""
    proven = e.given or _candidate(e)
    known = {secret.password for secret in (e.current, e.candidate) if secret} | e.kept
    return Entry(
        State.SETTLED,
        proven,
        e.base,
        wants_token=e.wants_token,
        charges=e.charges,
        kept=frozenset(known - {proven.password}),
    )


def give_up(e: Entry, reason: str) -> Entry:
    """Nothing sent and nothing undecided: as if never begun. Else both secrets stay, with the reason."""
    if e.fate is Fate.UNSENT and not (e.given and e.candidate):
        return withdrawn(e, reason)
    return stuck(e, reason)


def step(e: Entry, event: Event) -> Entry:  # noqa: C901, PLR0912 - one table, to be read as one
    """The transition table: the entry after the call of its state went so."""
    match e.state, event:
        case State.APPLYING, (Event.LOST | Event.RESUMED):
            return look(e._replace(fate=max(e.fate, Fate.UNKNOWN)))
        case _, (Event.LOST | Event.RESUMED):
            return e
        case ((State.CHECKING | State.PROVING), (Event.NO_BUDGET | Event.BLOCKED)):
            return give_up(e, NO_ATTEMPTS if event is Event.NO_BUDGET else DOOR_SHUT)
        case State.APPLYING, Event.NO_BUDGET:
            return give_up(e, NO_ATTEMPTS)
        case State.CHECKING, Event.DONE if e.resets:
            return e._replace(resets=False)
        case State.CHECKING, (Event.REFUSED | Event.TOKEN_NEEDED) if e.resets:
            return give_up(e, DOOR_SHUT)
        case State.CHECKING, Event.DONE if CURRENT in e.refused:
            return stuck(e, CURRENT_REFUSED)
        case State.CHECKING, Event.DONE if e.fate is Fate.REFUSED:
            return withdrawn(e, CHANGE_REFUSED)
        case State.CHECKING, Event.DONE if e.tries == MAX_TRIES:
            return stuck(e, OUT_OF_TRIES)
        case State.CHECKING, Event.DONE:
            return e._replace(state=State.APPLYING, tries=e.tries + 1, refused=frozenset(), marked=True)
        case State.CHECKING, _ if e.fate is Fate.UNSENT:
            return stuck(e, CURRENT_REFUSED)
        case State.CHECKING, _:
            return look(e._replace(refused=e.refused | {CURRENT}))
        case State.APPLYING, Event.DONE:
            return look(e._replace(fate=Fate.DONE, refused=frozenset({CURRENT})))
        case State.APPLYING, Event.OLD_REFUSED if e.fate in (Fate.UNSENT, Fate.REFUSED):
            # The record tells whether a copy of the change had landed, or somebody else made one.
            return e._replace(state=State.CHECKING, fate=Fate.REFUSED, refused=e.refused | {CURRENT})
        case State.APPLYING, Event.OLD_REFUSED:
            return look(e._replace(refused=e.refused | {CURRENT}))
        case State.APPLYING, _:
            return look(e._replace(fate=max(e.fate, Fate.REFUSED)))
        case State.PROVING, Event.DONE:
            return e._replace(state=State.PUBLISHING)
        case State.PROVING, _ if e.given:
            return stuck(e, GIVEN_USELESS) if e.candidate else withdrawn(e, GIVEN_REFUSED)
        case State.PROVING, Event.TOKEN_NEEDED:
            return look(e._replace(wants_token=True, candidate=_candidate(e)._replace(token=None)))
        case State.PROVING, _:
            return look(e._replace(refused=e.refused | {CANDIDATE}))
        case State.PUBLISHING, Event.DONE:
            return settled(e)
        case State.PUBLISHING, _:
            kept = e.kept | {e.candidate.password} if e.given and e.candidate else e.kept
            proven = e.given or e.candidate
            e = e._replace(candidate=proven, kept=kept, fate=Fate.DONE, refused=frozenset({CURRENT}))
            return stuck(e, FOREIGN_VERSION)
    raise AssertionError((e.state, event))


class LogIn(NamedTuple):
    """Open a session of the user with this secret."""

    secret: Secret


class ReadRecord(NamedTuple):
    """Read when the password last changed: against the value noted (`marked`), or to note it."""


class Change(NamedTuple):
    """Set the password; `old` is None where an admin sets it, whatever the live one is."""

    old: SecretStr | None
    new: SecretStr


class Put(NamedTuple):
    """Publish by check-and-set on `base`; what is there already counts as done."""

    base: int
    secret: Secret


class Reset(NamedTuple):
    """Have the org make a temporary password, as an administrator; sent twice, the second one counts."""


Command = LogIn | ReadRecord | Change | Put | Reset


def command(e: Entry, self_managed: bool, session: bool) -> Command:  # noqa: FBT001 - two facts of the table
    """The outside call that the state stands for.

    Args:
        e: An entry in hand.
        self_managed: The user changes their own password.
        session: A session that may read the org's record is in hand, or is to be had without the password.
    """
    match e.state:
        case State.CHECKING if e.resets:
            return Reset()
        case State.CHECKING:
            return ReadRecord() if session or e.by_admin else LogIn(e.current)
        case State.APPLYING:
            own = self_managed and not e.by_admin
            return Change(e.current.password if own else None, _candidate(e).password)
        case State.PROVING:
            return LogIn(e.given or _candidate(e))
        case State.PUBLISHING:
            return Put(e.base, e.given or _candidate(e))
        case _:
            raise AssertionError(e.state)


def ask(  # noqa: C901 - one table, to be read as one
    e: Entry, request: Request, secret: Secret | None, kv: tuple[Secret, int]
) -> Entry | None:
    """The entry after a request, or None: it is in hand, or not in a state for this.

    Args:
        e: The entry as it is.
        request: What is asked.
        secret: ROTATE, SET, RESET: the new candidate. TOKEN: its token. RESYNC: what is said to be true now.
        kv: What KV holds now, and its version.
    """
    current, base = kv
    match request:
        case Request.ROTATE if e.state in FREE or (e.state is State.STUCK and not e.candidate):
            return e._replace(
                state=State.CHECKING,
                current=current,
                base=base,
                candidate=secret,
                fate=Fate.UNSENT,
                tries=0,
                refused=frozenset(),
                marked=False,
                reason="",
                mends=False,
                by_admin=False,
            )
        case Request.ROTATE if e.state in (State.STUCK, State.AWAITING_TOKEN):
            return _again(e, base)
        case Request.SET if secret and e.state is State.STUCK:
            return _mended(e, secret, current, base)._replace(by_admin=True)
        case Request.RESET if secret and e.state is State.STUCK:
            return _mended(e, secret, Secret(SecretStr("")), base)._replace(resets=True)
        case Request.TOKEN if secret and e.state in (State.STUCK, State.AWAITING_TOKEN) and e.fate is not Fate.UNSENT:
            return e._replace(
                state=State.PROVING,
                candidate=_candidate(e)._replace(token=secret.token),
                base=base,
                wants_token=True,
                refused=e.refused - {CANDIDATE},
            )
        case Request.TOKEN if secret and e.state in FREE:
            given = Secret(current.password, secret.token)
            return e._replace(state=State.PROVING, given=given, current=current, base=base)
        case Request.RESYNC if e.state in REST - {State.DELETED}:
            return e._replace(state=State.PROVING, given=secret, base=base)
        case Request.UNLOCK if e.state in REST - {State.DELETED}:
            return e._replace(charges=0)
        case Request.DELETE if e.state is not State.DELETED:
            known = {known.password for known in (e.current, e.candidate, e.given) if known} | e.kept
            return Entry(State.DELETED, current, base, charges=e.charges, kept=frozenset(known))
        case Request.DRIFT if e.state in FREE:
            return stuck(e, CHANGED_OUTSIDE)
    return None


def answer(e: Entry, kv_version: int, expected: int) -> Answer:
    """What a rotate that expects this version does: begin, join the one in flight, or report the one that is done."""
    if e.state in FREE and kv_version == expected:
        return Answer.BEGIN
    if e.state not in FREE and e.base == expected:
        return Answer.JOIN
    if e.state is State.SETTLED and e.base == expected:
        return Answer.DONE
    return Answer.MISMATCH


def _again(e: Entry, base: int) -> Entry:
    """A new round with the same candidate. The mark is taken anew, so it proves nothing of what went before."""
    out = e.refused if e.state is State.STUCK and CANDIDATE not in e.refused else frozenset()
    out |= {CURRENT} if e.fate is Fate.DONE else frozenset()
    fate = e.fate if e.fate is Fate.UNSENT else max(e.fate, Fate.UNKNOWN)
    return look(e._replace(base=base, fate=fate, tries=0, marked=False, refused=out))


def _mended(e: Entry, candidate: Secret, current: Secret, base: int) -> Entry:
    """A new beginning with a new candidate; whatever a call of before may still bring to life is kept."""
    known = {secret.password for secret in (e.current, e.candidate) if secret}
    return Entry(
        State.CHECKING,
        current,
        base,
        candidate=candidate,
        wants_token=e.wants_token,
        charges=e.charges,
        kept=e.kept | (known - {current.password}),
        mends=True,
    )


def _candidate(e: Entry) -> Secret:
    if e.candidate is None:
        raise AssertionError(e.state)
    return e.candidate
