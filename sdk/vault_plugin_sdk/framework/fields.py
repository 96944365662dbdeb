"""Fields of a path and of a stored record: declared once, coerced, checked, read back. PURE."""

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from vault_plugin_sdk.framework.coerce import Kind, coerce, jsonable
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError

TEXT, LOWERCASE, SECRET, BOOLEAN = Kind.TEXT, Kind.LOWERCASE, Kind.SECRET, Kind.BOOLEAN
INTEGER, FLOAT, DURATION, SIGNED_DURATION = Kind.INTEGER, Kind.FLOAT, Kind.DURATION, Kind.SIGNED_DURATION
LIST, INTEGERS, PAIRS, MAP, TIME = Kind.LIST, Kind.INTEGERS, Kind.PAIRS, Kind.MAP, Kind.TIME
_KEY = "vault_plugin_sdk.field"
_LONGEST_NAME = 100  # of an unknown field, which may be as long as the request
Record = TypeVar("Record")


class _Mark:
    """A default that is not a value."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


REQUIRED: Final = _Mark("REQUIRED")  # a request without it is refused
ABSENT: Final = _Mark("ABSENT")  # a handler is not passed what was not given


@dataclass(frozen=True)
class Field:
    """One field.

    Attributes:
        kind: What it holds.
        help: One sentence for path-help, OpenAPI and the reference.
        default: Value where it is not given; `REQUIRED` or `ABSENT`.
        initial: What a new record has where it is not given, or `REQUIRED`; for help, beside a default of `ABSENT`.
        choices: The only values allowed, for texts; empty allows any.
        minimum: Least number, for INTEGER, FLOAT and durations (seconds).
        maximum: Greatest number, likewise.
        immutable: Set once, when the record is created.
        check: Says what is wrong with a coerced value, to complete the sentence "<field> …"; None where nothing is.
    """

    kind: Kind
    help: str
    default: Any = REQUIRED
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    immutable: bool = False
    check: Callable[[Any], str | None] | None = None
    initial: Any = ABSENT

    def read(self, value: Any) -> Any:
        """The coerced value. Raises: ValueError with the fault, as `coerce`."""
        result = coerce(self.kind, value)
        if self.choices and result not in self.choices:
            raise ValueError(f"must be one of {', '.join(self.choices)}")
        if self.minimum is not None and result < self.minimum:
            raise ValueError(f"must be at least {self.minimum}")
        if self.maximum is not None and result > self.maximum:
            raise ValueError(f"must be at most {self.maximum}")
        if self.check and (fault := self.check(result)):
            raise ValueError(fault)
        return result


def field(kind: Kind, help: str, *, default: Any = REQUIRED, **rules: Any) -> Any:  # noqa: A002 - Vault's word
    """A dataclass field that carries a `Field`; arguments are those of `Field`."""
    metadata = {_KEY: Field(kind, help, default, **rules)}
    return (
        dataclasses.field(metadata=metadata)
        if default is REQUIRED
        else dataclasses.field(metadata=metadata, default=default)
    )


def declared(record: type) -> dict[str, Field]:
    """The fields that a record's class declares, by name, with their own defaults."""
    return {item.name: item.metadata[_KEY] for item in dataclasses.fields(record) if _KEY in item.metadata}


def fields_of(record: type) -> dict[str, Field]:
    """The same as fields of a path: what a request does not give is `ABSENT`, since the record may exist already."""
    return {
        name: dataclasses.replace(item, default=ABSENT, initial=item.default) for name, item in declared(record).items()
    }


def parse(
    fields: Mapping[str, Field], data: Mapping[str, Any], *, patch: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """Coerce what a request gave; null counts as not given.

    In a patch nothing is demanded and no default filled in; null means "as in a new record" (RFC 7396).

    Returns: The values by name (defaults filled in, `ABSENT` left out), and the names that no field has.
    Raises: CallerError 400 with every fault in one sentence.
    """
    values: dict[str, Any] = {}
    faults = []
    for name, item in fields.items():
        if patch and name not in data:
            continue
        if data.get(name) is None:
            default = item.initial if patch and item.default is ABSENT else item.default
            if default is REQUIRED:
                faults.append(f"{name} cannot be taken away" if patch else f"{name} is missing")
            elif default is not ABSENT or patch:
                values[name] = None if default is ABSENT else default
            continue
        try:
            values[name] = item.read(data[name])
        except ValueError as fault:
            faults.append(f"{name} {fault}")
    if faults:
        raise CallerError("; ".join(faults))
    return values, [name for name in data if name not in fields]


def unknown_field(name: str, fields: Mapping[str, Field]) -> str:
    """A sentence about a field that the path does not have, with the nearest name that it has."""
    name = name[:_LONGEST_NAME]
    near = difflib.get_close_matches(name, fields, n=1)
    return f"unknown field {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def build(record: type[Record], given: Mapping[str, Any], known: Record | None = None) -> Record:
    """The record made of coerced values: a new one, or `known` with what was given changed.

    Raises: CallerError 400 with every missing field, or with the immutable fields that would change.
    """
    items = declared(record)
    if known is None:
        missing = [
            f"{name} is missing" for name, item in items.items() if item.default is REQUIRED and name not in given
        ]
        if missing:
            raise CallerError("; ".join(missing))
        return record(**given)
    fixed = [name for name, value in given.items() if items[name].immutable and value != getattr(known, name)]
    if fixed:
        raise CallerError(f"{', '.join(fixed)} cannot be changed; delete and create it anew")
    return dataclasses.replace(known, **given)  # type: ignore[type-var]


def read_back(record: Any) -> dict[str, Any]:
    """The record as a read answers it: JSON values, secrets and what is None left out."""
    values = {name: getattr(record, name) for name, item in declared(type(record)).items() if item.kind is not SECRET}
    return {name: jsonable(value) for name, value in values.items() if value is not None}


def to_stored(record: Any) -> dict[str, Any]:
    """The record as its owner stores it, secrets included: only for a store's adapter."""
    values = {name: getattr(record, name) for name in declared(type(record))}
    return {
        name: value.reveal() if isinstance(value, SecretStr) else jsonable(value)
        for name, value in values.items()
        if value is not None
    }


def from_stored(record: type[Record], data: Mapping[str, Any]) -> Record:
    """The record that `to_stored` wrote; fields it does not know are left out. Raises: ValueError on a bad value."""
    items = declared(record)
    return record(**{name: coerce(items[name].kind, value) for name, value in data.items() if name in items})
