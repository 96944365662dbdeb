"""The knobs of misbehaviour: what can go wrong on purpose, how each knob is set, and how often it still bites."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from .reading import SettingsError, unknown

LONGEST_SECONDS = 3600.0
CHANGES = ("changeOwnPassword", "setPassword", "resetPassword")

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


_LIMITS: dict[str, Parameter] = {
    "operation": Parameter(None, _text),
    "username": Parameter(None, _text),
    "times": Parameter(None, _times),
}
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
}

_PASSWORD_CHANGES_ONLY = {name for name in KNOBS if name.startswith(("change_", "hook_"))}


@dataclass
class Setting:
    """A knob that is on: its parameters, and to which requests it is limited."""

    parameters: dict[str, Any]
    operation: str | None
    username: str | None
    times: int | None

    def number(self, name: str) -> float:
        """Read a parameter that is a number."""
        return float(self.parameters[name])

    def text(self, name: str) -> str:
        """Read a parameter that is text."""
        return str(self.parameters[name])

    def fits(self, operation: str, username: str) -> bool:
        """Whether a request is one of those to which the knob is limited."""
        return self.operation in {None, operation} and (self.username or username).lower() == username.lower()


class Misbehave:
    """The knobs as they stand.

    Args:
        start: What `patch` would take, in force at the start and after a reset.

    Raises:
        SettingsError: The start cannot be used.
    """

    def __init__(self, start: Mapping[str, Any] | None = None) -> None:
        self._lock = Lock()
        self._start = start or {}
        self._on: dict[str, Setting] = {}
        self.patch(self._start)

    def take(self, name: str, operation: str, username: str, **parameters: str) -> Setting | None:
        """Say whether a knob bites this request, and use it up by one if it does.

        Args:
            name: The knob.
            operation: What the request does.
            username: The user it is about, or an empty text.
            **parameters: What the knob's own parameters must be.
        """
        with self._lock:
            setting = self._on.get(name)
            if setting is None or not setting.fits(operation, username):
                return None
            if name in _PASSWORD_CHANGES_ONLY and operation not in CHANGES:
                return None
            if any(setting.parameters[key] != value for key, value in parameters.items()):
                return None
            if setting.times is not None:
                setting.times -= 1
                if not setting.times:
                    del self._on[name]
            return setting

    def patch(self, document: Any) -> None:
        """Turn knobs.

        Args:
            document: Knob to value: null or false is off; true is on; a bare value is on with that as its first
                parameter; an object gives the parameters, and the limits `operation`, `username`, `times`.

        Raises:
            SettingsError: With every fault found; no knob is turned then.
        """
        if not isinstance(document, Mapping):
            raise SettingsError(["The knobs must be an object."])
        faults: list[str] = []
        turned: dict[str, Setting | None] = {}
        for name, value in document.items():
            if name not in KNOBS:
                faults.append(unknown(name, KNOBS))
                continue
            try:
                turned[name] = None if value is None or value is False else _read(KNOBS[name], value)
            except ValueError as error:
                faults.append(f"{name}: {error}.")
        if faults:
            raise SettingsError(faults)
        with self._lock:
            for name, setting in turned.items():
                self._on.pop(name, None)
                if setting:
                    self._on[name] = setting

    def reset(self) -> None:
        """Put the knobs back to the start."""
        self.off()
        self.patch(self._start)

    def off(self) -> None:
        """Turn every knob off."""
        with self._lock:
            self._on.clear()

    def as_json(self) -> dict[str, Any]:
        """Show every knob: whether it is on, its parameters and limits, and its help."""
        with self._lock:
            return {name: _show(knob, self._on.get(name)) for name, knob in KNOBS.items()}


def _read(knob: Knob, value: Any) -> Setting:
    known = {**knob.parameters, **_LIMITS}
    if value is True:
        given: Mapping[str, Any] = {}
    elif isinstance(value, Mapping):
        given = value
    elif knob.parameters:
        given = {next(iter(knob.parameters)): value}
    else:
        raise ValueError("must be true, false or an object")
    for name in given:
        if name not in known:
            raise ValueError(unknown(name, known).rstrip("."))
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        if parameter.required and name not in given:
            raise ValueError(f"must have {name}")
        try:
            values[name] = parameter.read(given[name]) if name in given else parameter.default
        except ValueError as error:
            raise ValueError(f"{name} {error}") from error
    limits = {name: values.pop(name) for name in _LIMITS}
    return Setting(values, limits["operation"], limits["username"], limits["times"])


def _show(knob: Knob, setting: Setting | None) -> dict[str, Any]:
    values = setting.parameters if setting else {name: spec.default for name, spec in knob.parameters.items()}
    return {
        "on": setting is not None,
        **values,
        "operation": setting.operation if setting else None,
        "username": setting.username if setting else None,
        "times": setting.times if setting else None,
        "help": knob.help,
    }
