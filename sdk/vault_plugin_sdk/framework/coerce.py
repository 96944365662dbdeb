"""Vault's own coercions: what a client may write for a duration, a boolean or a list. PURE.

Source: the framework of Vault's Go SDK reads JSON numbers, strings and lists alike, because the CLI sends everything
as a string; durations are seconds or Go's `1h30m`, with `d` for days. Stricter than Go's in one thing: an empty text is
no number, no boolean and no duration.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from vault_plugin_sdk.framework.secretstr import SecretStr

UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d)")
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,3})?")
_TRUE, _FALSE = {"1", "t", "true"}, {"0", "f", "false"}
_EARLIEST_SECONDS = 1_000_000_000  # September 2001: 20300131 is a date without its dashes, and no time of 1970
_DEEPEST = 64  # objects and lists within each other; a recursion of ours or of others ends at some hundreds
MAX_SECONDS = 2**33  # some 270 years: beyond it Go's own durations overflow


class Kind(Enum):
    """What a field holds; the value is its name in help and OpenAPI."""

    TEXT = "string"
    LOWERCASE = "lowercase string"
    SECRET = "secret"  # noqa: S105 - the name of a kind
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    DURATION = "duration"
    SIGNED_DURATION = "signed duration"
    LIST = "list"
    INTEGERS = "list of integers"
    PAIRS = "key=value pairs"
    MAP = "map"
    TIME = "time"


def finite(text: str) -> float:
    """A number of a JSON text, for `json.loads`, which would take `NaN` and `1e999` for numbers. Raises: ValueError."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("is no number that JSON can hold")
    return number


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object in what somebody else wrote; None where it is none, or one that could not be written again."""
    try:
        document = json.loads(text, parse_float=finite, parse_constant=finite)
        return document if isinstance(document, dict) and not _is_deep(document) else None
    except (ValueError, RecursionError):
        return None


def _is_deep(document: Any) -> bool:
    level = [document]
    for _ in range(_DEEPEST):
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
        level = [one for one in level if isinstance(one, dict | list)]
        if not level:
            return False
    return True


def coerce(kind: Kind, value: Any) -> Any:
    """The value of `kind` that `value` stands for.

    Returns: By kind: str, SecretStr, bool, int, float, int (seconds), tuple of str or of int, dict of str (pairs), dict
        of any JSON (map), or an aware datetime.
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


def _float(value: Any) -> float:
    number = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool) and _NUMBER.fullmatch(str(value)):
        number = float(value)
    if not math.isfinite(number):
        raise ValueError("must be a number")
    return number


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


def _signed_duration(value: Any) -> int:
    if isinstance(value, int | str) and str(value).startswith("-"):
        return -_duration(str(value)[1:])
    return _duration(value)


def _parts(value: Any) -> list[Any]:
    """The items of a list, or of a text with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list | tuple):
        return list(value)
    raise ValueError("must be a list, or a string with commas")


def _list(value: Any) -> tuple[str, ...]:
    try:
        return tuple(text for part in _parts(value) if (text := _text(part).strip()))
    except ValueError:
        raise ValueError("must be a list of strings, or a string with commas") from None


def _integers(value: Any) -> tuple[int, ...]:
    try:
        return tuple(_integer(part) for part in ([value] if isinstance(value, int) else _parts(value)))
    except ValueError:
        raise ValueError("must be a list of whole numbers, or a string of them with commas") from None


def _pairs(value: Any) -> dict[str, str]:
    """As the API gives them, or as the CLI does: `field=name=value field=other=value`."""
    items = [value] if isinstance(value, str) else value
    try:
        if isinstance(items, list):
            items = dict(_text(item).split("=", 1) for item in items)
        pairs = {_text(name): _text(text) for name, text in items.items()}
    except (AttributeError, ValueError):
        pairs = {"": ""}
    if "" in pairs:
        raise ValueError("must be an object of strings, or a list of name=value")
    return pairs


def _map(value: Any) -> dict[str, Any]:
    """An object; or, since the CLI has texts alone, the JSON of one."""
    try:
        mapping = json.loads(value if isinstance(value, str) else json.dumps(value))
        # What comes out must go in again: no NaN, no half character.
        json.dumps(mapping, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        mapping = None
    if isinstance(mapping, dict):
        return mapping
    raise ValueError("must be a JSON object")


def _time(value: Any) -> datetime:
    try:
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            # What follows a NUL, and what stands between day and hour, is nothing to the standard library.
            moment = datetime.fromisoformat(value if value.isascii() and value.isprintable() else "")
            moment.astimezone(UTC)
        else:
            moment = _since_epoch(_float(value))
    except (TypeError, ValueError, OverflowError, OSError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("must be a time such as 2030-01-31T09:00:00Z, or seconds since 1970")
    return moment


def _since_epoch(seconds: float) -> datetime:
    if seconds < _EARLIEST_SECONDS:
        raise ValueError("too early")
    return datetime.fromtimestamp(seconds, UTC)


def _lowercase(value: Any) -> str:
    return _text(value).lower()


def _secret(value: Any) -> SecretStr:
    return SecretStr(_text(value))


_COERCIONS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.LOWERCASE: _lowercase,
    Kind.SECRET: _secret,
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: _integer,
    Kind.FLOAT: _float,
    Kind.DURATION: _duration,
    Kind.SIGNED_DURATION: _signed_duration,
    Kind.LIST: _list,
    Kind.INTEGERS: _integers,
    Kind.PAIRS: _pairs,
    Kind.MAP: _map,
    Kind.TIME: _time,
}
