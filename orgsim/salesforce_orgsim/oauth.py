"""The OAuth token endpoint of an org that has no app and blocks the password grant: every grant is refused."""

from flask import Request, Response

from .exchange import Arrival, Exchange, World, handle
from .faults import FaultError, MessageError
from .login import LoginAttempt, write_row
from .rest import to_json

LOGIN_TYPE = "Remote Access 2.0"


def answer(world: World, arrival: Arrival, request: Request) -> Response:
    """Answer a token request.

    Args:
        world: The org and everything around it.
        arrival: How the request came.
        request: The request, a form.
    """
    user = world.org.user(request.form.get("username", ""))
    grant = request.form.get("grant_type", "")

    def work(_exchange: Exchange) -> Response:
        if request.method != "POST" or grant != "password":
            raise FaultError("unsupported_grant_type", "grant type not supported")
        if user is not None:
            attempt = LoginAttempt(user.username, "", arrival.source, arrival.host, api_type="N/A", api_version="N/A")
            with world.org.lock:
                write_row(world.org, attempt, user, "Username-Password Flow Disabled", login_type=LOGIN_TYPE)
        raise FaultError("invalid_grant", "authentication failure")

    def refuse(error: FaultError | MessageError) -> Response:
        description = getattr(error, "message", str(error))
        return to_json({"error": error.code, "error_description": description}, 400)

    username = user.username if user else ""
    return handle(world, arrival, operation="token", username=username, work=work, refuse=refuse)
