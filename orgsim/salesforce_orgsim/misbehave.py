"""The knobs of misbehaviour as they stand: turned by tests, used up by requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from .knobs import CHANGES, KNOBS, LIMITS, PASSWORD_CHANGES_ONLY, Knob
from .reading import SettingsError, unknown


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
            if name in PASSWORD_CHANGES_ONLY and operation not in CHANGES:
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
    known = {**knob.parameters, **LIMITS}
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
    limits = {name: values.pop(name) for name in LIMITS}
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
