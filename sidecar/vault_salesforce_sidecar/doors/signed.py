"""A request signed by the plugin becomes a logical Request: the JWT names it, the digest ties the body to it."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import jwt

from vault_plugin_sdk.framework.coerce import json_object
from vault_plugin_sdk.logical.errors import CallerError, OperatorError
from vault_plugin_sdk.logical.request import Request
from vault_salesforce_contract.forwarding import (
    ALGORITHM,
    CLOCK_SKEW,
    LIFETIME_SECONDS,
    METHODS,
    UNKNOWN_KEY,
    Claims,
    body_digest,
)
from vault_salesforce_sidecar.vault.register import Registrar, Trust

LEEWAY_SECONDS = 15  # how far the clocks of a Vault node and a sidecar may be apart
REFRESH_SECONDS = 2.0  # how long the plugin is kept waiting while its key is learnt


@dataclass(frozen=True)
class SignedRequest:
    """A request whose signature was good.

    Attributes:
        request: What is asked.
        id: Vault's request id.
        fingerprint: What else must be equal for two requests of one id to be the same.
    """

    request: Request
    id: str
    fingerprint: tuple[str, ...]


class SignedDoor:
    """Lets in what the plugin at our mount signed for this instance.

    Args:
        registrar: Knows the plugin's key, and learns a new one.
        instance: Audience that requests must be meant for.
    """

    def __init__(self, registrar: Registrar, instance: str) -> None:
        self._registrar, self._instance = registrar, instance

    def authenticate(self, method: str, path: str, authorization: str, body: bytes) -> SignedRequest:
        """The request.

        Args:
            method: HTTP method.
            path: Path below `/v1/`, decoded.
            authorization: Header of that name.
            body: As received.

        Raises:
            CallerError: 401, nothing was done; with the code `unknown_key` after a heartbeat that learnt the plugin's
                present key, so that it may send the same again. 400: the body is not a JSON object.
            OperatorError: 503, the clocks are too far apart; nothing was done.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _not_let_in("the request carries no signature")
        claims = self._claims(token)
        if claims.exp - claims.iat > LIFETIME_SECONDS:
            # It would be taken for longer than `Once` remembers that it was done.
            raise _not_let_in("the signature would last too long")
        if METHODS.get(claims.operation) != method or claims.path != path or claims.digest != body_digest(body):
            raise _not_let_in("the signature is for another request")
        request = Request(claims.operation, path, _fields(body), claims.caller, mount_accessor=claims.iss)
        return SignedRequest(request, claims.jti, (claims.operation, path, claims.digest))

    def _claims(self, token: str) -> Claims:
        try:
            return Claims.from_payload(self._payload(token, self._registrar.trust))
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as exc:
            raise OperatorError(
                "the signature's time is over, or has not yet come",
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                code=CLOCK_SKEW,
                remedy="set the clocks of the Vault nodes and of the sidecar by the same time server",
            ) from exc
        except _UnknownKey as exc:
            self._registrar.refresh(REFRESH_SECONDS)
            raise _not_let_in("this key is not known here", code=UNKNOWN_KEY) from exc
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
            raise _not_let_in("the signature cannot be read, or is not for this sidecar") from exc

    def _payload(self, token: str, trust: Trust | None) -> dict[str, Any]:
        if trust is None:
            raise _UnknownKey
        try:
            payload: dict[str, Any] = jwt.decode(
                token,
                trust.public_key,
                algorithms=[ALGORITHM],
                audience=self._instance,
                issuer=trust.accessor,
                leeway=LEEWAY_SECONDS,
                options={"require": ["iss", "aud", "jti", "iat", "exp"]},
            )
        except (jwt.InvalidSignatureError, jwt.InvalidIssuerError) as exc:
            raise _UnknownKey from exc
        return payload


class _UnknownKey(Exception):  # noqa: N818 - answered, never seen outside
    pass


def _not_let_in(sentence: str, code: str = "not_signed") -> CallerError:
    return CallerError(sentence, status=HTTPStatus.UNAUTHORIZED, code=code)


def _fields(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    fields = json_object(body)
    if fields is None:
        raise CallerError("the body must be a JSON object")
    return fields
