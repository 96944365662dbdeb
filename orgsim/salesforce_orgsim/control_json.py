"""JSON in and out of the control port, and its one kind of error."""

import json
from typing import Any

from flask import Request, Response


class ControlError(Exception):
    """A request to the control port cannot be done; the sentence is the answer.

    Args:
        status: HTTP status of the answer.
        sentence: Why.
    """

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


def read_body(request: Request) -> Any:
    """Read the body; an empty one is an empty object.

    Raises:
        ControlError: It is no JSON.
    """
    try:
        return json.loads(request.get_data() or b"{}")
    except ValueError as error:
        raise ControlError(400, "The body must be JSON.") from error


def read_object(request: Request) -> dict[str, Any]:
    """Read a body that must be an object.

    Raises:
        ControlError: It is none.
    """
    document = read_body(request)
    if not isinstance(document, dict):
        raise ControlError(400, "The body must be an object.")
    return document


def to_json(document: Any, status: int = 200) -> Response:
    """Make an answer."""
    return Response(json.dumps(document), status, content_type="application/json")
