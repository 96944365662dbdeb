"""The launcher: the one file that Vault executes and whose hash it checks; it checks all the others, see `manifest`."""

import contextlib
import hashlib
import os
import shlex
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER
from pathlib import Path

from vault_salesforce_plugin import __version__, closure, manifest
from vault_salesforce_plugin.closure import FLAGS, Closure

NAME = "vault-plugin-secrets-salesforce"
# What every Linux kernel reads of a script's first line; an interpreter further down the line is cut short.
MAX_FIRST_LINE_BYTES = 127
_START = "from vault_salesforce_plugin.__main__ import main\n\nmain()\n"


@dataclass(frozen=True)
class Installed:
    """A launcher that was written.

    Attributes:
        path: Where it is. Its name has the version in it: the launcher that a server is running stays as it is.
        sha256: Its hash, in hex, as Vault's catalog wants it.
        name: What the plugin is called in Vault's catalog.
        version: As Vault's catalog wants it.
        replaced: There was another of this version, with another hash.
        interpreter: The Python that runs it.
        covered: What it checks before it loads it; None: nothing.
    """

    path: Path
    sha256: str
    name: str
    version: str
    replaced: bool
    interpreter: Path
    covered: Closure | None

    @property
    def command(self) -> str:
        """What registers it, for `bao` and `vault` alike, without the program's name."""
        return (
            f"plugin register -sha256={self.sha256} -command={self.path.name} -version={self.version} "
            f"secret {self.name}"
        )


def install(directory: Path | str, *, checked: bool = True) -> Installed:
    """Write the launcher of the release that runs this.

    Args:
        directory: The server's `plugin_directory`; links in it are resolved, for Vault follows none out of it.
        checked: Whether the launcher checks what it loads. Without that, a reload is all that a change of the code
            needs: for those who work on the plugin.

    Returns:
        What was written. Vault accepts a registration without looking at the file: only a mount proves it.

    Raises:
        OSError: The directory is not there or cannot be written.
        NotInstalled: The plugin does not load in this environment.
        ValueError: A path cannot stand in the launcher.
    """
    resolved = Path(directory).resolve(strict=True)
    if checked:
        python = closure.interpreter()
        covered = closure.find(python)
        text = launcher(python, covered)
    else:
        # Not resolved: the link in a virtual environment is what makes it one.
        python, covered = Path(os.path.abspath(sys.executable)), None  # noqa: PTH100 - resolve() follows links
        text = _first_lines(python, "-IB") + _START
    path = resolved / f"{NAME}-v{__version__}"
    content = text.encode()
    sha256 = hashlib.sha256(content).hexdigest()
    replaced = path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != sha256
    _write(path, content)
    return Installed(path, sha256, NAME, f"v{__version__}", replaced, python, covered)


def launcher(python: Path, covered: Closure) -> str:
    """The launcher's text.

    Args:
        python: Absolute path of the interpreter.
        covered: What it checks.

    Returns:
        A program: the text of `manifest`, what is to be checked, and the start.

    Raises:
        ValueError: A path holds a character that cannot stand in it.
        OSError: A file cannot be read.
    """
    lines = [f"{_sha256_of(path)}  {path}\n" for path in covered.files]
    unfit = next((path for path in (*covered.files, *covered.places) if not _fits(path)), None)
    if unfit:
        raise ValueError(f"the path {unfit} holds a line break, a quote or a backslash")
    return (
        f"{_first_lines(python, FLAGS)}"
        f"# {NAME} v{__version__}, written by install-plugin. What it covers can also be checked by hand:\n"
        f"#   grep -E '^[0-9a-f]{{64}}  ' <this file> | sha256sum --quiet --check\n"
        f"{Path(manifest.__file__).read_text()}\n\n"
        f'MANIFEST = """\\\n{"".join(lines)}"""\n'
        f"PLACES = {[str(place) for place in covered.places]!r}\n"
        f"start(MANIFEST, PLACES, {MAGIC_NUMBER.hex()!r})\n\n"
        f"{_START}"
    )


def _first_lines(python: Path, flags: str) -> str:
    if not _fits(python):
        raise ValueError(f"the interpreter's path {python} holds a line break, a quote or a backslash")
    first_line = f"#!{python} {flags}\n"
    if len(first_line.encode()) <= MAX_FIRST_LINE_BYTES and not any(char.isspace() for char in str(python)):
        return first_line
    # A shell has no such limit, and exec leaves none behind. Python takes the two lines for a string.
    return f"#!/bin/sh\n'''exec' {shlex.quote(str(python))} {flags} \"$0\" \"$@\"\n' '''\n"


def _fits(path: Path) -> bool:
    return str(path).isprintable() and not set(str(path)) & {'"', "'", "\\"}


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Put the whole file in place at once: a server may be about to execute the one before it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o755)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
