"""The web application: the one view of the API, the small views beside it, and how errors become answers."""

import time
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import flask
import structlog
from werkzeug.exceptions import HTTPException

from vault_plugin_sdk.framework.path import WRITES, Match, Router
from vault_plugin_sdk.logical.errors import CallerError, EngineError, InternalError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Operation, Request
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api import TABLE
from vault_salesforce_contract.forwarding import METHODS
from vault_salesforce_sidecar.doors import probes, wake
from vault_salesforce_sidecar.doors.once import Once
from vault_salesforce_sidecar.doors.signed import SignedDoor, SignedRequest
from vault_salesforce_sidecar.engine import Engine
from vault_salesforce_sidecar.log import asked_by
from vault_salesforce_sidecar.paths import PATHS
from vault_salesforce_sidecar.store import Conflict, KvUnavailable

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 1 << 20
AGAIN_SECONDS = 5  # when to ask again while Vault is away


@dataclass(frozen=True)
class Answer:
    """An answer before it is HTTP."""

    status: int
    body: dict[str, Any] | None


def create_app(engine: Engine) -> flask.Flask:
    """The application of one engine; starts nothing."""
    app = flask.Flask("vault_salesforce_sidecar", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.merge_slashes = False
    router = Router(PATHS, others=TABLE)
    door = SignedDoor(engine.registrar, engine.settings.instance)
    once: Once[Answer] = Once(engine.clock)

    @app.route("/v1/<path:path>", methods=sorted(set(METHODS.values())), provide_automatic_options=False)
    def api(path: str) -> flask.Response:
        engine.require_up()
        asked = flask.request
        signed = door.authenticate(asked.method, path, asked.headers.get("Authorization", ""), asked.get_data())
        looks = signed.request.operation not in (*WRITES, Operation.DELETE)
        return _to_http(once.run(signed.id, signed.fingerprint, lambda: _answer(engine, router, signed), looks=looks))

    @app.before_request
    def of_known_length() -> None:
        # It was not waited for: see `Admission`. Half of it may be here, and what follows may be anything.
        if "Transfer-Encoding" in flask.request.headers:
            raise CallerError("the body must come with its length", status=HTTPStatus.LENGTH_REQUIRED)

    @app.errorhandler(Exception)
    def failed(exc: Exception) -> flask.Response:
        return _to_http(_of_error(exc))

    app.register_blueprint(wake.blueprint(engine))
    app.register_blueprint(probes.blueprint(engine))
    return app


def _answer(engine: Engine, router: Router, signed: SignedRequest) -> Answer:
    """Answer one request; never raises."""
    request, begun = signed.request, time.monotonic()
    try:
        match = router.resolve(request)
        answer = _of_response(request, _called(match, engine, request))
    except Exception as exc:  # noqa: BLE001 - becomes an answer, and is logged there
        answer = _of_error(exc)
    engine.metrics.requests.labels(str(answer.status)).inc()
    log.info(
        "request",
        operation=request.operation.value,
        path=request.path,
        status=answer.status,
        remote_address=request.caller.remote_address,
        seconds=round(time.monotonic() - begun, 3),
        **asked_by(request.caller),
    )
    return answer


def _called(match: Match, engine: Engine, request: Request) -> Response:
    return match.answer(match.call(engine, request.caller))


def _of_response(request: Request, response: Response) -> Answer:
    body: dict[str, Any] = {}
    if response.data is not None:
        body["data"] = dict(response.data)
    if response.warnings:
        body["warnings"] = list(response.warnings)
    if response.data is None and (request.operation is Operation.LIST or request.operation is Operation.READ):
        return Answer(response.status or HTTPStatus.NOT_FOUND, {"errors": []} | body)
    empty = HTTPStatus.NO_CONTENT if request.operation in WRITES or request.operation is Operation.DELETE else 200
    return Answer(response.status or (HTTPStatus.OK if body else empty), body or None)


def _of_error(exc: Exception) -> Answer:
    match exc:
        case EngineError():
            error: EngineError = exc
        case KvUnavailable(remedy=None):
            error = TransientError(exc.sentence, code="vault_unavailable", retry_after_seconds=AGAIN_SECONDS)
        case KvUnavailable():
            error = OperatorError(
                exc.sentence,
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                code="vault_unavailable",
                remedy=exc.remedy,
                retry_after_seconds=AGAIN_SECONDS,
            )
        case Conflict():
            error = CallerError(
                "somebody else changed it at the same moment",
                status=HTTPStatus.CONFLICT,
                code="conflict",
                remedy="look at what it is now, and send the request again if it is still wanted",
            )
        case HTTPException():
            error = CallerError(exc.name.lower(), status=exc.code)
        case _:
            error_id = uuid.uuid4().hex
            log.error("unexpected", error_id=error_id, exc_info=exc)
            error = InternalError(f"internal error {error_id}: the sidecar's log says more")
    return Answer(error.status, error.body())


def _to_http(answer: Answer) -> flask.Response:
    if answer.body is None:
        return flask.Response(status=answer.status)
    response = flask.jsonify(answer.body)
    response.status_code = answer.status
    return response
