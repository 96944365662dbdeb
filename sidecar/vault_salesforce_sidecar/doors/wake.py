"""`POST /wake`: the plugin has news; the heartbeat fetches it. Says nothing, so that it needs no signature."""

from http import HTTPStatus

import flask

from vault_salesforce_sidecar.engine import Engine


def blueprint(engine: Engine) -> flask.Blueprint:
    """The one view."""
    views = flask.Blueprint("wake", __name__)

    @views.post("/wake")
    def wake() -> tuple[str, int]:
        engine.registrar.soon()
        return "", HTTPStatus.NO_CONTENT

    return views
