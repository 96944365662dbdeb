"""What a process that holds secrets keeps from its machine: its memory from the disk and from others, its files too."""

import ctypes
import os
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4  # Source: prctl(2)
_OWN_FILES_ONLY: Final = 0o077


def keep_private() -> None:
    """From now on, for this process and those that it forks: no core dump, no debugger of another process, no file or
    folder that anybody but its user may read.

    A core holds every secret that is in memory, and where it goes (a collector, a pipe) no limit of a size may stop it:
    so the process is also marked as one that is not to be dumped, which closes `/proc/<pid>/mem` and `environ` to other
    processes of the same user. A program that it executes begins without that mark.

    Raises: OSError: the kernel refuses.
    """
    os.umask(_OWN_FILES_ONLY)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
