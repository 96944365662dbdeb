"""Records: queries, descriptions, single records, and the few things about them that can be written."""

from typing import Any

from flask import Response

from . import objects, paging, soql, tables
from .faults import FaultError
from .objects.people import USER_LOGIN
from .rest import Asked, to_json, user_of_login
from .tables import DATA, TOOLING, Look, Table, rows, run

_COLLECTION_ROWS = 200


def query(asked: Asked, api: str = DATA) -> Response:
    """Run a query and give its first page."""
    session = asked.session()
    text = asked.request.args.get("q", "")
    parsed = soql.parse(text)
    look = Look(asked.org, session)
    records = run(look, objects.find(look, parsed.table, api), parsed, asked.base)
    return _page(asked, paging.first(asked.org, records))


def tooling_query(asked: Asked) -> Response:
    """Run a query over the objects of the Tooling API."""
    return query(asked, TOOLING)


def query_more(asked: Asked, locator: str) -> Response:
    """Give a further page of a query."""
    asked.session()
    return _page(asked, paging.more(asked.org, locator))


def describe(asked: Asked, name: str) -> Response:
    """Describe an object."""
    look = Look(asked.org, asked.session())
    return to_json(tables.describe(look, objects.find(look, name)))


def record(asked: Asked, name: str, record_id: str) -> Response:
    """Show one record with all its fields, or those that are asked for."""
    look = Look(asked.org, asked.session())
    table = objects.find(look, name)
    wanted = asked.request.args.get("fields", "")
    known = table.visible_columns(asked.org)
    fields = tuple(wanted.split(",")) if wanted else tuple(field for field in known if "." not in field)
    by_id = soql.Condition("Id", "=", (record_id,))
    found = run(look, table, soql.Query(fields, name, (by_id,)), asked.base)
    if not found:
        raise FaultError("NOT_FOUND")
    return to_json(found[0])


def update(asked: Asked, name: str, record_id: str) -> Response:
    """Unlock, freeze or unfreeze a user; no other object can be written."""
    if name.lower() != USER_LOGIN.name.lower():
        raise FaultError("METHOD_NOT_ALLOWED")
    if not asked.session().user.settings.manage_users:
        raise FaultError("INSUFFICIENT_ACCESS")
    subject = user_of_login(asked.org, record_id)
    if subject is None:
        raise FaultError("NOT_FOUND")
    changes = asked.body()
    for column, value in changes.items():
        if column not in {"IsFrozen", "IsPasswordLocked"}:
            raise FaultError("INVALID_FIELD", f"No such column '{column}' on sobject of type UserLogin")
        if not isinstance(value, bool):
            raise FaultError("JSON_PARSER_ERROR")
    if changes.get("IsPasswordLocked"):
        raise FaultError("INVALID_FIELD_FOR_INSERT_UPDATE", "A user can be unlocked here, and not locked.")
    with asked.org.lock:
        if "IsPasswordLocked" in changes:
            subject.unlock()
        if "IsFrozen" in changes:
            asked.org.freeze(subject, frozen=changes["IsFrozen"])
    return Response(status=204)


def delete(asked: Asked, name: str, record_id: str) -> Response:
    """Delete one record: a session, or an address that a user has confirmed."""
    look = Look(asked.org, asked.session())
    table = objects.find(look, name)
    if table.delete is None:
        raise FaultError("METHOD_NOT_ALLOWED")
    _delete(look, table, record_id)
    return Response(status=204)


def delete_collection(asked: Asked) -> Response:
    """Delete up to 200 records by their ids, and say of each whether it was."""
    look = Look(asked.org, asked.session())
    wanted = [one for one in asked.request.args.get("ids", "").split(",") if one]
    if not 0 < len(wanted) <= _COLLECTION_ROWS:
        raise FaultError("EXCEEDED_ID_LIMIT", f"The ids must be 1 to {_COLLECTION_ROWS}.")
    return to_json([_delete_one(look, record_id) for record_id in wanted])


def _delete_one(look: Look, record_id: str) -> dict[str, Any]:
    try:
        _delete(look, _table_of(look, record_id), record_id)
    except FaultError as fault:
        return {"success": False, "errors": [{"statusCode": fault.code, "message": fault.message, "fields": []}]}
    return {"id": record_id, "success": True, "errors": []}


def _table_of(look: Look, record_id: str) -> Table:
    for table in objects.TABLES:
        if table.delete and table.exists(look) and record_id.startswith(table.prefix):
            return table
    raise FaultError("INVALID_CROSS_REFERENCE_KEY")


def _delete(look: Look, table: Table, record_id: str) -> None:
    with look.org.lock:
        found = rows(look, table, (soql.Condition("Id", "=", (record_id,)),))
        if not found:
            raise FaultError("ENTITY_IS_DELETED")
        if table.delete:
            table.delete(look.org, found[0])


def _page(asked: Asked, page: paging.Page) -> Response:
    shown: dict[str, Any] = {"totalSize": page.total, "done": page.locator is None, "records": page.records}
    if page.locator:
        shown["nextRecordsUrl"] = f"{asked.base}/query/{page.locator}"
    return to_json(shown)
