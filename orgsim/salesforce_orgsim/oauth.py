"""The OAuth endpoints: token, revoke, introspect, userinfo, and the identity address."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta

from flask import Request, Response

from . import grants
from .exchange import Arrival, Exchange, World, handle
from .faults import FaultError, MessageError
from .grants import Ask
from .ids import shorten
from .org import Org
from .rest import session_id, to_json
from .sessions import Session
from .user import User

# The org's own troubles, in OAuth's words.
_ORG_CLOSED = {"ORG_LOCKED", "TRIAL_EXPIRED", "ORG_NOT_OWNED_BY_INSTANCE", "ORG_IN_MAINTENANCE"}
_UNAUTHORIZED = "Bad_OAuth_Token"


def token(world: World, arrival: Arrival, request: Request) -> Response:
    """Answer a token request.

    Args:
        world: The org and everything around it.
        arrival: How the request came.
        request: The request, a form.
    """
    ask = _read(request, arrival)

    def work(_exchange: Exchange) -> Response:
        https_missing = world.org.settings.oauth_https_only and not request.is_secure
        if request.method != "POST" or https_missing:
            raise FaultError("unsupported_grant_type", "grant type not supported")
        session = grants.grant(world.org, ask)
        return to_json(_token_answer(world.org, request, ask, session))

    username = grants.about(world.org, ask)
    return handle(world, arrival, operation="token", username=username, work=work, refuse=_refuse(world.org))


def revoke(world: World, arrival: Arrival, request: Request) -> Response:
    """End a token: an access token, or what OauthToken shows as its DeleteToken."""

    def work(_exchange: Exchange) -> Response:
        given = request.values.get("token", "")
        found = _of_token(world.org, given)
        if found is None:
            raise FaultError("invalid_token", "invalid token")
        world.org.end_session(found.id)
        return Response(status=200)

    found = _of_token(world.org, request.values.get("token", ""))
    username = found.user.username if found else ""
    return handle(world, arrival, operation="revoke", username=username, work=work, refuse=_refuse(world.org))


def introspect(world: World, arrival: Arrival, request: Request) -> Response:
    """Say whether a token lives, and whose it is; for apps, with their key and secret."""
    ask = _read(request, arrival)

    def work(_exchange: Exchange) -> Response:
        grants.authenticate(world.org, ask.client)
        session = world.org.session(ask.form.get("token", ""))
        if session is None:
            return to_json({"active": False})
        ends = session.last_used + timedelta(seconds=world.org.settings.session_timeout)
        return to_json(
            {
                "active": True,
                "scope": session.origin.scope,
                "client_id": session.origin.app.client_id if session.origin.app else "",
                "username": session.user.username,
                "sub": f"{_base_url(world.org, request)}/id/{world.org.id}/{session.user.id}",
                "token_type": "access_token",
                "exp": int(ends.timestamp()),
                "iat": int(session.created.timestamp()),
                "nbf": int(session.created.timestamp()),
            }
        )

    return handle(world, arrival, operation="introspect", username="", work=work, refuse=_refuse(world.org))


def userinfo(world: World, arrival: Arrival, request: Request) -> Response:
    """Tell whose token it is, by the claims of OpenID Connect."""
    return _about_user(world, arrival, request, "", "")


def identity(world: World, arrival: Arrival, request: Request, org_id: str, user_id: str) -> Response:
    """Answer the identity address, which every grant names as `id`."""
    return _about_user(world, arrival, request, org_id, user_id)


def _about_user(world: World, arrival: Arrival, request: Request, org_id: str, user_id: str) -> Response:
    given = session_id(request) or request.values.get("oauth_token", "")

    def work(_exchange: Exchange) -> Response:
        session = world.org.session(given)
        if session is None:
            return Response(_UNAUTHORIZED, 403, mimetype="text/plain")
        strangers = user_id and shorten(user_id) != shorten(session.user.id)
        if strangers or (org_id and shorten(org_id) != shorten(world.org.id)):
            return Response("Wrong_Org", 403, mimetype="text/plain")
        return to_json(_identity_answer(world.org, request, session.user))

    found = world.org.session(given)
    username = found.user.username if found else ""
    operation = "identity" if user_id else "userinfo"
    return handle(world, arrival, operation=operation, username=username, work=work, refuse=_refuse(world.org))


def _read(request: Request, arrival: Arrival) -> Ask:
    form = dict(request.form.items())
    client = (form.get("client_id", ""), form.get("client_secret", ""))
    word, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if word.lower() == "basic":
        try:
            key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            key = secret = ""
        client = (key, secret)
    return Ask(form, client, arrival.source, arrival.host)


def _token_answer(org: Org, request: Request, ask: Ask, session: Session) -> dict[str, str]:
    base = _base_url(org, request)
    answer = {
        "access_token": session.id,
        "scope": session.origin.scope,
        "instance_url": base,
        "id": f"{base}/id/{org.id}/{session.user.id}",
        "token_type": "Bearer",
    }
    if ask.form.get("grant_type") != grants.JWT_BEARER_GRANT:
        issued = str(int(org.clock.now().timestamp() * 1000))
        answer["issued_at"] = issued
        signed = hmac.digest(ask.client[1].encode(), (answer["id"] + issued).encode(), hashlib.sha256)
        answer["signature"] = base64.b64encode(signed).decode()
    return answer


def _identity_answer(org: Org, request: Request, user: User) -> dict[str, object]:
    base = _base_url(org, request)
    return {
        "sub": f"{base}/id/{org.id}/{user.id}",
        "id": f"{base}/id/{org.id}/{user.id}",
        "user_id": user.id,
        "organization_id": org.id,
        "username": user.username,
        "preferred_username": user.username,
        "display_name": user.full_name,
        "name": user.full_name,
        "email": user.settings.email,
        "active": user.settings.active,
        "user_type": user.settings.user_type.upper(),
        "language": user.settings.language,
        "urls": {
            "partner": f"{base}/services/Soap/u/{{version}}/{shorten(org.id)}",
            "enterprise": f"{base}/services/Soap/c/{{version}}/{shorten(org.id)}",
            "rest": f"{base}/services/data/v{{version}}/",
            "query": f"{base}/services/data/v{{version}}/query/",
            "sobjects": f"{base}/services/data/v{{version}}/sobjects/",
        },
    }


def _of_token(org: Org, given: str) -> Session | None:
    return org.session(given) or next((one for one in org.sessions() if given and one.delete_token == given), None)


def _base_url(org: Org, request: Request) -> str:
    return org.settings.instance_url.rstrip("/") or request.host_url.rstrip("/")


def _refuse(org: Org) -> Callable[[FaultError | MessageError], Response]:
    def refuse(error: FaultError | MessageError) -> Response:
        if error.code in _ORG_CLOSED:
            return to_json({"error": "inactive_org", "error_description": "organization is not active"}, 400)
        if error.code.isupper():
            return to_json({"error": "server_error", "error_description": str(error)}, 500)
        status = org.settings.invalid_client_status if error.code == "invalid_client" else 400
        description = getattr(error, "message", str(error))
        return to_json({"error": error.code, "error_description": description}, status)

    return refuse
