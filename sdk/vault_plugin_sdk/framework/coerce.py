"""Vault's own coercions: what a client may write for a duration, a boolean or a list. PURE.

Source: the framework of Vault's Go SDK reads JSON numbers, strings and lists alike, because the CLI sends everything
as a string; durations are seconds or Go's `1h30m`, with `d` for days.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from vault_plugin_sdk.framework.secretstr import SecretStr

UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d)")
_TRUE, _FALSE = {"1", "t", "true"}, {"0", "f", "false"}
MAX_SECONDS = 2**33  # some 270 years: beyond it Go's own durations overflow


class Kind(Enum):
    """What a field holds; the value is its name in help and OpenAPI."""

    TEXT = "string"
    SECRET = "secret"  # noqa: S105 - the name of a kind
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DURATION = "duration"
    LIST = "list"
    TIME = "time"


def coerce(kind: Kind, value: Any) -> Any:
    """The value of `kind` that `value` stands for.

    Returns: str, SecretStr, bool, int, int (seconds), tuple of str, or an aware datetime, by kind.
    Raises: ValueError, whose text completes the sentence "<field> …" and repeats nothing of the value.
    """
    return _COERCIONS[kind](value)


def jsonable(value: Any) -> Any:
    """The JSON form of a coerced value: lists for tuples, RFC 3339 for times. A secret has none: TypeError."""
    if isinstance(value, SecretStr):
        raise TypeError("a secret has no JSON form")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not _encodes(str(value)):
        raise ValueError("must be a string")
    return str(value)


def _encodes(text: str) -> bool:
    """JSON can spell half a character, which no file, header or hash can hold."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _boolean(value: Any) -> bool:
    word = str(value).lower() if isinstance(value, bool | int | str) else ""
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError("must be true or false")


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,18}", str(value)):
        raise ValueError("must be a whole number")
    return int(value)


def _duration(value: Any) -> int:
    if isinstance(value, str) and _DURATION.fullmatch(value):
        seconds = sum(float(number) * UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(value))
    elif isinstance(value, int | str) and not isinstance(value, bool) and re.fullmatch(r"[0-9]{1,12}", str(value)):
        seconds = int(value)
    else:
        raise ValueError("must be a duration such as 24h, or a number of seconds")
    if seconds > MAX_SECONDS:
        raise ValueError("is longer than any duration can be")
    return int(seconds)


def _list(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) and _encodes(part) for part in parts):
        raise ValueError("must be a list of strings, or a string with commas")
    return tuple(part.strip() for part in parts if part.strip())


def _time(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("must be a time such as 2030-01-31T09:00:00Z")
    return moment


def _secret(value: Any) -> SecretStr:
    return SecretStr(_text(value))


_COERCIONS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.SECRET: _secret,
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: _integer,
    Kind.DURATION: _duration,
    Kind.LIST: _list,
    Kind.TIME: _time,
}
