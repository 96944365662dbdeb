"""`docs/reference/paths.md`, made from the table of paths: `python -m vault_salesforce.reference` writes it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as File

from vault_plugin_sdk.framework.fields import ABSENT, LIST, REQUIRED, Field
from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.api import TABLE
from vault_salesforce_plugin import backend
from vault_salesforce_sidecar import paths

DOCUMENT = File(__file__).parents[2] / "docs" / "reference" / "paths.md"
_HEAD = """\
# Paths of the mount

Made by `python -m vault_salesforce.reference` from what the engine knows of itself; `bao path-help sf/<path>` says the
same.

Durations are seconds, or text such as `24h`; lists are lists, or text with commas. A field that a path does not have is
refused, with the nearest name that it has. Secrets are written and never read back.
"""
_MEANING = re.compile(r" *(\w+(?: \w+)*) {2,}(.+)")
_ORDER = (Operation.CREATE, Operation.UPDATE, Operation.READ, Operation.DELETE, Operation.LIST)


def document() -> str:
    """The whole document."""
    answered = {path.description.pattern: ("the sidecar", path) for path in paths.PATHS}
    answered |= {path.description.pattern: ("the plugin", path) for path in backend.PATHS}
    sections = ("\n".join(_section(*answered[description.pattern])) for description in TABLE)
    return "\n".join((_HEAD, *sections))


def _section(who: str, path: Path) -> Iterator[str]:
    description = path.description
    yield f"## `{_title(description.pattern)}`\n"
    yield _shown(description.help) + "\n"
    for text in filter(None, description.detail.strip().split("\n\n")):
        yield _shown(paragraph(text)) + "\n"
    if description.examples:
        yield "```console\n" + "\n".join(f"$ {line}" for line in description.examples) + "\n```\n"
    operations = ", ".join(operation.value for operation in _ORDER if path.handler(operation))
    yield f"Operations: {operations}. Answered by {who}.\n"
    for title, fields in (("field", description.fields), ("parameter of a read", description.query)):
        if fields:
            yield from _table(title, fields)


def _table(title: str, fields: Mapping[str, Field]) -> Iterator[str]:
    yield f"| {title} | kind | default | |"
    yield "|---|---|---|---|"
    for name, item in sorted(fields.items()):
        kind = ", ".join((item.kind.value, *(["set once"] if item.immutable else [])))
        notes = [item.help]
        if item.choices:
            notes.append(f"One of {', '.join(f'`{choice}`' for choice in item.choices)}.")
        if item.minimum is not None:
            notes.append(f"At least {item.minimum}.")
        if item.maximum is not None:
            notes.append(f"At most {item.maximum}.")
        yield f"| `{name}` | {kind} | {_default(item)} | {_shown(' '.join(notes))} |"
    yield ""


def _default(item: Field) -> str:
    value = item.initial if item.default is ABSENT else item.default
    if value is REQUIRED:
        return "required"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if item.kind is LIST or not isinstance(value, str | int) or value == "":
        return ""
    return f"`{value}`"


def paragraph(text: str) -> str:
    """One line, or a list where each line is a word, or a few, with what it means."""
    meanings = [_MEANING.fullmatch(line) for line in text.splitlines()]
    if not all(meanings):
        return " ".join(text.split())
    return "\n".join(f"- `{found[1]}`: {found[2]}" for found in meanings if found)


def _shown(text: str) -> str:
    """Text in which nothing is taken for HTML or ends a cell; between backticks only the latter can be."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(part if at % 2 else part.replace("<", "&lt;") for at, part in enumerate(parts))


def _title(pattern: str) -> str:
    """Placeholders as in all documents."""
    return pattern.replace("{", "<").replace("}", ">")


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document())
