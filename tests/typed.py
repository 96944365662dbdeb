"""What the documents tell people to type, typed; and their tables, read."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from vault_salesforce.dev.openbao import BAO

DOCS = Path(__file__).parent.parent / "docs"
_BIN = Path(sys.executable).parent
_PATIENCE_SECONDS = 240.0  # an installation is typed too


def section(document: str, heading: str) -> str:
    """The text below a heading of a document, up to the next one."""
    _, found, after = (DOCS / document).read_text().partition(f"\n## {heading}\n")
    assert found, f"{document} has no section {heading!r}"
    return after.partition("\n## ")[0]


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """Every command of the console blocks, with its continuation lines."""
    found = re.findall(r"^\$ ((?:.*\\\n)*.*)$", "\n".join(blocks(text, "console")), re.MULTILINE)
    assert found, "nothing is typed there"
    return found


def rows(text: str) -> Iterator[dict[str, str]]:
    """The rows of every table, cell by column."""
    head: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" |")] if line.startswith("|") else []
        if not cells or set(line) <= set("|-"):
            head = head if cells else []
        elif head:
            yield dict(zip(head, cells, strict=False))
        else:
            head = cells


class Terminal:
    """A terminal with the product's commands, logged in to a server.

    Args:
        environment: Address and token of the server, as `OpenBao.environment_of_cli` makes it.
        directory: Where it works.
        names: Names in the documents, and what they are here.
    """

    def __init__(self, environment: Mapping[str, str], directory: Path, names: Mapping[str, str]) -> None:
        path = f"{BAO.parent if isinstance(BAO, Path) else Path(BAO).parent}:{_BIN}:{environment['PATH']}"
        self._environment = {**environment, "PATH": path}
        self._directory, self._names = directory, names

    def type(self, command: str) -> str:
        """Type one command; what it printed. Raises: AssertionError where it failed."""
        for name, here in self._names.items():
            command = command.replace(name, here)
        done = subprocess.run(
            ("/bin/bash", "-o", "pipefail", "-c", command),
            env=self._environment,
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout
