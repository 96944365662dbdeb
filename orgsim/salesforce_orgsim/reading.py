"""JSON laid over frozen records: names in either spelling, every value checked, all faults reported together."""

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

Record = TypeVar("Record")

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


class SettingsError(ValueError):
    """A document cannot be used as settings; `faults` holds a sentence for each reason."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__(" ".join(faults))


def change(record: Record, document: Any, where: str) -> Record:
    """Return the record with the fields of a JSON object laid over it.

    Args:
        record: A frozen dataclass of this module.
        document: The JSON object; names in snake_case or camelCase.
        where: What the faults call the object.

    Raises:
        SettingsError: With every fault found: names unknown, values of the wrong kind.
    """
    if not isinstance(document, Mapping):
        raise SettingsError([f"{where} must be an object."])
    fields = {spec.name: spec for spec in dataclasses.fields(typing.cast("Any", record))}
    kind: Any = type(record)
    hints = _hints(kind)
    faults: list[str] = []
    changes: dict[str, Any] = {}
    for given, value in document.items():
        name = snake_case(given)
        if name not in fields:
            faults.append(f"{where}: {unknown(given, fields)}")
            continue
        try:
            present = getattr(record, name)
            changes[name] = _coerce(hints[name], value, present, f"{where}.{name}")
            _check(fields[name].metadata, changes[name])
        except SettingsError as error:
            faults += error.faults
        except ValueError as error:
            faults.append(f"{where}.{name}: {error}.")
    if faults:
        raise SettingsError(faults)
    return typing.cast("Record", dataclasses.replace(typing.cast("Any", record), **changes))


def snake_case(name: str) -> str:
    """Turn `retireMode` into `retire_mode`; a name that is so already stays."""
    return _CAPITAL.sub(r"_\1", name).lower()


def as_json(record: Any, *, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """Show a record as a JSON object, without the fields that are left out."""
    shown = {spec.name: getattr(record, spec.name) for spec in dataclasses.fields(record) if spec.name not in leave_out}
    return {name: as_json(value) if dataclasses.is_dataclass(value) else value for name, value in shown.items()}


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _coerce(kind: Any, value: Any, present: Any, where: str) -> Any:
    if dataclasses.is_dataclass(present):
        return change(present, value, where)
    if typing.get_origin(kind) is types.UnionType:
        return None if value is None else _coerce(typing.get_args(kind)[0], value, None, where)
    if typing.get_origin(kind) is tuple:
        return tuple(_scalar(typing.get_args(kind)[0], entry) for entry in _scalar(list, value))
    if typing.get_origin(kind) is Mapping:
        return dict(_scalar(dict, value))
    return _scalar(kind, value)


def _scalar(kind: Any, value: Any) -> Any:
    if kind is float and type(value) is int:
        value = float(value)
    # A bool is an int to Python, and not to anybody who writes JSON.
    if type(value) is not kind:
        raise ValueError(f"must be of kind {kind.__name__}")
    if kind in {int, float} and value < 0:
        raise ValueError("must not be negative")
    return value


def _check(metadata: Mapping[str, Any], value: Any) -> None:
    choices = metadata.get("choices")
    if choices and value not in choices:
        raise ValueError(f"must be one of {', '.join(map(str, choices))}")
    if "check" in metadata:
        metadata["check"](value)


def unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(snake_case(name), list(known), 1)
    return f"There is no {name!r}" + (f"; did you mean {near[0]!r}?" if near else ".")
