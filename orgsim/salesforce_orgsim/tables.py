"""Objects that queries see: columns with their types, rows, who may look; and how a query runs over them."""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from . import ids
from .clock import stamp
from .faults import FaultError
from .org import Org
from .sessions import Session
from .soql import Condition, Literal, Query
from .user import User

DATA, TOOLING = "data", "tooling"

_ORDERINGS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@dataclass(frozen=True)
class Look:
    """Who looks at what: the org, and the session in which somebody asks."""

    org: Org
    session: Session

    @property
    def viewer(self) -> User:
        """Whose session it is."""
        return self.session.user


@dataclass(frozen=True)
class Column:
    """A field.

    Attributes:
        kind: Its type as describe gives it.
        read: How it is read from a record.
        updateable: Whether it can be written.
        present: Whether the org has it at all.
    """

    kind: str
    read: Callable[[Look, Any], Literal]
    updateable: bool = False
    present: Callable[[Org], bool] = lambda _org: True


@dataclass(frozen=True)
class Table:
    """An object.

    Attributes:
        columns: By name, which may lead through a relationship.
        rows: Every record.
        index: Columns by which records are found without looking at every one of them.
        sees: Whether the viewer may see a record.
        exists: Whether the object exists for the viewer at all.
        delete: Deletes a record; None where none can be.
        prefix: The three characters with which the ids of its records begin, where they can be deleted.
        api: `data`, or `tooling` for what the Tooling API has.
    """

    name: str
    columns: dict[str, Column]
    rows: Callable[[Org], Iterable[Any]]
    index: dict[str, Callable[[Org, str], Iterable[Any]]] = field(default_factory=dict)
    sees: Callable[[Look, Any], bool] = lambda _look, _row: True
    exists: Callable[[Look], bool] = lambda _look: True
    delete: Callable[[Org, Any], object] | None = None
    prefix: str = ""
    api: str = DATA

    def visible_columns(self, org: Org) -> dict[str, Column]:
        """The columns that this org has."""
        absent = {name.lower() for name in org.settings.absent_columns}
        return {
            name: column
            for name, column in self.columns.items()
            if column.present(org) and f"{self.name}.{name}".lower() not in absent
        }

    def column(self, org: Org, name: str) -> tuple[str, Column]:
        """Find a column, capitals or not; return its right name too.

        Raises:
            FaultError: There is none.
        """
        for known, column in self.visible_columns(org).items():
            if known.lower() == name.lower():
                return known, column
        relation, _, last = name.rpartition(".")
        raise FaultError("INVALID_FIELD", f"No such column '{last}' on entity '{relation or self.name}'.")


def run(
    look: Look, table: Table, query: Query, base: str, *, written: Callable[[datetime], str] = stamp
) -> list[dict[str, Any]]:
    """Run a query.

    Args:
        look: Who asks.
        table: The object that the query names.
        query: What for.
        base: Path of the REST version, for the addresses of the records.
        written: How moments are written.

    Returns:
        The records as REST answers show them.

    Raises:
        FaultError: A field does not exist for this viewer.
    """
    org = look.org
    fields = [table.column(org, name) for name in query.fields]
    with org.lock:
        found = rows(look, table, query.conditions)
        if query.order_by:
            key = table.column(org, query.order_by)[1]
            # An empty field comes first, as in Salesforce unless a query says otherwise.
            found.sort(key=lambda row: _order(key.read(look, row)), reverse=query.descending)
        shown = [(_show(look, table, row, fields, written), row) for row in found[: query.limit]]
        for one, row in shown:
            one["attributes"]["url"] = f"{base}/sobjects/{table.name}/{table.columns['Id'].read(look, row)}"
        return [one for one, _ in shown]


def rows(look: Look, table: Table, conditions: Sequence[Condition]) -> list[Any]:
    """Find the records that a viewer sees and that fit every condition.

    Raises:
        FaultError: A field does not exist, or cannot be compared with what was given.
    """
    tests = [(*table.column(look.org, condition.field), condition) for condition in conditions]
    return [
        row
        for row in _candidates(look.org, table, tests)
        if all(_holds(column.read(look, row), column.kind, condition) for _, column, condition in tests)
        and table.sees(look, row)
    ]


def describe(look: Look, table: Table) -> dict[str, Any]:
    """Describe an object as far as programs need it that ask which fields exist."""
    return {
        "name": table.name,
        "label": table.name,
        "queryable": True,
        "deletable": table.delete is not None,
        "updateable": any(column.updateable for column in table.columns.values()),
        "fields": [
            {"name": name, "type": column.kind, "nillable": name != "Id", "updateable": column.updateable}
            for name, column in table.visible_columns(look.org).items()
            if "." not in name
        ],
    }


def _candidates(org: Org, table: Table, tests: list[tuple[str, Column, Condition]]) -> Iterable[Any]:
    for name, _, condition in tests:
        look_up = table.index.get(name)
        wanted = {literal for literal in condition.literals if isinstance(literal, str)}
        if look_up and condition.comparison in {"=", "IN"} and len(wanted) == len(condition.literals):
            return [row for literal in sorted(wanted) for row in look_up(org, literal)]
    return table.rows(org)


def _show(
    look: Look, table: Table, row: Any, fields: list[tuple[str, Column]], written: Callable[[datetime], str]
) -> dict[str, Any]:
    shown: dict[str, Any] = {"attributes": {"type": table.name}}
    for name, column in fields:
        *relations, last = name.split(".")
        holder = shown
        for relation in relations:
            holder = holder.setdefault(relation, {"attributes": {"type": relation}})
        value = column.read(look, row)
        holder[last] = written(value) if isinstance(value, datetime) else value
    return shown


def _holds(value: Literal, kind: str, condition: Condition) -> bool:
    wanted = [_comparable(literal, kind) for literal in condition.literals]
    found = _comparable(value, kind)
    if condition.comparison in {"=", "IN"}:
        return found in wanted
    if condition.comparison == "!=":
        return found not in wanted
    if found is None or wanted[0] is None:
        return False
    try:
        return bool(_ORDERINGS[condition.comparison](found, wanted[0]))
    except TypeError as error:
        message = f"The value does not fit the field {condition.field} of type {kind}."
        raise FaultError("INVALID_FIELD", message) from error


def _comparable(value: Literal, kind: str) -> Any:
    if isinstance(value, str):
        return ids.shorten(value) if kind in {"id", "reference"} else value.casefold()
    if isinstance(value, datetime):
        # The column is shown in whole seconds, so that is also how it compares.
        return value.replace(microsecond=0)
    return value


def _order(value: Literal) -> tuple[bool, Any]:
    return (value is not None, value.casefold() if isinstance(value, str) else value)
