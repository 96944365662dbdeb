"""The launcher: the one file that Vault executes, and whose hash it checks. It finds the interpreter and starts us."""

import contextlib
import hashlib
import os
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vault_salesforce_plugin import __version__

NAME = "vault-plugin-secrets-salesforce"
# What every Linux kernel reads of a script's first line; an interpreter further down the line is cut short.
MAX_FIRST_LINE_BYTES = 127
# -I: neither PYTHON… variables, which the server hands down, nor the user's own packages. -B: write no byte code.
_FLAGS = "-IB"


@dataclass(frozen=True)
class Installed:
    """A launcher that was written.

    Attributes:
        path: Where it is.
        sha256: Its hash, in hex, as Vault's catalog wants it.
        command: The command that registers it.
    """

    path: Path
    sha256: str
    command: str


def install(directory: Path | str, interpreter: str | None = None) -> Installed:
    """Write the launcher.

    Args:
        directory: The server's `plugin_directory`; links in it are resolved, for Vault follows none out of it.
        interpreter: The Python that has this package; the running one where it is not given.

    Returns:
        What was written. Vault accepts a registration without looking at the file: only a mount proves it.

    Raises:
        OSError: The directory is not there or cannot be written.
        ValueError: The interpreter's path holds a line break.
    """
    resolved = Path(directory).resolve(strict=True)
    # Not resolved: the link in a virtual environment is what makes it one.
    text = launcher(os.path.abspath(interpreter or sys.executable)).encode()  # noqa: PTH100 - resolve() follows links
    path = resolved / NAME
    _write(path, text)
    sha256 = hashlib.sha256(text).hexdigest()
    command = f"vault plugin register -sha256={sha256} -command={NAME} -version=v{__version__} secret {NAME}"
    return Installed(path, sha256, command)


def launcher(interpreter: str) -> str:
    """The launcher's text, for the absolute path of an interpreter. Raises: ValueError, see `install`."""
    if "\n" in interpreter:
        raise ValueError("the interpreter's path holds a line break")
    first_line = f"#!{interpreter} {_FLAGS}\n"
    if len(first_line.encode()) <= MAX_FIRST_LINE_BYTES and not any(char.isspace() for char in interpreter):
        return f"{first_line}from vault_salesforce_plugin.__main__ import main\n\nmain()\n"
    # A shell has no such limit, and exec leaves none behind.
    return f"#!/bin/sh\nexec {shlex.quote(interpreter)} {_FLAGS} -m vault_salesforce_plugin\n"


def _write(path: Path, text: bytes) -> None:
    """Put the whole file in place at once: a server may be about to execute the one before it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o755)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
