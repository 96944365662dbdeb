"""The sessions of one rotation, the user's own and the administrator's, and what can be seen and ended in them."""

from collections.abc import Callable
from typing import Final, TypeVar

from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.rotation.budget import limit_of
from vault_salesforce_sidecar.rotation.parts import Account, is_named
from vault_salesforce_sidecar.salesforce import policies, rights
from vault_salesforce_sidecar.salesforce.interface import Fault, Lost, NotSent, OrgRefused, Session, User

RIGHTS_SECONDS: Final = 60.0  # that a look at a user's permissions is good for

Answer = TypeVar("Answer")


class Sessions:
    """Who looks at, and changes, one user. Calls raise OrgRefused, Lost and NotSent.

    Args:
        account: The user.
        clock: Time.
        ready: Called before each call to the org: returns once the hold outlasts the call.

    Attributes:
        own: The user's session that a login with the password opened.
        app_shut: The connection's app opens none any more: a login says more.
    """

    def __init__(self, account: Account, clock: Clock, ready: Callable[[], None]) -> None:
        self._account, self._clock, self._ready = account, clock, ready
        self.own: Session | None = None
        self.app_shut = False
        self._by_app: Session | None = None
        self._permissions: frozenset[str] | None = None
        self._permissions_until = float("-inf")

    @property
    def may_look(self) -> bool:
        """Whether the org's record of the last change can be read without a login of the password."""
        if not self._account.role.self_managed:
            return True
        return self._sees_own or (self._account.by_app and not self.app_shut)

    def as_user(self, call: Callable[[Session], Answer], *, to_look: bool = False) -> Answer:
        """Call in the user's own session: the one in hand, else one by app, which is opened once anew if it is dead.

        Args:
            call: What to do in it.
            to_look: An expired password's session, which changes the password and nothing else, will not do.
        """
        if self.own is not None and (self._sees_own or not to_look):
            self._ready()
            return call(self.own)
        for last in (False, True):
            self._ready()
            fresh = self._by_app is None  # what keeps this user out now, before anything is changed
            self._by_app = session = self._account.org.log_in_as(self._account.username, fresh=fresh)
            self._ready()
            try:
                return call(session)
            except OrgRefused as refused:
                if last or refused.fault.code != findings.DEAD_SESSION:
                    raise
                self._account.org.forget_admin_session(session)
        raise AssertionError("the second call returns or raises")

    def as_admin(self, call: Callable[[Session], Answer]) -> Answer:
        """Call with the connection's session; one that the org no longer knows has applied nothing: once more."""
        for last in (False, True):
            self._ready()
            admin = self._account.org.admin_session()
            if admin is None:
                break
            self._ready()
            try:
                return call(admin)
            except OrgRefused as refused:
                if last or refused.fault.code != findings.DEAD_SESSION:
                    raise
                self._account.org.forget_admin_session(admin)
        raise OrgRefused(findings.NO_IDENTITY)

    def find_user(self, *, by_admin: bool = False) -> User | None:
        """The user, as they themself or the administrator see them; `by_admin`: as the administrator does."""
        username = self._account.username
        own = self._sees_own or (self._account.by_app and not self.app_shut)
        if own and not by_admin:
            return self.as_user(lambda session: self._account.org.find_user(session, username), to_look=True)
        return self.as_admin(lambda admin: self._account.org.find_user(admin, username))

    def glance(self) -> User | None:
        """The user as somebody sees them now, an administrator rather than the app; None where that cannot be had."""
        account = self._account
        looks = [True] if account.administered and not self._sees_own else []
        looks += [False] if self.may_look or not looks else []
        if not account.administered and not self.may_look:
            return None
        for by_admin in looks:
            try:
                return self.find_user(by_admin=by_admin)
            except (OrgRefused, Lost, NotSent):
                continue
        return None

    def lockout_limit(self) -> int:
        """The failed logins in a row that lock the user, as far as the org tells whoever looks."""
        org = self._account.org
        try:
            if self._account.administered:
                policy = self.as_admin(org.password_policy)
            else:
                policy = self.as_user(org.password_policy, to_look=True)
        except (OrgRefused, Lost, NotSent):
            return limit_of(None)
        return limit_of(policies.lockout_limit(policy))

    def check_named(self, user_id: str) -> None:
        """Make sure that an administrator may set this password: a privileged user is named, and not by a glob.

        Raises: OrgRefused where the user is not, or it cannot be seen.
        """
        if is_named(self._account.config, self._account.username, exactly=True):
            return
        found = self._permissions_of(user_id, by_admin=True)
        if found is None:
            raise OrgRefused(findings.UNSEEN_RIGHTS)
        if held := found & rights.PRIVILEGES:
            raise OrgRefused(findings.privileged(held))

    def no_password_login(self, user_id: str, *, by_admin: bool) -> Fault | None:
        """Why no password of this user can log in, as far as permissions tell; None: nothing is seen."""
        try:
            found = self._permissions_of(user_id, by_admin=by_admin)
        except OrgRefused:
            return None
        return next((fault for name, fault in findings.NO_PASSWORD_LOGIN.items() if name in (found or ())), None)

    def _permissions_of(self, user_id: str, *, by_admin: bool) -> frozenset[str] | None:
        """Which of the permissions that matter here the user has; None where it cannot be seen. One look is kept."""
        now = self._clock.monotonic()
        if now >= self._permissions_until:
            call = self.as_admin if by_admin else self.as_user
            wanted = rights.PRIVILEGES | findings.NO_PASSWORD_LOGIN.keys()
            self._permissions = call(lambda one: rights.permissions_of(self._account.org, one, user_id, wanted))
            self._permissions_until = now + RIGHTS_SECONDS
        return self._permissions

    def end_others(self, user_id: str) -> int:
        """End every session of the user but the one that does it, which is kept by who opened it; how many.

        Raises: OrgRefused where nobody may.
        """
        org, account = self._account.org, self._account
        if account.by_app or (self._sees_own and not account.administered):
            try:
                return self.as_user(lambda session: org.end_sessions(session, session.user_id), to_look=True)
            except OrgRefused:
                if not account.administered:
                    raise
        if not account.administered:
            raise OrgRefused(findings.NOBODY_ENDS)
        ended = self.as_admin(lambda admin: org.end_sessions(admin, user_id))
        if self._by_app is not None:
            org.forget_admin_session(self._by_app)
        return ended

    @property
    def _sees_own(self) -> bool:
        return self.own is not None and not self.own.password_expired


def shut(user: User) -> Fault | None:
    """Why no login of this user can succeed now, if somebody who may look can tell."""
    if not user.is_active:
        return findings.INACTIVE
    if user.is_frozen:
        return findings.FROZEN
    return findings.LOCKED if user.is_locked else None
