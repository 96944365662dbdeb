"""Path-help, made from Descriptions. PURE."""

from collections.abc import Iterable, Mapping

from vault_plugin_sdk.framework.fields import ABSENT, DURATION, REQUIRED, SIGNED_DURATION, Field
from vault_plugin_sdk.framework.path import Description

_DURATIONS = (DURATION, SIGNED_DURATION)


def backend_help(introduction: str, descriptions: Iterable[Description]) -> str:
    """The text of `path-help <mount>`: the introduction and a line for each path."""
    lines = [f"    {item.pattern}\n        {item.help}" for item in descriptions]
    return "\n".join((introduction.strip(), "", "## PATHS", "", *lines, ""))


def path_help(description: Description) -> str:
    """The text of `path-help <mount>/<path>`: what the path is, how it is asked, and its fields."""
    parts = [f"Request:        {description.pattern}", "", description.help]
    if description.detail:
        parts += ["", description.detail.strip()]
    if description.examples:
        parts += ["", "## EXAMPLES", "", *(f"    $ {line}" for line in description.examples)]
    for title, fields in (("FIELDS", description.fields), ("PARAMETERS OF A READ", description.query)):
        if fields:
            parts += ["", f"## {title}", "", *_fields(fields)]
    return "\n".join((*parts, ""))


def find(descriptions: Iterable[Description], path: str) -> Description | None:
    """The description that `path`, or a collection's path, belongs to."""
    for item in descriptions:
        if item.regex.fullmatch(path) or (path and item.collection_regex.fullmatch(path)):
            return item
    return None


def _default(item: Field) -> list[str]:
    value = item.initial if item.default is ABSENT else item.default
    if isinstance(value, bool):
        return [f"default {str(value).lower()}"]
    if isinstance(value, int) or (isinstance(value, str) and value):
        return [f"default {_amount(item, value)}"]
    return []  # nothing, a secret, or an empty list


def _bounds(item: Field) -> list[str]:
    least = [] if item.minimum is None else [f"at least {_amount(item, item.minimum)}"]
    return least + ([] if item.maximum is None else [f"at most {_amount(item, item.maximum)}"])


def _amount(item: Field, value: int | str) -> str:
    return f"{value} s" if item.kind in _DURATIONS else str(value)


def _fields(fields: Mapping[str, Field]) -> list[str]:
    lines = []
    for name, item in sorted(fields.items()):
        notes = [item.kind.value]
        if item.choices:
            notes.append(" | ".join(item.choices))
        if item.default is REQUIRED:
            notes.append("required")
        elif item.initial is REQUIRED:
            notes.append("required at first")
        notes += _default(item) + _bounds(item)
        if item.immutable:
            notes.append("set once")
        lines += [f"    {name} ({', '.join(notes)})", f"        {item.help}", ""]
    return lines
