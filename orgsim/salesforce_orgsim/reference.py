"""`docs/reference/orgsim.md`, made from the records of settings: `python -m salesforce_orgsim.reference` writes it."""

import dataclasses
import inspect
import json
import re
from pathlib import Path
from typing import Any

from .app_settings import AppSettings
from .control_users import Standing
from .knobs import KNOBS, LIMITS, Knob
from .org_settings import OrgSettings, TokenReset
from .password_policy import PasswordPolicy
from .stale import StalePlan
from .user_settings import UserSettings

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "orgsim.md"

_HEAD = """\
# Settings of the simulated org

Made by `python -m salesforce_orgsim.reference` from what the simulator reads. How to use them: [orgsim](../orgsim.md).

Names may also be written in camelCase. Each default is what an org made today is usually like.
"""
_SECTIONS: tuple[tuple[str, str, type], ...] = (
    ("The org", "`org` in the settings file, `PATCH /org` at the control port.", OrgSettings),
    ("Password policy", "`org.password_policy`, and for one profile `org.profile_policies.<profile>`.", PasswordPolicy),
    ("What ends the security token", "`org.token_reset`.", TokenReset),
    ("A user", "`users` in the settings file, `POST /users` and `PATCH /users/<username>`.", UserSettings),
    ("What is done to a living user", "`PATCH /users/<username>` only.", Standing),
    ("A stale consumer", "`stale_consumer` in `PATCH /users/<username>`; `start` is called `from` there.", StalePlan),
    ("An app", "`apps` in the settings file, `POST /apps` and `PATCH /apps/<client_id>`.", AppSettings),
)
_KNOBS = f"""\

## Knobs of misbehaviour

`misbehave` in the settings file, `PATCH /misbehave` at the control port. `true` turns a knob on, `null` off; a bare
value is its first parameter; an object gives its parameters, and limits it: {", ".join(f"`{name}`" for name in LIMITS)}
(so many requests, then off).

| knob | parameters | |
|---|---|---|
"""
_ATTRIBUTE = re.compile(r"(\w+): (.*)")


def document() -> str:
    """The whole document."""
    return _HEAD + "".join(_section(*section) for section in _SECTIONS) + _KNOBS + "".join(map(_knob, KNOBS))


def explained(record: type) -> dict[str, str]:
    """What the docstring of a record says of each of its fields."""
    found: dict[str, str] = {}
    name = ""
    for line in (inspect.getdoc(record) or "").partition("Attributes:\n")[2].splitlines():
        text = line.strip()
        begun = _ATTRIBUTE.match(text) if len(line) - len(line.lstrip()) == len("    ") else None
        if begun:
            name = begun[1]
            found[name] = begun[2]
        elif text and name:
            found[name] += f" {text}"
    return found


def _section(title: str, where: str, record: type) -> str:
    texts = explained(record)
    rows = "".join(
        f"| `{spec.name}` | {_default(spec)} | {texts[spec.name]}{_choices(spec, texts[spec.name])} |\n"
        for spec in dataclasses.fields(record)
    )
    return f"\n## {title}\n\n{where}\n\n| name | default | |\n|---|---|---|\n{rows}"


def _default(spec: dataclasses.Field[Any]) -> str:
    if spec.default is not dataclasses.MISSING:
        return f"`{json.dumps(spec.default)}`"
    if spec.default_factory is not dataclasses.MISSING:
        made = spec.default_factory()
        return "see below" if dataclasses.is_dataclass(made) else f"`{json.dumps(made)}`"
    return "required"


def _choices(spec: dataclasses.Field[Any], text: str) -> str:
    choices = spec.metadata.get("choices", ())
    if all(f"`{choice}`" in text or f"{choice} " in text for choice in choices):
        return ""
    return f" One of {', '.join(f'`{json.dumps(choice)}`' for choice in choices)}."


def _knob(name: str) -> str:
    knob: Knob = KNOBS[name]
    parameters = ", ".join(
        f"`{key}` (required)" if parameter.required else f"`{key}` = `{json.dumps(parameter.default)}`"
        for key, parameter in knob.parameters.items()
    )
    return f"| `{name}` | {parameters} | {knob.help} |\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), "utf-8")
