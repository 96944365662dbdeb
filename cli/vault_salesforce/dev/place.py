"""The directory of a stack: nobody else's while its process lives, and removed by the next stack if that was killed."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "vault-salesforce-"
_LOCK = ".lock"  # held for as long as the process lives: the kernel lets go of it whatever ends the process
_LONGEST_PLACE = 50


class Place:
    """A new directory, closed to others.

    Attributes:
        path: Where it is, without symbolic links.
    """

    def __init__(self) -> None:
        usual = Path(tempfile.gettempdir())
        # The plugin's sockets are in it, and a socket's path has no room for more than 107 bytes.
        place = usual if len(bytes(usual)) <= _LONGEST_PLACE else Path("/tmp")  # noqa: S108 - mkdtemp makes it ours
        _sweep(place)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place)).resolve()
            self._lock = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if (self.path / _LOCK).exists():
                return
            os.close(self._lock)  # somebody swept between the two calls

    def remove(self) -> None:
        """Remove it and all that is in it. Twice does no harm."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _sweep(place: Path) -> None:
    """Remove what processes of ours left behind that were killed."""
    for directory in place.glob(f"{_PREFIX}*"):
        try:
            if directory.is_symlink() or directory.stat().st_uid != os.getuid():
                continue
            lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
