"""An HTTP request to an org, and its answer, as values. PURE."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_DEEPEST = 32  # Salesforce's own documents are some 8 deep


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


def json_of(body: bytes) -> Any:
    """The JSON of an answer, read strictly: two readers must not find two things in it.

    Raises: ValueError where it is none, is not UTF-8, repeats a name, is nested deeper than any of Salesforce's, or
        holds a number or a text that cannot be written again.
    """
    try:
        document = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_once, parse_float=_finite, parse_constant=_finite
        )
    except RecursionError as exc:
        raise ValueError("nested too deep") from exc
    level = [document]
    for _ in range(_DEEPEST):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            break
    else:
        raise ValueError("nested too deep")
    if b"\\u" in body:
        json.dumps(document, ensure_ascii=False).encode()  # half a character is none
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a number")
    return number


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
