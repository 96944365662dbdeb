"""The apps, as the control port shows and changes them."""

from typing import Any

from flask import Flask, Response, request

from .apps import App
from .control_json import ControlError, read_body, read_object, to_json
from .exchange import World
from .reading import as_json, change
from .settings import read_app

_NOT_SHOWN = ("client_id", "client_secret")
_FIXED = {"client_id", "clientId"}


def add_to(app: Flask, world: World) -> None:
    """Add the apps' addresses to the control port."""
    org = world.org

    @app.get("/apps")
    def apps() -> Response:
        with org.lock:
            return to_json([_show(found) for found in org.apps])

    @app.post("/apps")
    def add_app() -> Response:
        wanted = read_app(read_body(request))
        with org.lock:
            if org.app(wanted.client_id):
                raise ControlError(409, f"There is an app {wanted.client_id} already.")
            return to_json(_show(org.add_app(wanted)), 201)

    @app.get("/apps/<client_id>")
    def show_app(client_id: str) -> Response:
        return to_json(_show(_find(world, client_id)))

    @app.patch("/apps/<client_id>")
    def change_app(client_id: str) -> Response:
        found, document = _find(world, client_id), read_object(request)
        if _FIXED & document.keys():
            raise ControlError(400, "client_id cannot be changed here.")
        with org.lock:
            found.settings = change(found.settings, document, "app")
            found.active.secret = found.settings.client_secret or found.active.secret
        return to_json(_show(found))


def _find(world: World, client_id: str) -> App:
    with world.org.lock:
        for app in world.org.apps:
            if client_id in {app.settings.client_id, app.active.key}:
                return app
    raise ControlError(404, f"There is no app {client_id}.")


def _show(app: App) -> dict[str, Any]:
    return {
        "id": app.id,
        "consumer_id": app.consumer_id,
        "client_id": app.active.key,
        **as_json(app.settings, leave_out=_NOT_SHOWN),
        "staged": app.beside.state if app.beside else None,
    }
