"""What install-plugin tells an operator: the commands that follow, and what would go wrong on this machine."""

import os
import stat
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from vault_salesforce_plugin.install import Installed

_OTHERS_READ, _OTHERS_ENTER, _OTHERS_WRITE = stat.S_IROTH, stat.S_IXOTH, stat.S_IWGRP | stat.S_IWOTH
_MOUNT = "sf"


def next_steps(installed: Installed, mount: str = _MOUNT) -> str:
    """The commands that register the launcher, mount it, and replace the version before it.

    Args:
        installed: The launcher.
        mount: Path of the engine's mount, without slashes.

    Returns:
        Lines to paste, with `bao`; HashiCorp Vault's `vault` takes the same.
    """
    return f"""\
Register it. On HashiCorp Vault the commands are the same, with `vault` in place of `bao`.

  bao {installed.command}

The first time, mount it. The server looks at the launcher only now:

  bao secrets enable -path={mount} -plugin-version={installed.version} {installed.name}

Where another version is mounted, replace it; its leases, credentials and marks stay:

  bao secrets tune -plugin-version={installed.version} {mount}/
  bao plugin reload -mounts={mount}/
  bao read -field=version {mount}/info
"""


def warnings(installed: Installed, directory: Path) -> list[str]:
    """What stands in the way of a server that is to run the launcher, or of its check.

    Args:
        installed: The launcher.
        directory: The directory as it was given.

    Returns:
        One sentence each.
    """
    home = installed.path.parent
    covered = installed.covered
    files = [*covered.files, *covered.places] if covered else []
    library = Path(sysconfig.get_path("stdlib"))
    found = []
    if Path(os.path.abspath(directory)) != home:  # noqa: PTH100 - resolve() follows the very links that are meant
        found.append(
            f"{directory} is, or is behind, a symbolic link: the server follows none out of its plugin_directory, so "
            f'its configuration must say plugin_directory = "{home}"'
        )
    if os.statvfs(home).f_flag & os.ST_NOEXEC:
        found.append(f"{home} is on a file system that is mounted noexec: the server cannot run anything in it")
    if installed.replaced:
        found.append(
            f"{installed.path.name} was there with another sha256: a server that has registered that one cannot "
            "start it again, so register this one now"
        )
    hidden = _first(_hidden([home, installed.path, installed.interpreter, library, *files]))
    if hidden:
        found.append(
            f"{hidden} is not open to other users: a server that runs as neither root nor the owner cannot start the "
            "plugin; install it, and the Python that it needs, where everybody may read, such as below /opt"
        )
    loose = _first(_loose([home, installed.interpreter, library]))
    if loose:
        found.append(
            f"{loose} can be written by others than root, and the launcher checks neither its own directory nor Python "
            "itself: use the system's Python, and let root own the plugin_directory"
        )
    loose = _first(_loose(files))
    if loose:
        found.append(
            f"{loose} can be written by others than root: they can keep the plugin from starting, and an extension "
            "module that is changed while it runs is not checked again; install as root"
        )
    if covered and covered.without_byte_code:
        found.append(
            f"{len(covered.without_byte_code)} files have no byte code, and each start compiles them anew: run "
            "install-plugin once as somebody who may write beside them"
        )
    return found


def _first(found: Iterator[Path]) -> Path | None:
    return next(found, None)


def _hidden(paths: Iterable[Path]) -> Iterator[Path]:
    """The directories that others may not enter, and the files that they may not read."""
    for path in _with_parents(paths):
        wanted = _OTHERS_ENTER if path.is_dir() else _OTHERS_READ
        if not path.stat().st_mode & wanted:
            yield path


def _loose(paths: Iterable[Path]) -> Iterator[Path]:
    """What somebody besides root may write; a sticky directory, such as /tmp, lets nobody replace what is in it."""
    for path in _with_parents(paths):
        seen = path.stat()
        shared = seen.st_mode & _OTHERS_WRITE and not (path.is_dir() and seen.st_mode & stat.S_ISVTX)
        if seen.st_uid or shared:
            yield path


def _with_parents(paths: Iterable[Path]) -> Iterable[Path]:
    """Each path after the directories above it, once."""
    return dict.fromkeys(each for path in paths for each in (*reversed(path.parents), path))
