"""Errors that say who has to act. One module at each door turns them into an answer."""

from http import HTTPStatus


class EngineError(Exception):
    """What a caller is told instead of an answer.

    Args:
        sentence: One sentence for the person who reads it, without any secret.
        status: HTTP status of the answer.
        code: A short word that programs may compare; None where the status says it all.
        remedy: The one thing to do next.
        retry_after_seconds: When the same request may be sent again; None says nothing about it.
    """

    default_status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(
        self,
        sentence: str,
        *,
        status: int | None = None,
        code: str | None = None,
        remedy: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = int(status or self.default_status)
        self.code = code
        self.remedy = remedy
        self.retry_after_seconds = retry_after_seconds

    def body(self) -> dict[str, object]:
        """The JSON object that the caller gets: `errors`, and `code`, `remedy`, `retry_after_seconds` where known."""
        extra = {"code": self.code, "remedy": self.remedy, "retry_after_seconds": self.retry_after_seconds}
        return {"errors": [self.sentence]} | {name: value for name, value in extra.items() if value is not None}


class CallerError(EngineError):
    """The request is wrong: 400, 404, 405 or 409."""

    default_status = HTTPStatus.BAD_REQUEST


class OperatorError(EngineError):
    """The org, a policy or the deployment must be mended first: 424 or 503, with the remedy."""

    default_status = HTTPStatus.FAILED_DEPENDENCY


class TransientError(EngineError):
    """It may work later: 429 or 503, with `retry_after_seconds`."""

    default_status = HTTPStatus.SERVICE_UNAVAILABLE


class InternalError(EngineError):
    """Our fault: 500. The sentence names the log entry and nothing else."""


class ForwardToActive(Exception):  # noqa: N818 - not a fault: it asks the server to repeat the request elsewhere
    """This node may not write: the server is asked to repeat the request on the active node.

    Source: OpenBao repeats a request there when the plugin's error carries this text.
    """

    text = "please forward to the active node"

    def __init__(self) -> None:
        super().__init__(self.text)
