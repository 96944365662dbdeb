"""The OpenAPI document of a mount, made from Descriptions as Go's framework makes it from its paths. PURE.

Schemas stand where they are used: the servers merge the document of an external plugin into their own, and lose
references on the way.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vault_plugin_sdk.framework import paging
from vault_plugin_sdk.framework.coerce import Kind, jsonable
from vault_plugin_sdk.framework.fields import ABSENT, REQUIRED, Field
from vault_plugin_sdk.framework.path import MAX_NAME, NAME, Description
from vault_plugin_sdk.logical.request import Operation

OPENAPI = "3.0.2"

_SCHEMAS: Mapping[Kind, Mapping[str, Any]] = {
    Kind.TEXT: {"type": "string"},
    Kind.LOWERCASE: {"type": "string", "format": "lowercase"},
    Kind.SECRET: {"type": "string", "format": "password", "x-vault-displayAttrs": {"sensitive": True}},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.INTEGER: {"type": "integer", "format": "int64"},
    Kind.FLOAT: {"type": "number", "format": "float"},
    Kind.DURATION: {"type": "string", "format": "duration"},
    Kind.SIGNED_DURATION: {"type": "string", "format": "duration"},
    Kind.LIST: {"type": "array", "items": {"type": "string"}},
    Kind.INTEGERS: {"type": "array", "items": {"type": "integer"}},
    Kind.PAIRS: {"type": "object", "format": "kvpairs"},
    Kind.MAP: {"type": "object", "format": "map"},
    Kind.TIME: {"type": "string", "format": "date-time"},
}
_BOUNDED = {Kind.INTEGER, Kind.FLOAT}  # of the others a bound is a number, and the schema's type is not
_OK = {"description": "OK"}
_EMPTY = {"description": "empty body"}
_KEYS = {
    "description": "OK",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "keys": {"type": "array", "items": {"type": "string"}},
                    "key_info": {"type": "object", "format": "map"},
                },
            }
        }
    },
}
_LIST_PARAMETER = {
    "name": "list",
    "description": "Must be set to `true`",
    "in": "query",
    "required": True,
    "schema": {"type": "string", "enum": ["true"]},
}


@dataclass(frozen=True)
class Documented:
    """A path, and what may be asked of it."""

    description: Description
    operations: Collection[Operation]


def document(
    paths: Iterable[Documented],
    *,
    title: str,
    prefix: str = "",
    root: Sequence[str] = (),
    unauthenticated: Sequence[str] = (),
) -> dict[str, Any]:
    """The document.

    Args:
        paths: What it tells of; of two with one path the first counts.
        title: One line.
        prefix: What each operation's id begins with; a server gives the type of the mount.
        root: Special paths that need `sudo`.
        unauthenticated: Special paths that need no token.

    Returns:
        The document as JSON values. Its paths begin at the mount; servers put the mount's own path in front.
    """
    items: dict[str, dict[str, Any]] = {}
    for documented in paths:
        for path, methods in _by_path(documented, _words(prefix)):
            item: dict[str, Any] = {"description": _one_line(documented.description.help)}
            names = [_name_parameter(name) for name in documented.description.names if f"{{{name}}}" in path]
            if names:
                item["parameters"] = names
            if _is_special(path, root):
                item["x-vault-sudo"] = True
            if _is_special(path, unauthenticated):
                item["x-vault-unauthenticated"] = True
            if "post" in methods and Operation.CREATE in documented.operations:
                item["x-vault-createSupported"] = True
            items.setdefault(f"/{path}", item | methods)
    return {"openapi": OPENAPI, "info": {"title": _one_line(title), "version": "unknown"}, "paths": items}


def _by_path(documented: Documented, prefix: str) -> list[tuple[str, dict[str, Any]]]:
    """The path and its methods; and the collection's, since a list is a GET of its own path with a slash."""
    description, operations = documented.description, documented.operations
    methods = {}
    if Operation.READ in operations:
        methods["get"] = _operation(description, prefix, "read") | {
            "parameters": _parameters(description.query),
            "responses": {"200": _OK},
        }
    if Operation.UPDATE in operations or Operation.CREATE in operations:
        verb = "write" if Operation.UPDATE in operations else "create"
        methods["post"] = _operation(description, prefix, verb) | {
            **_body(description, "application/json", _required(description.fields)),
            "responses": {"200": _OK, "204": _EMPTY},
        }
    if Operation.PATCH in operations:
        methods["patch"] = _operation(description, prefix, "patch") | {
            **_body(description, "application/merge-patch+json", []),
            "responses": {"200": _OK, "204": _EMPTY},
        }
    if Operation.DELETE in operations:
        methods["delete"] = _operation(description, prefix, "delete") | {
            "parameters": _parameters(description.query),
            "responses": {"204": _EMPTY},
        }
    found = [(description.pattern, methods)] if methods or Operation.LIST not in operations else []
    if Operation.LIST in operations:
        collection = description.collection.rstrip("/") + "/"
        listed = _operation(description, prefix, "list", collection) | {
            "parameters": [_LIST_PARAMETER, *_parameters({**paging.QUERY, **description.query})],
            "responses": {"200": _KEYS},
        }
        found.append((collection.lstrip("/"), {"get": listed}))
    return found


def _operation(description: Description, prefix: str, verb: str, path: str | None = None) -> dict[str, Any]:
    words = (prefix, verb, _words(description.pattern if path is None else path))
    return {
        "summary": _one_line(description.help),
        "operationId": "-".join(word for word in words if word),
        "tags": ["secrets"],
    }


def _body(description: Description, content_type: str, required: list[str]) -> dict[str, Any]:
    if not description.fields:
        return {}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _described_schema(item) for name, item in sorted(description.fields.items())},
    }
    if required:
        schema["required"] = required
    return {"requestBody": {"required": bool(required), "content": {content_type: {"schema": schema}}}}


def _required(fields: Mapping[str, Field]) -> list[str]:
    return sorted(name for name, item in fields.items() if item.default is REQUIRED)


def _parameters(query: Mapping[str, Field]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "description": _one_line(item.help),
            "in": "query",
            "required": item.default is REQUIRED,
            "schema": _schema(item),
        }
        for name, item in sorted(query.items())
    ]


def _name_parameter(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"1 to {MAX_NAME} letters, digits, '_', '-' or '.'; begins and ends with a letter or digit.",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": NAME.pattern},
    }


def _schema(item: Field) -> dict[str, Any]:
    schema = dict(_SCHEMAS[item.kind])
    if item.choices:
        schema["enum"] = list(item.choices)
    if item.kind in _BOUNDED:
        bounds = {"minimum": item.minimum, "maximum": item.maximum}
        schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    default = item.initial if item.default is ABSENT else item.default
    if isinstance(default, bool | int | float | str | tuple | dict | datetime):
        duration = schema.get("format") == "duration"
        schema["default"] = f"{default}s" if duration else jsonable(default)
    return schema


def _described_schema(item: Field) -> dict[str, Any]:
    return _schema(item) | {"description": _one_line(item.help)}


def _is_special(path: str, specials: Sequence[str]) -> bool:
    """Whether this template is one of the special paths: `*` at the end is any rest, `+` any one segment."""
    return any(
        re.fullmatch(re.escape(special).replace(r"\+", "[^/]+").replace(r"\*", ".*"), path) for special in specials
    )


def _words(text: str) -> str:
    return "-".join(re.findall(r"\w+", text)).lower()


def _one_line(text: str) -> str:
    return " ".join(text.split())
