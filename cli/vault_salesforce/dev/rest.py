"""JSON over HTTP to the servers of the stack: one request, one answer, never a second try."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import urllib3

_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """What came back: the status, and the JSON object (empty where there was none)."""

    status: int
    body: Mapping[str, Any]

    @property
    def data(self) -> Mapping[str, Any]:
        """The member `data`, which Vault puts its answers into."""
        return self.body.get("data") or {}

    @property
    def sentences(self) -> str:
        """The errors, as Vault writes them; the org's control port writes one."""
        return "; ".join(str(error) for error in self.body.get("errors") or filter(None, [self.body.get("error")]))


class Refused(Exception):  # noqa: N818 - an answer as good as any
    """The server answered with a status of 400 or above."""

    def __init__(self, method: str, path: str, answer: Answer) -> None:
        super().__init__(f"{method} {path}: {answer.status} {answer.sentences}".strip())
        self.answer = answer


class Rest:
    """A server that speaks JSON.

    Args:
        url: Where it is, without a path.
        headers: Sent with each request.
        timeout_seconds: Longest wait for the connection, and for each read.
        ca_certificates: File with the authorities that may vouch for it, PEM; the system's where it is not given.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        ca_certificates: str | None = None,
    ) -> None:
        self.url = url
        self._pool = urllib3.PoolManager(
            retries=False,
            timeout=timeout_seconds,
            headers=dict(headers or {}),
            maxsize=16,
            block=False,
            ca_certs=ca_certificates,
        )

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Send one request.

        Args:
            method: HTTP method; Vault's LIST is one too.
            path: Below the server's root, without a leading slash.
            body: JSON object, or None for no body.

        Returns:
            The answer, whatever its status.

        Raises:
            OSError: No answer came: nobody there, or a broken or silent connection.
        """
        content = None if body is None else json.dumps(body).encode()
        headers = {**self._pool.headers, **({"Content-Type": "application/json"} if content else {})}
        try:
            response = self._pool.request(method, f"{self.url}/{path}", body=content, headers=headers)
        except urllib3.exceptions.HTTPError as exc:
            raise ConnectionError(f"{method} {path}: {type(exc).__name__}") from exc
        try:
            parsed = json.loads(response.data or b"{}")
        except ValueError:
            parsed = {"errors": [response.data[:200].decode(errors="replace")]}
        return Answer(response.status, parsed if isinstance(parsed, dict) else {"data": parsed})

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Send one request that must succeed. See `send`.

        Raises:
            OSError: No answer came.
            Refused: The status is 400 or above.
        """
        answer = self.send(method, path, body)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise Refused(method, path, answer)
        return answer
