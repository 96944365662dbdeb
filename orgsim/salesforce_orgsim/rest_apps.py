"""The REST resources for the keys and secrets of apps: read, stage, rotate, drop."""

from typing import Any

from flask import Response

from .apps import App, Credentials
from .faults import FaultError
from .rest import Asked, to_json

_SINCE = 65.0


def usage(asked: Asked) -> Response:
    """List the org's apps."""
    _enter(asked)
    apps = [{"identifier": app.id, "name": app.settings.name, "type": app.settings.kind} for app in asked.org.apps]
    return to_json({"apps": apps})


def consumers(asked: Asked, app_id: str) -> Response:
    """List the consumers of an app, without a secret."""
    app = _find(asked, app_id)
    base = f"{asked.base}/apps/oauth/credentials/{app.id}/{app.consumer_id}"
    consumer = {
        "id": app.consumer_id,
        "key": app.active.key,
        "name": app.settings.name,
        "url": base,
        "stagedCredentialsUrl": f"{base}/staged",
    }
    return to_json({"consumers": [consumer]})


def consumer(asked: Asked, app_id: str, consumer_id: str) -> Response:
    """Show the key of a consumer, and its secret where that is asked for."""
    app = _find(asked, app_id, consumer_id)
    shown = {"id": app.consumer_id, "key": app.active.key}
    if asked.request.args.get("part", "").lower() == "keyandsecret":
        shown["secret"] = app.active.secret
    return to_json(shown)


def staged(asked: Asked, app_id: str, consumer_id: str) -> Response:
    """List the set that stands beside the present one."""
    app = _find(asked, app_id, consumer_id)
    now = asked.org.clock.now()
    beside = [app.beside] if app.beside and app.beside.works(now) else []
    return to_json({"stagedCredentials": [_show(asked, app, one) for one in beside]})


def stage(asked: Asked, app_id: str, consumer_id: str) -> Response:
    """Make a new key and secret, good at once beside the present ones."""
    app = _find(asked, app_id, consumer_id)
    with asked.org.lock:
        if app.beside and app.beside.works(asked.org.clock.now()):
            raise FaultError("INVALID_OPERATION", "There is a staged set already.")
        return to_json({"stagedCredentials": [_show(asked, app, app.stage())]}, 201)


def rotate(asked: Asked, app_id: str, consumer_id: str, staged_id: str) -> Response:
    """Let the staged set take the place of the present one."""
    app = _find_staged(asked, app_id, consumer_id, staged_id)
    if asked.body().get("command") != "rotate":
        raise FaultError("JSON_PARSER_ERROR", "The command must be rotate.")
    with asked.org.lock:
        app.rotate(asked.org.clock.now())
    return staged(asked, app_id, consumer_id)


def drop(asked: Asked, app_id: str, consumer_id: str, staged_id: str) -> Response:
    """End the set that stands beside the present one."""
    app = _find_staged(asked, app_id, consumer_id, staged_id)
    with asked.org.lock:
        app.drop()
    return Response(status=204)


def _enter(asked: Asked) -> None:
    session = asked.session()
    if float(asked.version) < _SINCE:
        raise FaultError("NOT_FOUND")
    if not (asked.org.settings.client_secret_api and session.user.settings.view_client_secret):
        raise FaultError("INSUFFICIENT_ACCESS")


def _find(asked: Asked, app_id: str, consumer_id: str | None = None) -> App:
    _enter(asked)
    for app in asked.org.apps:
        if app.id == app_id and consumer_id in {None, app.consumer_id}:
            return app
    raise FaultError("NOT_FOUND")


def _find_staged(asked: Asked, app_id: str, consumer_id: str, staged_id: str) -> App:
    app = _find(asked, app_id, consumer_id)
    if app.beside is None or app.beside.id != staged_id or not app.beside.works(asked.org.clock.now()):
        raise FaultError("NOT_FOUND")
    return app


def _show(asked: Asked, app: App, credentials: Credentials) -> dict[str, Any]:
    base = f"{asked.base}/apps/oauth/credentials/{app.id}/{app.consumer_id}/staged"
    return {
        "id": credentials.id,
        "key": credentials.key,
        "secret": credentials.secret,
        "state": credentials.state,
        "url": f"{base}/{credentials.id}",
    }
