"""The control port: what a test may see and turn; JSON both ways, and never a secret outside a mailbox."""

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from . import control_apps, control_users
from .clock import stamp
from .control_json import ControlError, read_object, to_json
from .exchange import World
from .reading import SettingsError, as_json
from .stale import StaleConsumers


def control_app(world: World, stale: StaleConsumers) -> Flask:
    """Build the application of the control port.

    Args:
        world: The org and everything around it.
        stale: The org's stale consumers.
    """
    app = Flask("salesforce_orgsim.control")
    _add_errors(app)
    _add_org(app, world)
    _add_knobs(app, world)
    control_users.add_to(app, world, stale)
    control_apps.add_to(app, world)

    @app.post("/reset")
    def reset() -> Response:
        stale.stop_all()
        world.later.cancel()
        world.misbehave.reset()
        world.org.reset()
        world.post.reset()
        world.log.clear()
        return to_json({"users": len(world.org.users)})

    return app


def _add_errors(app: Flask) -> None:
    @app.errorhandler(ControlError)
    def refused(error: ControlError) -> Response:
        return to_json({"error": str(error)}, error.status)

    @app.errorhandler(SettingsError)
    def unreadable(error: SettingsError) -> Response:
        return to_json({"error": str(error)}, 400)

    @app.errorhandler(HTTPException)
    def unknown(error: HTTPException) -> Response:
        return to_json({"error": f"{request.method} {request.path}: {error.name}."}, error.code or 500)


def _add_org(app: Flask, world: World) -> None:
    org = world.org

    def show() -> Response:
        with org.lock:
            settings = as_json(org.settings)
            return to_json({"id": org.id, "now": stamp(org.clock.now()), "api_requests": org.api_requests, **settings})

    @app.get("/org")
    def settings() -> Response:
        return show()

    @app.patch("/org")
    def change_settings() -> Response:
        org.change_settings(read_object(request))
        return show()

    @app.post("/clock")
    def clock() -> Response:
        seconds = read_object(request).get("advance_seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ControlError(400, "advance_seconds must be a number of seconds.")
        org.clock.advance(seconds)
        return to_json({"now": stamp(org.clock.now())})

    @app.get("/requests")
    def requests() -> Response:
        since = request.args.get("since", "0")
        if not since.isdecimal():
            raise ControlError(400, "since must be the number of a request.")
        return to_json(world.log.since(int(since)))


def _add_knobs(app: Flask, world: World) -> None:
    def show() -> Response:
        return to_json(world.misbehave.as_json())

    @app.get("/misbehave")
    def knobs() -> Response:
        return show()

    @app.patch("/misbehave")
    def turn() -> Response:
        world.misbehave.patch(read_object(request))
        return show()

    @app.delete("/misbehave")
    def behave() -> Response:
        world.misbehave.off()
        return show()
