"""Path-help, made from Descriptions. PURE."""

from collections.abc import Iterable, Mapping

from vault_plugin_sdk.framework.fields import ABSENT, REQUIRED, Field
from vault_plugin_sdk.framework.path import Description


def backend_help(introduction: str, descriptions: Iterable[Description]) -> str:
    """The text of `path-help <mount>`: the introduction and a line for each path."""
    lines = [f"    {item.pattern}\n        {item.help}" for item in descriptions]
    return "\n".join((introduction.strip(), "", "## PATHS", "", *lines, ""))


def path_help(description: Description) -> str:
    """The text of `path-help <mount>/<path>`: what the path is, and its fields."""
    parts = [f"Request:        {description.pattern}", "", description.help]
    if description.detail:
        parts += ["", description.detail.strip()]
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
    if isinstance(value, bool | int) or (isinstance(value, str) and value):
        return [f"default {str(value).lower() if isinstance(value, bool) else value}"]
    return []  # nothing, a secret, or an empty list


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
        notes += _default(item)
        if item.immutable:
            notes.append("set once")
        lines += [f"    {name} ({', '.join(notes)})", f"        {item.help}", ""]
    return lines
