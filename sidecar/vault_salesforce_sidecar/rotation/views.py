"""What is told of a rotation, and of a role. PURE."""

from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from typing import Any

from vault_plugin_sdk.framework.coerce import jsonable
from vault_plugin_sdk.logical.errors import OperatorError
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import machine
from vault_salesforce_sidecar.rotation.budget import logins_left
from vault_salesforce_sidecar.rotation.chores import LEFT, SESSIONS
from vault_salesforce_sidecar.rotation.findings import ENOUGH_LOGINS, EXPIRED, LOCKED
from vault_salesforce_sidecar.rotation.foreign import KvFault
from vault_salesforce_sidecar.rotation.holds import HELD, Held
from vault_salesforce_sidecar.rotation.machine import REST, State
from vault_salesforce_sidecar.rotation.parts import BY_APP
from vault_salesforce_sidecar.rotation.roster import FIRST_TOKEN
from vault_salesforce_sidecar.rotation.token_life import life_of
from vault_salesforce_sidecar.salesforce import ways_in
from vault_salesforce_sidecar.salesforce.login_history import Consumer

RESET_PAGE = "As that user, open Settings, My Personal Information, Reset My Security Token, and press the button."


@dataclass(frozen=True)
class RotationView:
    """One rotation as who asked for it sees it.

    Attributes:
        role: The role.
        rotation_id: Which rotation.
        state: The role's state, as in its status.
        done: It ended with a published version.
        version: KV's version now.
        kv_path: Where that is.
        last_vault_rotation: When that version was made.
        joined: It was under way already, or is the last one.
        warning: What to do where it is not done.
        refusal: Why the org let us change nothing, as an error for who asked for the change; None: it did not refuse.
    """

    role: str
    rotation_id: str
    state: str
    done: bool
    version: int
    kv_path: str
    last_vault_rotation: datetime | None
    joined: bool
    warning: str | None = None
    refusal: OperatorError | None = None

    def to_response(self) -> Response:
        """The answer to the client."""
        told = {name: value for name, value in vars(self).items() if name not in ("warning", "refusal")}
        data: dict[str, Any] = {name: jsonable(value) for name, value in told.items()}
        return Response(data=data, warnings=(self.warning,) if self.warning else ())


@dataclass(frozen=True)
class Status:
    """How a role is; never a secret. Members that are not known are None.

    Attributes:
        state: ok, due, rotating, awaiting, parked, drifted, held, stuck or unpublished.
        since: Since when.
        reason: Why, as a sentence; empty where all is well.
        next_step: One command to paste, or one page of Salesforce's Setup; empty where nothing is to be done.
        version: The published KV version; 0: none.
        last_vault_rotation: When it was made.
        next_rotation: When the next scheduled one is due.
        token_state: not_required, fresh, stale, unproven, survived or unknown.
        token_since: Since when.
        token_reason: Why, as a sentence.
        logins_left: How many logins may still fail before no more is made.
        budget_resets_at: None: a failed login counts until one succeeds, or the role is unlocked.
        rotation_id: The rotation in flight, or the last one.
        password_expires: When the org lets the password expire.
        way_in: How the password is proven: soap_login, oauth_password or record.
        way_in_ends: When Salesforce closes that way.
        stale_consumers: Who goes on failing to log in since the last rotation; None: nobody looked, or may.
    """

    state: str
    since: datetime | None
    reason: str
    next_step: str
    version: int
    last_vault_rotation: datetime | None
    next_rotation: datetime | None
    token_state: str
    token_since: datetime | None
    token_reason: str
    logins_left: int
    budget_resets_at: datetime | None
    rotation_id: str
    password_expires: datetime | None = None
    way_in: str | None = None
    way_in_ends: datetime | None = None
    stale_consumers: tuple[dict[str, Any], ...] | None = None


@dataclass(frozen=True)
class Outlook:
    """What a status is made of, besides the entry.

    Attributes:
        name: The role's name.
        role: The role.
        trusted: The org trusts our address.
        next_rotation: When the next scheduled rotation is due.
        gate: Why a trigger may not begin one; None: it may.
        now: The time of day.
        mount: Path of the mount.
        kv_fault: What is wrong with the version in KV, as far as somebody looked.
        hold: The brake that is on for its connection.
        mailbox_fault: Why the mailbox cannot be read now, as far as somebody looked.
        way_in: How the password is proven.
        stale_consumers: Who goes on failing to log in; None: nobody looked, or may.
        administered: The connection has an identity, which may unlock.
        mendable: That identity may set this user's password, as far as the connection says.
    """

    name: str
    role: StaticRole
    trusted: bool
    next_rotation: datetime | None
    gate: str | None
    now: datetime
    mount: str
    kv_fault: KvFault | None = None
    hold: Held | None = None
    mailbox_fault: str | None = None
    way_in: str | None = None
    stale_consumers: tuple[Consumer, ...] | None = None
    administered: bool = False
    mendable: bool = False

    def command(self, verb: str, *arguments: str) -> str:
        """A command line for this role."""
        force = "" if arguments else "-f "
        return " ".join([f"vault write {force}{self.mount}/{verb}/{self.name}", *arguments])


def status_of(record: JournalEntry, outlook: Outlook) -> Status:
    """The role's status."""
    state, reason, next_step = _under_hold(*_renamed(*_judged(record, outlook), record, outlook), outlook)
    token = life_of(record, outlook.role, trusted=outlook.trusted)
    return Status(
        state=state,
        since=outlook.hold.hold.since if outlook.hold and state == HELD else record.since,
        reason=reason,
        next_step=next_step,
        version=record.published_version,
        last_vault_rotation=record.last_rotation,
        next_rotation=outlook.next_rotation,
        token_state=token.state.value,
        token_since=token.since,
        token_reason=token.reason,
        logins_left=logins_left(record.charges),
        budget_resets_at=None,
        rotation_id=record.rotation_id,
        password_expires=record.password_expires,
        way_in=outlook.way_in,
        way_in_ends=ways_in.ENDS.get(outlook.way_in) if outlook.way_in else None,
        stale_consumers=_told(outlook.stale_consumers),
    )


def _told(consumers: tuple[Consumer, ...] | None) -> tuple[dict[str, Any], ...] | None:
    if consumers is None:
        return None
    return tuple({name: jsonable(value) for name, value in vars(one).items()} for one in consumers)


def sentence(record: JournalEntry) -> str:
    """Why the entry rests where it rests, with what the last fault said."""
    reason = _REASONS.get(record.reason, record.reason)
    if record.mends:
        reason = _RESETTING if record.resets else _MENDING.get(record.reason, reason)
    if record.fault_code == ENOUGH_LOGINS.code:
        reason = ""  # one more would go in: it is we who make none
    if record.reason == machine.NEITHER and record.fate == machine.Fate.DONE.name.lower():
        reason = _ACCEPTED_AND_REFUSED
    fault = f"{record.fault_cause} {record.fault_remedy}".strip()
    return f"{reason[:1].upper()}{reason[1:]}. {fault}".strip() if reason else fault


_REASONS = {
    machine.TOKEN_MISSING: "the password was changed, and the new security token is missing",
    machine.TOKEN_REFUSED: "the password was changed, and the security token was refused: another one is needed",
    machine.NEITHER: "neither the old nor the new password logs in; the user may be locked",
    machine.CURRENT_REFUSED: "the published password does not log in: the user is locked, or somebody changed it",
    machine.OUT_OF_TRIES: "three changes were sent and none took effect; the published password is live",
    machine.NO_ATTEMPTS: "no login was made, for one more that fails might lock the user",
    machine.DOOR_SHUT: "no login can succeed now",
    machine.FOREIGN_VERSION: (
        "KV does not hold the version that was published last: somebody wrote there, or it was restored from an older "
        "copy; the new password is live and kept"
    ),
    machine.CHANGED_OUTSIDE: "somebody changed the password in Salesforce, and what is published is old",
    machine.CHANGE_REFUSED: "Salesforce refused the new password, the old one is live",
    machine.GIVEN_REFUSED: "what was handed in does not log in",
    machine.GIVEN_USELESS: "what was handed in does not log in",
    HELD: "it was stopped before anything was changed",
}
_RESETTING = (
    "an administrator's reset came to no end; if it took effect, nobody knows the password until it is repeated"
)
_MENDING = {
    machine.CURRENT_REFUSED: "the temporary password of an administrator's reset does not log in",
    machine.CHANGE_REFUSED: "Salesforce refused the administrator's new password, and which one is live nobody knows",
    machine.DOOR_SHUT: "the administrator's repair could not go on",
}
# The old password was not tried: Salesforce had said that it was changed.
_ACCEPTED_AND_REFUSED = "Salesforce took the new password, which does not log in; the user may be locked"


def _judged(record: JournalEntry, outlook: Outlook) -> tuple[str, str, str]:
    """State, reason and next step."""
    state = State(record.state)
    if state not in REST:
        return "rotating", f"{state.value}: it goes on by itself", f"vault read {outlook.mount}/status/{outlook.name}"
    if state is State.DELETED:
        return "parked", "its deletion is not finished", f"vault delete {outlook.mount}/static-roles/{outlook.name}"
    if record.reason == FIRST_TOKEN:
        reason = f"The mail with the first security token has not come yet. {record.fault_cause}".strip()
        must_unlock = _must_unlock(record, outlook)
        return "awaiting", _advised(reason, record, outlook), outlook.command("unlock") if must_unlock else RESET_PAGE
    if state is State.AWAITING_TOKEN:
        return "awaiting", _advised(sentence(record), record, outlook), _way_to_a_token(record, outlook)
    if state is State.STUCK:
        name = "drifted" if record.reason == machine.CHANGED_OUTSIDE else "stuck"
        return name, _advised(sentence(record), record, outlook), _way_out(record, outlook)
    if outlook.kv_fault is not None:
        return "stuck", outlook.kv_fault.reason, outlook.kv_fault.next_step
    if not record.published_version:
        expired = record.fault_code == EXPIRED.code
        unproven = outlook.role.self_login == BY_APP and bool(record.current_password)
        rotatable = expired or not outlook.role.self_managed or unproven
        step = _way_out(record, outlook) if rotatable else outlook.command("resync", "password=-")
        reason = sentence(record) or "nothing has been published yet"
        return ("due" if expired else "unpublished"), _advised(reason, record, outlook), step
    due = outlook.next_rotation is not None and outlook.next_rotation <= outlook.now
    if due and outlook.gate is not None:
        return "parked", f"due, but {outlook.gate}", outlook.command("rotate", "allow_security_token_wait=true")
    if state is State.WITHDRAWN and record.reason not in ("", machine.GIVEN_REFUSED):
        return "parked", _advised(sentence(record), record, outlook), _way_out(record, outlook)
    return ("due" if due else "ok"), *_besides(record, due=due)


def _besides(record: JournalEntry, *, due: bool) -> tuple[str, str]:
    """Reason and next step of a role whose password is published and live."""
    if record.sessions.startswith(LEFT):
        return f"The user's other sessions were not ended. {record.sessions.removeprefix(LEFT)}", _END_BY_HAND
    if SESSIONS in record.owed:
        return "the user's other sessions are still to be ended: it is tried again", ""
    return sentence(record) if record.reason else _begins_itself(due=due), ""


_END_BY_HAND = "In Setup, Session Management, remove the sessions of that user."


def _renamed(state: str, reason: str, next_step: str, record: JournalEntry, outlook: Outlook) -> tuple[str, str, str]:
    """The same of a user who has another name now: nothing else helps before the role has it too."""
    name = record.renamed_to
    if not name or state == "rotating" or name.lower() == outlook.role.username.lower():
        return state, reason, next_step
    told = f"The user was renamed in Salesforce, to {name}."
    reason = reason if told in reason else f"{told} {reason}".strip()
    return ("parked" if state in ("ok", "due") else state), reason, outlook.command("resync", f"username={quote(name)}")


def _under_hold(state: str, reason: str, next_step: str, outlook: Outlook) -> tuple[str, str, str]:
    """The same under a hold: what a person has to repair goes before it, and everything else waits for its end."""
    if outlook.hold is None:
        return state, reason, next_step
    held = f"{outlook.hold.sentence[:1].upper()}{outlook.hold.sentence[1:]}."
    if state in (_REPAIRED if outlook.hold.hold.stops else _GOES_ON):
        return state, f"{reason} {held}".strip(), next_step
    return HELD, f"{held} {reason}".strip(), outlook.hold.next_step(outlook.mount)


# Repair is not held, and neither is what has left.
_REPAIRED = frozenset({"drifted", "stuck"})
_GOES_ON = _REPAIRED | {"rotating", "awaiting"}


def _begins_itself(*, due: bool) -> str:
    return "its scheduled time has come: it begins by itself" if due else ""


def _advised(reason: str, record: JournalEntry, outlook: Outlook) -> str:
    """The reason with what a person has to see to in Salesforce before the next step can help."""
    if outlook.mailbox_fault and (record.state == State.AWAITING_TOKEN or record.reason == FIRST_TOKEN):
        reason = f"{reason} The mailbox cannot be read now: {outlook.mailbox_fault}."
    if _must_unlock(record, outlook):
        return f"{reason} {_SEE_THE_LOCK}"
    if record.reason == machine.TOKEN_MISSING:
        source = _TAKEN if outlook.role.security_token_from == "mailbox" else _MAILED  # noqa: S105 - where it comes from
        return f"{reason} {source} Where none comes: {RESET_PAGE[0].lower()}{RESET_PAGE[1:]}"
    if record.reason == machine.CURRENT_REFUSED and outlook.role.self_managed:
        return f"{reason} {_SEE_THE_USER} {outlook.command('resync', 'password=-')}"
    return reason


_SEE_THE_LOCK = (
    "No login is made any more, for one more that fails might lock the user: in Setup, Users, see that it is not "
    "locked, or unlock it, before the next step."
)
_MAILED = "Salesforce mails it to the user's address; hand it in."
_TAKEN = "Salesforce mails it, and it is taken from the mailbox by itself; or hand it in."
_SEE_THE_USER = (
    "In Setup, Users, unlock the user before the next step; where somebody changed the password, hand in what it is "
    "now instead:"
)


# Reasons for which a role is stuck whose live password the engine may not know, where its user changes their own.
_UNKNOWN = frozenset({machine.CURRENT_REFUSED, machine.CHANGED_OUTSIDE, machine.NEITHER})


def _way_out(record: JournalEntry, outlook: Outlook) -> str:
    """The one command that, once Salesforce lets the user in, comes to a published and live password."""
    if _must_unlock(record, outlook):
        return outlook.command("unlock")
    if record.resets:
        return outlook.command("resync", "try=reset")
    if record.fault_code == LOCKED.code and outlook.administered:
        return outlook.command("unlock")
    if outlook.mendable and outlook.role.self_managed and record.reason in _UNKNOWN and record.state == State.STUCK:
        return outlook.command("resync", "try=set")
    if record.reason == machine.CHANGED_OUTSIDE and outlook.role.self_managed:
        return outlook.command("resync", "password=-")
    # A new round with the same candidate is not asked whether its token may have to be waited for.
    if outlook.gate is not None and record.candidate_password is None:
        return outlook.command("rotate", "allow_security_token_wait=true")
    return outlook.command("rotate")


def _way_to_a_token(record: JournalEntry, outlook: Outlook) -> str:
    """The command that gets a token; a mailed one that was refused may be right, where the user was locked."""
    mailed = record.reason == machine.TOKEN_REFUSED and outlook.role.security_token_from == "mailbox"  # noqa: S105
    if mailed or _must_unlock(record, outlook):
        return _way_out(record, outlook)
    return outlook.command("security-token", "security_token=-")


def _must_unlock(record: JournalEntry, outlook: Outlook) -> bool:
    """Whether nothing is tried any more before somebody says that the user is not locked."""
    return not logins_left(record.charges) and outlook.role.verify != "record"
