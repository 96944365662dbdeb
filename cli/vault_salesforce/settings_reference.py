"""`docs/reference/settings.md`, made from the settings: `python -m vault_salesforce.settings_reference` writes it."""

from pathlib import Path

from vault_plugin_sdk.framework.fields import REQUIRED, SECRET, Field, declared
from vault_salesforce_sidecar.settings import PREFIX, Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
_HEAD = """\
# Settings of the sidecar

Made by `python -m vault_salesforce.settings_reference` from what the sidecar reads.

Settings are environment variables. An empty one counts as not set. All that is wrong with them is said at once, before
anything is started. Those in *italics* are secrets: where there is a choice, give the file.

| variable | default | |
|---|---|---|
"""


def document() -> str:
    """The whole document."""
    return _HEAD + "".join(_row(name, item) for name, item in declared(Settings).items())


def _row(name: str, item: Field) -> str:
    variable = f"`{PREFIX}{name.upper()}`"
    if item.kind is SECRET:
        variable = f"*{variable}*"
    notes = [item.help]
    if item.choices:
        notes.append(f"One of {', '.join(f'`{choice}`' for choice in item.choices)}.")
    if item.minimum is not None and item.maximum is not None:
        notes.append(f"From {item.minimum} to {item.maximum}.")
    return f"| {variable} | {_default(item)} | {' '.join(notes)} |\n"


def _default(item: Field) -> str:
    if item.default is REQUIRED:
        return "required"
    return f"`{item.default}`" if item.default and item.kind is not SECRET else ""


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document())
