"""Liveness, readiness and metrics: answered from memory, whatever Vault or Salesforce do."""

from http import HTTPStatus

import flask

from vault_salesforce_sidecar.engine import Engine
from vault_salesforce_sidecar.metrics import CONTENT_TYPE


def blueprint(engine: Engine) -> flask.Blueprint:
    """The three views."""
    views = flask.Blueprint("probes", __name__)

    @views.get("/health/live")
    def live() -> flask.Response:
        return flask.jsonify(live=True)

    @views.get("/health/ready")
    def ready() -> tuple[flask.Response, int]:
        reason = engine.unready()
        status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
        return flask.jsonify(ready=not reason, reason=reason or ""), status

    @views.get("/metrics")
    def metrics() -> flask.Response:
        return flask.Response(engine.metrics.text(), content_type=CONTENT_TYPE)

    return views
