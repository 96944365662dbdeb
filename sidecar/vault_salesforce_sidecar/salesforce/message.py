"""An HTTP request to an org, and its answer, as values. PURE."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """What is sent; its headers and body may hold secrets, so they do not print.

    Attributes:
        method: HTTP method.
        url: Whole address.
        largest_answer: Bytes of body that its answer may have.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    largest_answer: int = 1 << 20


@dataclass(frozen=True)
class Answer:
    """What came back, read to its end; it may hold secrets, so it does not print."""

    status: int
    body: bytes = field(repr=False)
