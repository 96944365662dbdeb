"""What a preflight looks at, gathered one fact after the other; what was not seen says why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self, TypeVar

from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.salesforce.interface import (
    Fault,
    LoginRow,
    Lost,
    NotSent,
    Org,
    OrgRefused,
    Session,
    User,
    Verdict,
)
from vault_salesforce_sidecar.salesforce.login_rows import MAY_LOOK, visible_logins
from vault_salesforce_sidecar.salesforce.probe import Reach
from vault_salesforce_sidecar.salesforce.rest import literal
from vault_salesforce_sidecar.salesforce.rights import NOT_SHOWN, PRIVILEGES, permissions_of

API_ENABLED: Final = "PermissionsApiEnabled"
API_ONLY: Final = "PermissionsApiUserOnly"
NEVER_EXPIRES: Final = "PermissionsPasswordNeverExpires"
RESET_PASSWORDS: Final = "PermissionsResetPasswords"
MANAGE_USERS: Final = "PermissionsManageUsers"
USE_ANY_API_AUTH: Final = "PermissionsUseAnyApiAuth"
MFA_API: Final = "PermissionsTwoFactorApi"
SSO_ONLY: Final = "PermissionsIsSsoEnabled"
PERMISSIONS: Final = PRIVILEGES | MAY_LOOK | {
    API_ENABLED,
    API_ONLY,
    NEVER_EXPIRES,
    RESET_PASSWORDS,
    USE_ANY_API_AUTH,
    MFA_API,
    SSO_ONLY,
}  # fmt: skip
LOOKED_BACK: Final = timedelta(days=30)
_DETAILS: Final = ("UserType", "PasswordExpirationDate", "LastPasswordChangeDate")

IDENTITY: Final = "an identity on the connection (auth_method)"
IDENTITY_OR_APP: Final = f"{IDENTITY}, or an app that opens a session as the user (self_login=jwt_bearer)"
REFUSED_IDENTITY: Final = "the session of the connection's identity, which was refused"
USERS: Final = "View Setup and Configuration, or Manage Users, for the identity"
WAY: Final = "a way to the host: see dns and tls"
HISTORY: Final = "Manage Users or Monitor Login History for the identity"


@dataclass(frozen=True)
class Hidden:
    """Not visible: what it needs."""

    needs: str


@dataclass(frozen=True)
class Broken:
    """It was asked for, and this came back."""

    fault: Fault


@dataclass(frozen=True)
class Unasked:
    """There was no time for it."""


Fact = TypeVar("Fact")
Unseen = Hidden | Broken | Unasked
UNASKED: Final = Unasked()


@dataclass
class UserFacts:
    """What an org shows of one user.

    Attributes:
        details: Columns of the user's record.
        permissions: Of `PERMISSIONS`, those the user has.
        columns: Permissions that the org knows at all.
        logins: The user's logins of the last 30 days, newest first.
        policy: The org's password policy; empty where it is not shown.
    """

    details: Mapping[str, Any] | Unseen = UNASKED
    permissions: frozenset[str] | Unseen = UNASKED
    columns: frozenset[str] | Unseen = UNASKED
    logins: tuple[LoginRow, ...] | Unseen = UNASKED
    policy: Mapping[str, str] | Unseen = UNASKED

    @classmethod
    def unseen(cls, why: Unseen) -> Self:
        """Nothing of the user was seen, for one reason."""
        return cls(why, why, why, why, why)


@dataclass
class ConnectionFacts:
    """What was seen of a connection.

    Attributes:
        name: Its name.
        config: The connection.
        now: The time of day.
        mount: Path of the mount.
        reach: The way to its host.
        kv_faults: What is wrong with the KV mounts.
        mailbox_fault: Why the mailbox cannot be read; empty: it can, or there is none.
        session: The session of its own identity; None: it has none.
        organization: The org's own record.
        own: What the org shows of that identity's user.
    """

    name: str
    config: Config
    now: datetime
    mount: str
    reach: Reach | Unseen = UNASKED
    kv_faults: tuple[str, ...] | Unseen = UNASKED
    mailbox_fault: str | Unseen = UNASKED
    session: Session | Unseen | None = UNASKED
    organization: Mapping[str, Any] | Unseen = UNASKED
    own: UserFacts = field(default_factory=UserFacts)


@dataclass
class RoleFacts:
    """What was seen of a role and its user.

    Attributes:
        name: The role's name.
        role: The role.
        connection: Its connection.
        entry: The account's journal entry; None: there is none.
        user: The user; None: the org has none of that name.
        seen: What the org shows of the user.
        sample_fault: What is wrong with a password of its policy; empty: nothing.
        is_itself: The user's own session looked: of a lock it cannot tell, for it has a session.
    """

    name: str
    role: StaticRole
    connection: ConnectionFacts
    entry: JournalEntry | None = None
    user: User | Unseen | None = UNASKED
    seen: UserFacts = field(default_factory=UserFacts)
    sample_fault: str | Unseen = UNASKED
    is_itself: bool = False

    @property
    def now(self) -> datetime:
        """The time of day."""
        return self.connection.now

    def fill(self, user: User | Unseen | None, seen: UserFacts) -> None:
        """Take what was not seen before from somebody else's look."""
        if not isinstance(self.user, User):
            self.user = user
        for name, value in vars(self.seen).items():
            if isinstance(value, Hidden | Unasked):
                setattr(self.seen, name, getattr(seen, name))


def asked(call: Callable[[], Fact]) -> Fact | Broken:
    """What a call to the org gives, or how it failed."""
    try:
        return call()
    except OrgRefused as refused:
        return Broken(refused.fault)
    except (Lost, NotSent) as exc:
        reason = str(exc)
        cause = f"{findings.UNREACHABLE.cause} {reason[:1].upper()}{reason[1:]}.".replace(" .", "")
        return Broken(
            Fault("unreachable", cause, findings.UNREACHABLE.remedy, Verdict.BLOCKED, counts=False, retry_is_safe=True)
        )


def open_admin(org: Org) -> tuple[Session | Broken | None, Mapping[str, Any] | Unseen]:
    """The session of the connection's own identity, and the org's record; a session that has ended is opened anew."""
    session = asked(org.admin_session)
    found = _organization(org, session)
    if isinstance(session, Session) and isinstance(found, Broken) and found.fault.code == findings.DEAD_SESSION:
        org.forget_admin_session(session)
        session = asked(org.admin_session)
        found = _organization(org, session)
    return session, found


def _organization(org: Org, session: Session | Broken | None) -> Mapping[str, Any] | Unseen:
    if not isinstance(session, Session):
        return Hidden(IDENTITY if session is None else REFUSED_IDENTITY)
    soql = "SELECT Id, Name, IsSandbox, InstanceName, TrialExpirationDate FROM Organization LIMIT 1"
    found = asked(lambda: org.query(session, soql))
    if isinstance(found, Broken):
        return Hidden(USERS) if found.fault.code in NOT_SHOWN else found
    return found[0] if found else Hidden(USERS)


def look_at_user(org: Org, session: Session, user_id: str, now: datetime, into: UserFacts) -> None:
    """Gather what this session sees of a user."""
    into.details = _seen(lambda: _details(org, session, user_id), USERS)
    into.columns = _seen(lambda: org.columns(session, "PermissionSet"), USERS)
    into.permissions = _seen(lambda: permissions_of(org, session, user_id, PERMISSIONS), USERS)
    into.policy = _seen(lambda: org.password_policy(session), USERS)
    into.logins = _seen(lambda: visible_logins(org, session, user_id, now - LOOKED_BACK), HISTORY)


def _seen(call: Callable[[], Fact | None], needs: str) -> Fact | Unseen:
    found = asked(call)
    if isinstance(found, Broken):
        return Hidden(needs) if found.fault.code in NOT_SHOWN else found
    return Hidden(needs) if found is None else found


def _details(org: Org, session: Session, user_id: str) -> Mapping[str, Any] | None:
    columns = sorted({"Id", *_DETAILS} & org.columns(session, "User"))
    if not columns:
        return None
    soql = f"SELECT {', '.join(columns)} FROM User WHERE Id = {literal(user_id)}"  # noqa: S608 - escaped
    found = org.query(session, soql)
    return found[0] if found else None
