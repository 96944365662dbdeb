"""The vendor's port: which address leads to which operation."""

import re
import ssl
from collections.abc import Callable
from typing import Any, TypeAlias

from flask import Flask, Response, request

from . import envelope, oauth, rest, rest_apps, rest_passwords, rest_records, soap
from .exchange import Arrival, World

_VERSION = re.compile(r"\d{1,3}\.\d")
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

# HTTP method to the name of the operation and what does it.
_Methods: TypeAlias = "dict[str, tuple[str, Callable[..., Response]]]"

_PASSWORD: _Methods = {
    "GET": ("passwordStatus", rest_passwords.password_status),
    "HEAD": ("passwordStatus", rest_passwords.password_status),
    "POST": ("setPassword", rest_passwords.set_password),
    "DELETE": ("resetPassword", rest_passwords.reset_password),
}
_RESOURCES: tuple[tuple[str, _Methods], ...] = (
    ("", {"GET": ("resources", rest.resources)}),
    ("/sobjects/User/<user_id>/password", _PASSWORD),
    ("/limits", {"GET": ("limits", rest.limits)}),
    ("/sobjects/<name>/describe", {"GET": ("describe", rest_records.describe)}),
    (
        "/sobjects/<name>/<record_id>",
        {
            "GET": ("retrieve", rest_records.record),
            "PATCH": ("update", rest_records.update),
            "DELETE": ("delete", rest_records.delete),
        },
    ),
    ("/composite/sobjects", {"DELETE": ("delete", rest_records.delete_collection)}),
    ("/apps/oauth/usage", {"GET": ("appUsage", rest_apps.usage)}),
    ("/apps/oauth/credentials/<app_id>", {"GET": ("appConsumers", rest_apps.consumers)}),
    ("/apps/oauth/credentials/<app_id>/<consumer_id>", {"GET": ("appConsumer", rest_apps.consumer)}),
    (
        "/apps/oauth/credentials/<app_id>/<consumer_id>/staged",
        {"GET": ("appStaged", rest_apps.staged), "POST": ("appStage", rest_apps.stage)},
    ),
    (
        "/apps/oauth/credentials/<app_id>/<consumer_id>/staged/<staged_id>",
        {"PATCH": ("appRotate", rest_apps.rotate), "DELETE": ("appDrop", rest_apps.drop)},
    ),
    ("/query", {"GET": ("query", rest_records.query)}),
    ("/query/<locator>", {"GET": ("query", rest_records.query_more)}),
    ("/tooling/query", {"GET": ("toolingQuery", rest_records.tooling_query)}),
    ("/tooling/query/<locator>", {"GET": ("toolingQuery", rest_records.query_more)}),
)


def vendor_app(world: World) -> Flask:
    """Build the application that plays Salesforce."""
    app = Flask("salesforce_orgsim")
    # An exception that is no answer must reach the server, which then drops the connection.
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.config["MAX_CONTENT_LENGTH"] = 2 * envelope.LARGEST_BODY_BYTES
    app.url_map.strict_slashes = False

    @app.post("/services/Soap/<letter>/<version>")
    @app.post("/services/Soap/<letter>/<version>/<org_id>")
    def soap_call(letter: str, version: str, **_address: str) -> Response:
        dialect = envelope.DIALECTS.get(letter)
        if dialect is None or not _VERSION.fullmatch(version):
            return _answer_rest(world, "", "unknown", rest.not_found)
        base_url = request.host_url.rstrip("/")
        return soap.answer(
            world, _arrival("soap"), request.get_data(), dialect=dialect, version=version, base_url=base_url
        )

    _add_oauth(app, world)

    @app.get("/services/data")
    def versions() -> Response:
        return _answer_rest(world, "", "versions", rest.versions)

    for tail, methods in _RESOURCES:
        view = _resource(world, methods)
        app.add_url_rule(f"/services/data/v<version>{tail}", tail or "version", view, methods=_METHODS)

    @app.route("/", defaults={"path": ""}, methods=_METHODS)
    @app.route("/<path:path>", methods=_METHODS)
    def elsewhere(**_address: str) -> Response:
        return _answer_rest(world, "", "unknown", rest.not_found)

    return app


def _add_oauth(app: Flask, world: World) -> None:
    @app.route("/services/oauth2/token", methods=_METHODS)
    def token() -> Response:
        return oauth.token(world, _arrival("oauth"), request)

    @app.route("/services/oauth2/revoke", methods=["GET", "POST"])
    def revoke() -> Response:
        return oauth.revoke(world, _arrival("oauth"), request)

    @app.post("/services/oauth2/introspect")
    def introspect() -> Response:
        return oauth.introspect(world, _arrival("oauth"), request)

    @app.route("/services/oauth2/userinfo", methods=["GET", "POST"])
    def userinfo() -> Response:
        return oauth.userinfo(world, _arrival("oauth"), request)

    @app.get("/id/<org_id>/<user_id>")
    def identity(org_id: str, user_id: str) -> Response:
        return oauth.identity(world, _arrival("oauth"), request, org_id, user_id)


def _resource(world: World, methods: _Methods) -> Callable[..., Response]:
    def view(version: str, **arguments: Any) -> Response:
        if not _VERSION.fullmatch(version):
            return _answer_rest(world, "", "unknown", rest.not_found)
        operation, work = methods.get(request.method, ("unknown", rest.not_allowed))
        return _answer_rest(world, version, operation, lambda asked: work(asked, **arguments))

    return view


def _answer_rest(world: World, version: str, operation: str, work: rest.Work) -> Response:
    return rest.answer(world, _arrival("rest"), request, version=version, operation=operation, work=work)


def _arrival(channel: str) -> Arrival:
    # Read now and kept: what is still on a connection that is being held would pass for the client's goodbye.
    request.get_data()
    connection = request.environ.get("werkzeug.socket")
    return Arrival(
        channel=channel,
        method=request.method,
        path=request.path,
        source=request.remote_addr or "",
        host=request.host,
        connection=connection,
        client_certificate=isinstance(connection, ssl.SSLSocket) and bool(connection.getpeercert()),
    )
