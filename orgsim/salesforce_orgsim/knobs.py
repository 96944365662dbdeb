"""The table of knobs: what can go wrong on purpose, and how each knob is set."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LONGEST_SECONDS = 3600.0
MOST = 1 << 34
CHANGES = ("changeOwnPassword", "setPassword", "resetPassword")

_REDIRECTS = (301, 302, 303, 307, 308)
_CODE = re.compile(r"[A-Z][A-Z0-9_]*")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_SECONDS:
        raise ValueError(f"must be a number of seconds from 0 to {LONGEST_SECONDS:.0f}")
    return float(value)


def _code(value: Any) -> str:
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise ValueError("must be a code such as API_DISABLED_FOR_ORG")
    return value


def _url(value: Any) -> str:
    if not isinstance(value, str) or (parts := urlsplit(value)).scheme != "http" or parts.hostname not in _LOOPBACK:
        raise ValueError("must be an http:// address on this machine")
    return value


def _any_url(value: Any) -> str:
    if not isinstance(value, str) or urlsplit(value).scheme not in {"http", "https"}:
        raise ValueError("must be an http:// or https:// address")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MOST:
        raise ValueError(f"must be a whole number from 1 to {MOST}")
    return value


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError("must be text")
    return value


def _times(value: Any) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise ValueError("must be a number of requests from 1, or null for all of them")
    return value


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return read


def _redirect(value: Any) -> int:
    if value not in _REDIRECTS:
        raise ValueError(f"must be one of {', '.join(map(str, _REDIRECTS))}")
    return int(value)


@dataclass(frozen=True)
class Parameter:
    """One value of a knob: what it is unless given, how it is read, and whether it must be given."""

    default: Any
    read: Callable[[Any], Any]
    required: bool = False


@dataclass(frozen=True)
class Knob:
    """What can be set: a sentence of help, and the parameters; a bare value is the first of them."""

    help: str
    parameters: Mapping[str, Parameter]


LIMITS: dict[str, Parameter] = {
    "operation": Parameter(None, _text),
    "username": Parameter(None, _text),
    "times": Parameter(None, _times),
}
_WHEN = {"when": Parameter("after", _one_of("after", "before"))}
_OPTIONAL_TEXT = {"message": Parameter(None, _text)}

KNOBS: dict[str, Knob] = {
    "latency_seconds": Knob(
        "Wait so long before anything else is done with a request.", {"seconds": Parameter(0.2, _seconds)}
    ),
    "html_503": Knob("Answer status 503 with a page of HTML; nothing is applied.", {}),
    "silent": Knob(
        "Accept the request and never answer; nothing is applied. The connection is held so long, or until the "
        "client goes.",
        {"seconds": Parameter(60.0, _seconds)},
    ),
    "refuse_before": Knob(
        "Refuse with this code; nothing is applied or counted.",
        {"code": Parameter("UNKNOWN_EXCEPTION", _code), **_OPTIONAL_TEXT},
    ),
    "close_connection": Knob(
        "Break the connection in place of an answer, before or after the request is applied.",
        {"when": Parameter("before", _one_of("before", "after"))},
    ),
    "change_late_seconds": Knob(
        "Answer a password change with a broken (or held) connection, and apply it so much later.",
        {"seconds": Parameter(5.0, _seconds), "then": Parameter("close", _one_of("close", "hold"))},
    ),
    "change_and_never_answer": Knob(
        "Apply a password change and never answer. The connection is held so long, or until the client goes.",
        {"seconds": Parameter(60.0, _seconds)},
    ),
    "change_then_500": Knob("Apply a password change and answer UNKNOWN_EXCEPTION with status 500.", {}),
    "hook_url": Knob(
        "POST {operation, username, n} here before a password change is applied, and wait for the answer, at most 5 s.",
        {"url": Parameter(None, _url, required=True)},
    ),
    "hook_after_url": Knob(
        "The same between applying a password change and answering it.", {"url": Parameter(None, _url, required=True)}
    ),
    "mail_delay_seconds": Knob("Deliver mail so much later.", {"seconds": Parameter(5.0, _seconds)}),
    "mail_after_answer": Knob("Deliver mail after the answer; otherwise it is there before.", {}),
    "mail_lost": Knob("Deliver no mail.", {}),
    "mail_duplicate": Knob("Deliver mail so many times.", {"copies": Parameter(2, _count)}),
    "answer_html": Knob("Answer with a page of HTML and status 200.", _WHEN),
    "answer_malformed": Knob("Answer with a body that is no XML or JSON.", _WHEN),
    "answer_truncated": Knob("Answer with the first half of the body.", _WHEN),
    "answer_gigantic": Knob(
        "Answer with a body of so many bytes, made while it is sent.", {"bytes": Parameter(1 << 30, _count), **_WHEN}
    ),
    "answer_drip_seconds": Knob(
        "Send the answer byte by byte, one in so many seconds.", {"seconds": Parameter(1.0, _seconds), **_WHEN}
    ),
    "answer_wrong_length": Knob(
        "Announce so many bytes more than are sent.", {"extra": Parameter(1000, _count), **_WHEN}
    ),
    "answer_redirect": Knob(
        "Answer with a redirect to another address.",
        {"url": Parameter(None, _any_url, required=True), "status": Parameter(302, _redirect), **_WHEN},
    ),
    "answer_gzip_bomb": Knob(
        "Answer with a compressed body that unpacks to so many bytes.", {"bytes": Parameter(1 << 30, _count), **_WHEN}
    ),
    "answer_deep": Knob(
        "Answer with elements or lists nested so deep.", {"levels": Parameter(100_000, _count), **_WHEN}
    ),
    "answer_doctype": Knob("Answer with a document type whose entities multiply.", _WHEN),
}

SPOILERS = tuple(name for name in KNOBS if name.startswith("answer_"))

PASSWORD_CHANGES_ONLY = {name for name in KNOBS if name.startswith(("change_", "hook_"))}
