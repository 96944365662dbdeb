"""LoginHistory, AuthSession, OauthToken and LoginIp: who came in, from where, and what still stands open."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from salesforce_orgsim import ids
from salesforce_orgsim.org import LoginRow, Org
from salesforce_orgsim.sessions import OAUTH, Session
from salesforce_orgsim.tables import Column, Look, Table
from salesforce_orgsim.user import Device, User


@dataclass(frozen=True)
class _DeviceOf:
    user: User
    device: Device


def _logins_of(org: Org, record_id: str) -> Iterable[LoginRow]:
    user = org.user_by_id(record_id)
    return org.logins_of(user) if user else ()


def _sees_login(look: Look, row: LoginRow) -> bool:
    viewer = look.viewer.settings
    arrived = look.org.clock.now() - row.time >= timedelta(seconds=look.org.settings.login_history_delay)
    return arrived and (row.user is look.viewer or viewer.manage_users or viewer.monitor_login_history)


def _sessions_of(org: Org, record_id: str) -> Iterable[Session]:
    user = org.user_by_id(record_id)
    return org.sessions_of(user) if user else ()


def _sees_session(look: Look, session: Session) -> bool:
    return session.user is look.viewer or look.viewer.settings.manage_users


def _grants(org: Org) -> Iterable[Session]:
    return [session for session in org.sessions() if session.origin.kind == OAUTH]


def _devices(org: Org) -> Iterable[_DeviceOf]:
    return [_DeviceOf(user, device) for user in org.users.values() for device in user.devices.values()]


def _login_id(number: int) -> str | None:
    return ids.numbered(ids.LOGIN_HISTORY, number) if number else None


LOGIN_HISTORY = Table(
    "LoginHistory",
    {
        "Id": Column("id", lambda _, row: _login_id(row.number)),
        "UserId": Column("reference", lambda _, row: row.user.id),
        "LoginTime": Column("datetime", lambda _, row: row.time),
        "LoginType": Column("picklist", lambda _, row: row.login_type),
        "LoginUrl": Column("string", lambda _, row: row.login_url),
        "SourceIp": Column("string", lambda _, row: row.source),
        "Status": Column("string", lambda _, row: row.status),
        "ApiType": Column("string", lambda _, row: row.api_type),
        "ApiVersion": Column("string", lambda _, row: row.api_version),
        "Application": Column("string", lambda _, row: row.application),
        "Browser": Column("string", lambda _look, _row: "Unknown"),
        "Platform": Column("string", lambda _look, _row: "Unknown"),
        "ClientVersion": Column("string", lambda _look, _row: "N/A"),
        "TlsProtocol": Column("picklist", lambda _look, _row: "TLS 1.3"),
        "CipherSuite": Column("string", lambda _look, _row: "TLS_AES_256_GCM_SHA384"),
        "OptionsIsGet": Column("boolean", lambda _look, _row: False),
        "OptionsIsPost": Column("boolean", lambda _look, _row: True),
        "CountryIso": Column("string", lambda _look, _row: None),
        "LoginGeoId": Column("reference", lambda _look, _row: None),
        "NetworkId": Column("reference", lambda _look, _row: None),
    },
    lambda org: org.history,
    index={"UserId": _logins_of},
    sees=_sees_login,
)

AUTH_SESSION = Table(
    "AuthSession",
    {
        "Id": Column("id", lambda _, session: ids.numbered(ids.AUTH_SESSION, session.number)),
        "UsersId": Column("reference", lambda _, session: session.user.id),
        "Users.Username": Column("string", lambda _, session: session.user.username),
        "UserType": Column("picklist", lambda _, session: session.user.settings.user_type),
        "SessionType": Column("picklist", lambda _, session: session.origin.kind),
        "LoginType": Column("picklist", lambda _, session: session.origin.login_type),
        "LoginHistoryId": Column("reference", lambda _, session: _login_id(session.origin.login_row)),
        "SourceIp": Column("string", lambda _, session: session.origin.source),
        "NumSecondsValid": Column("int", lambda look, _: look.org.settings.session_timeout),
        "SessionSecurityLevel": Column("picklist", lambda _look, _session: "STANDARD"),
        "CreatedDate": Column("datetime", lambda _, session: session.created),
        "LastModifiedDate": Column("datetime", lambda _, session: session.last_used),
        "ParentId": Column("reference", lambda _look, _session: None),
        "LogoutUrl": Column("string", lambda _look, _session: None),
        "LoginGeoId": Column("reference", lambda _look, _session: None),
        "IsCurrent": Column("boolean", lambda look, session: session is look.session),
    },
    lambda org: org.sessions(),
    index={"UsersId": _sessions_of},
    sees=_sees_session,
    delete=lambda org, session: org.end_session(session.id),
    prefix=ids.AUTH_SESSION,
)

OAUTH_TOKEN = Table(
    "OauthToken",
    {
        "Id": Column("id", lambda _, session: ids.numbered(ids.OAUTH_TOKEN, session.number)),
        "AppName": Column("string", lambda _, session: session.origin.app.name),
        "UserId": Column("reference", lambda _, session: session.user.id),
        "CreatedDate": Column("datetime", lambda _, session: session.created),
        "LastUsedDate": Column("datetime", lambda _, session: session.last_used),
        "UseCount": Column("int", lambda _, session: session.uses),
        "DeleteToken": Column("string", lambda _, session: session.delete_token),
    },
    _grants,
    sees=_sees_session,
)

LOGIN_IP = Table(
    "LoginIp",
    {
        "Id": Column("id", lambda _, row: ids.numbered(ids.LOGIN_IP, row.device.number)),
        "UsersId": Column("reference", lambda _, row: row.user.id),
        "SourceIp": Column("string", lambda _, row: row.device.source),
        "IsAuthenticated": Column("boolean", lambda _, row: row.device.confirmed),
        "ChallengeSentDate": Column("datetime", lambda _, row: row.device.challenged),
        "ChallengeMethod": Column("picklist", lambda _look, _row: "Email"),
        "CreatedDate": Column("datetime", lambda _, row: row.device.created),
    },
    _devices,
    sees=lambda look, row: row.user is look.viewer or look.viewer.settings.manage_users,
    delete=lambda _, row: row.user.devices.pop(row.device.source, None),
    prefix=ids.LOGIN_IP,
)
